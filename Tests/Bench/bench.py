# Martlet beside what a user would pick instead, in one run, in alternation, at the same durability.
#
#   make bench                       all of it, 5 rounds of 10 seconds
#   ROUNDS=1 SECONDS=2 make bench    a quick look
#   ONLY=get-h1,scan make bench      some rows; MEMORY=0 leaves out the memory row
#
# Prints a Markdown table of medians and ratios, and keeps each figure in .build/bench/. A server
# that is not installed is left out and named. Absolute figures move with the machine and the hour:
# only the ratios of one run mean something.
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import load
import peers

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "10"))
ONLY = [name for name in os.environ.get("ONLY", "").split(",") if name]
MEMORY = os.environ.get("MEMORY", "1") != "0"
PORT = int(os.environ.get("BENCH_PORT", "27100"))
MEMORY_KEYS = int(os.environ.get("MEMORY_KEYS", "1000000"))
MEMORY_SECONDS = int(os.environ.get("MEMORY_SECONDS", str(min(60, SECONDS * 6))))
FOLDER = os.path.join(peers.ROOT, ".build", "bench")


class Row:
    """One line of the table: what is measured on whom, and the ratios to reach."""

    def __init__(self, name, title, measure, servers, targets):
        self.name = name
        self.title = title
        self.measure = measure
        self.servers = servers
        # {peer: least ratio of Martlet's rate to the peer's}
        self.targets = targets
        self.figures = {server: [] for server in servers}

    def median(self, server, what="rate"):
        values = [figure[what] for figure in self.figures.get(server, []) if what in figure]
        return statistics.median(values) if values else None


def over_h1(kind):
    return lambda server: load.wrk(server, server.requests[kind], SECONDS)


def over_h2(kind):
    return lambda server: load.h2load(server, server.h2[kind], SECONDS)


def rows():
    every = ["martlet", "etcd", "redis+webdis"]
    table = [
        Row("get-h2", "GET, HTTP/2, 16 connections × 32 streams", over_h2("get"),
            ["martlet", "nghttpd", "etcd"], {"nghttpd": 0.80, "etcd": None}),
        Row("put-h2", "durable PUT, HTTP/2, 16 × 32", over_h2("put"),
            ["martlet", "etcd"], {"etcd": None}),
        Row("get-h1", "GET, HTTP/1.1, 64 connections", over_h1("get"), every,
            {"redis+webdis": 1.2, "etcd": 8}),
        Row("put-h1", "durable PUT, HTTP/1.1, 64 connections", over_h1("put"), every,
            {"redis+webdis": 1.0, "etcd": 4}),
        Row("scan", "page of 1,000 entries as JSON, 8 connections",
            lambda server: load.wrk(server, server.requests["scan"], SECONDS, connections=8),
            ["martlet", "etcd"], {"etcd": 5}),
    ]
    return [row for row in table if not ONLY or row.name in ONLY]


def measure_rounds(table, servers):
    for round_number in range(ROUNDS):
        for row in table:
            present = [name for name in row.servers if name in servers]
            # The order turns, so that nobody always runs after the same neighbour.
            turn = round_number % max(1, len(present))
            for name in present[turn:] + present[:turn]:
                figure = row.measure(servers[name])
                row.figures[name].append(figure)
                say(f"round {round_number + 1}/{ROUNDS}  {row.name:7} {name:13}"
                    f" {figure['rate']:10.0f}/s" + (
                        f"  p99 {figure['p99']:.2f} ms" if "p99" in figure else ""))


def measure_latency(servers, peaks):
    """p99 of each server at half of its own peak, and of Martlet at half of etcd's too."""
    result = {}
    if "martlet" not in servers or ONLY and "latency" not in ONLY:
        return result
    for kind in ("get", "put"):
        peak = peaks.get(f"{kind}-h1", {})
        loads = [(name, peak[name] / 2) for name in ("etcd", "martlet") if peak.get(name)]
        if len(loads) == 2:
            loads.append(("martlet", loads[0][1]))
        for round_number in range(ROUNDS):
            for number, (name, rate) in enumerate(loads):
                figure = load.open_loop(
                    servers[name], kind, rate, SECONDS, load_keys=round_number == 0)
                result.setdefault((kind, number, name, rate), []).append(figure)
                say(f"round {round_number + 1}/{ROUNDS}  p99-{kind} {name:13} at {rate:.0f}/s"
                    f"  p50 {figure['p50']:.2f} ms  p99 {figure['p99']:.2f} ms")
    return result


