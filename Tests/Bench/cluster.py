# Three nodes of Martlet beside three members of etcd, all on this machine: what replication costs,
# and what an idle cluster does.
#
#   make bench                            after the lone servers
#   ROUNDS=5 SECONDS=2 python3 Tests/Bench/cluster.py
#
# A write is answered when it is synced on a majority, a read is linearizable; both are asked of the
# leader, and reads of a follower too. As in bench.py only the ratios of one run mean something.
import datetime
import json
import os
import shutil
import tempfile
import time

import bench
import load
import peers

IDLE_SECONDS = int(os.environ.get("IDLE_SECONDS", "20"))
NODES = (1, 2, 3)


class View:
    """One member of a cluster, asked by itself."""

    def __init__(self, server, port):
        self.name = server.name
        self.port = port


class MartletCluster(peers.Martlet):
    port_offset = 40

    def start(self):
        ports = {node: self.port + node for node in NODES}
        for node, port in ports.items():
            command = [
                self.programs[0], "serve", "--data-dir", os.path.join(self.folder, f"n{node}"),
                "--listen", f"127.0.0.1:{port}", "--log-level", "warning"]
            if node > 1:
                command += ["--join", f"http://127.0.0.1:{ports[1]}"]
            self.spawn(*command)
            self.wait_for(port)
            self.port = ports[1]
            wait(f"node {node} to vote", lambda: sum(
                store["role"] != "learner" for store in self.stores()) == node)
        self.ask()
        self.port, follower = self.roles(ports)
        self.follower = View(self, follower)

    def stores(self):
        return json.loads(self.call("GET", "/v1/stores"))["stores"]

    def roles(self, ports):
        leader = next(int(s["store_id"]) for s in self.stores() if s["role"] == "leader")
        return ports[leader], next(port for node, port in ports.items() if node != leader)


class EtcdCluster(peers.Etcd):
    port_offset = 60

    def start(self):
        ports = {node: self.port + node * 2 for node in NODES}
        members = ",".join(f"m{n}=http://127.0.0.1:{p + 1}" for n, p in ports.items())
        for node, port in ports.items():
            client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
            self.spawn(
                "etcd", "--name", f"m{node}", "--data-dir",
                os.path.join(self.folder, f"m{node}"), "--logger=zap",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", members)
        for port in ports.values():
            self.wait_for(port)
        self.ask()
        self.port = ports[1]
        self.wait_for_leader()
        self.port, follower = self.roles(ports)
        self.follower = View(self, follower)

    def roles(self, ports):
        said = {}
        for port in ports.values():
            self.port = port
            status = json.loads(self.call("POST", "/v3/maintenance/status", b"{}"))
            said[port] = status["leader"] == status["header"]["member_id"]
        return (next(port for port, leads in said.items() if leads),
                next(port for port, leads in said.items() if not leads))


def wait(what, holds):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"waited in vain for {what}")


def rows():
    def h1(kind, of=lambda server: server):
        return lambda server: load.wrk(of(server), server.requests[kind], bench.SECONDS)

    def h2(kind):
        return lambda server: load.h2load(server, server.h2[kind], bench.SECONDS)

    both = ["martlet", "etcd"]
    return [
        bench.Row("put-h1", "replicated PUT, HTTP/1.1, 64 connections", h1("put"), both,
                  {"etcd": 5}),
        bench.Row("put-h2", "replicated PUT, HTTP/2, 16 × 32 (etcd: gRPC)", h2("put"), both,
                  {"etcd": 1.5}),
        bench.Row("get-h1", "GET of the leader, HTTP/1.1, 64 connections", h1("get"), both,
                  {"etcd": 8}),
        bench.Row("get-follower", "GET of a follower, HTTP/1.1, 64 connections",
                  h1("get", lambda server: server.follower), both, {"etcd": 8}),
    ]


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_idle(server):
    """Each node's share of a core while nobody asks anything, in percent."""
    time.sleep(5)
    before = [processor_seconds(process) for process in server.processes]
    time.sleep(IDLE_SECONDS)
    after = [processor_seconds(process) for process in server.processes]
    return [100 * (b - a) / IDLE_SECONDS for a, b in zip(before, after)]


def report(table, idle, skipped):
    lines = [
        f"{datetime.date.today()}, {bench.machine()}; {bench.versions()}; three nodes each, load"
        " generator on the same machine.",
        f"`ROUNDS={bench.ROUNDS} SECONDS={bench.SECONDS} make bench`, medians, requests per"
        " second.", "",
        "| what | martlet | etcd | ratio (to reach) |", "|---|---:|---:|---|"]
    for row in table:
        mine, theirs = row.median("martlet"), row.median("etcd")
        goal = row.targets["etcd"]
        ratio = f"{mine / theirs:.2f} × (≥ {goal})" if mine and theirs else ""
        lines.append(f"| {row.title} | {bench.number(mine)} | {bench.number(theirs)} | {ratio} |")
    for name, shares in idle.items():
        lines += ["", f"Idle, share of a core of each node, {name}: "
                  + ", ".join(f"{share:.2f} %" for share in shares) + "."]
    lines += [""] + [f"Skipped: {why}." for why in skipped]
    return "\n".join(lines).rstrip() + "\n"


def run():
    os.makedirs(bench.FOLDER, exist_ok=True)
    work = tempfile.mkdtemp(dir=bench.FOLDER)
    servers, idle, skipped = {}, {}, []
    table = rows()
    try:
        for kind in (MartletCluster, EtcdCluster):
            server = kind(work, bench.PORT)
            if missing := server.missing():
                skipped.append(f"{server.name}, because {', '.join(missing)} is not installed")
                continue
            servers[server.name] = server
            server.start()
            server.fill()
        bench.measure_rounds(table, servers)
        for name, server in servers.items():
            idle[name] = measure_idle(server)
    finally:
        for server in servers.values():
            server.stop()
        shutil.rmtree(work)
    text = report(table, idle, skipped)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with open(os.path.join(bench.FOLDER, f"{stamp}-cluster.md"), "w") as file:
        file.write(text)
    with open(os.path.join(bench.FOLDER, f"{stamp}-cluster.json"), "w") as file:
        json.dump({row.name: row.figures for row in table} | {"idle": idle}, file, indent=1)
    print(text)


if __name__ == "__main__":
    run()