def measure_memory(server):
    """Resident bytes: empty, with a million keys, and after a minute of mixed load on them."""
    figures = {"start": server.resident_bytes()}
    server.fill(MEMORY_KEYS)
    figures["filled"] = server.resident_bytes()
    step = MEMORY_KEYS // peers.KEYS
    for kind in ("put", "get"):
        request = server.requests[kind]
        wide = peers.Request(
            request.method, lambda i: request.target(i * step), request.body, request.headers)
        load.wrk(server, wide, MEMORY_SECONDS // 2)
    figures["loaded"] = server.resident_bytes()
    return figures


def machine():
    model, memory = "", 0
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    mounts = {}
    with open("/proc/mounts") as file:
        for line in file:
            _, point, kind = line.split()[:3]
            mounts[point] = kind
    here = max((p for p in mounts if (FOLDER + "/").startswith(p.rstrip("/") + "/")), key=len)
    return (f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, data on {mounts[here]},"
            f" Linux {platform.release()}")


def versions():
    asked = [
        ("etcd", ["etcd", "--version"]), ("redis", ["redis-server", "--version"]),
        ("nghttp2", ["nghttpd", "--version"]), ("wrk", ["wrk", "-v"])]
    found = []
    for name, command in asked:
        if path := peers.find(command[0]):
            said = subprocess.run([path, *command[1:]], capture_output=True, text=True)
            match = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
            found.append(f"{name} {match.group()}" if match else name)
    return ", ".join(found)


def number(value):
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def report(table, latency, memory, skipped):
    servers = ["martlet", "nghttpd", "redis+webdis", "etcd"]
    lines = [
        f"{datetime.date.today()}, {machine()}; {versions()}; load generator on the same machine.",
        f"`ROUNDS={ROUNDS} SECONDS={SECONDS} make bench`, medians, requests per second.", "",
        "| what | " + " | ".join(servers) + " | ratio (to reach) |",
        "|---|" + "---:|" * len(servers) + "---|"]
    for row in table:
        ratios = []
        for peer, target in row.targets.items():
            mine, theirs = row.median("martlet"), row.median(peer)
            if mine and theirs:
                goal = f" (≥ {target})" if target else ""
                ratios.append(f"{mine / theirs:.2f} × {peer}{goal}")
        cells = [number(row.median(server)) for server in servers]
        lines.append(f"| {row.title} | " + " | ".join(cells) + f" | {', '.join(ratios)} |")
    if latency:
        lines += ["", "Open loop, HTTP/1.1, 64 connections, medians in milliseconds.", "",
                  "| what | load, requests/s | p50 | p99 | p99 ratio (to reach) |",
                  "|---|---:|---:|---:|---|"]
        for (kind, order, name, rate), figures in latency.items():
            p50, p99 = (statistics.median(f[k] for f in figures) for k in ("p50", "p99"))
            base = [f for (k, _, n, _), fs in latency.items() if (k, n) == (kind, "etcd")
                    for f in fs]
            ratio = ""
            if base and name == "martlet":
                ratio = f"{p99 / statistics.median(f['p99'] for f in base):.2f} × etcd (≤ 0.5)"
            whose = ("half of its peak", "half of its peak", "half of etcd's peak")[order]
            lines.append(
                f"| {kind.upper()}, {name}, {whose} | {rate:,.0f} | {p50:.2f} | {p99:.2f}"
                f" | {ratio} |")
    if memory:
        mib = {what: f"{value / (1 << 20):.0f} MiB" for what, value in memory.items()}
        lines += ["", f"Martlet's resident memory: {mib['start']} when started, {mib['filled']}"
                  f" with {MEMORY_KEYS:,} keys of 100 bytes, {mib['loaded']} after"
                  f" {MEMORY_SECONDS} s of load on them."]
    lines += [""] + [f"Skipped: {why}." for why in skipped]
    return "\n".join(lines).rstrip() + "\n"


def say(text):
    print(text, file=sys.stderr, flush=True)


def start_servers(work, skipped):
    servers = {}
    for kind in (peers.Martlet, peers.Etcd, peers.Webdis, peers.Nghttpd):
        server = kind(work, PORT)
        if missing := server.missing():
            skipped.append(f"{server.name}, because {', '.join(missing)} is not installed")
            continue
        servers[server.name] = server
        try:
            server.start()
            server.fill()
        except (OSError, RuntimeError) as error:
            server.stop()
            del servers[server.name]
            skipped.append(f"{server.name}, because it did not start: {error}")
    return servers


def run():
    skipped = [f"everything that needs {tool}, which is not installed"
               for tool in ("wrk", "h2load") if not peers.find(tool)]
    if skipped:
        raise SystemExit("\n".join(skipped))
    os.makedirs(FOLDER, exist_ok=True)
    work = tempfile.mkdtemp(dir=FOLDER)
    servers, memory = {}, None
    try:
        servers = start_servers(work, skipped)
        for why in skipped:
            say(f"skipped: {why}")
        table = rows()
        measure_rounds(table, servers)
        peaks = {row.name: {name: row.median(name) for name in row.servers} for row in table}
        latency = measure_latency(servers, peaks)
    finally:
        for server in servers.values():
            server.stop()
    try:
        if MEMORY and "martlet" in servers and (not ONLY or "memory" in ONLY):
            servers["martlet"].folder += "-memory"
            servers["martlet"].start()
            memory = measure_memory(servers["martlet"])
    finally:
        servers.get("martlet", peers.Server(work, PORT)).stop()
        shutil.rmtree(work)
    text = report(table, latency, memory, skipped)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with open(os.path.join(FOLDER, f"{stamp}.md"), "w") as file:
        file.write(text)
    with open(os.path.join(FOLDER, f"{stamp}.json"), "w") as file:
        json.dump({row.name: row.figures for row in table}, file, indent=1)
    print(text)


if __name__ == "__main__":
    run()
