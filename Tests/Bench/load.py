# The load generators: wrk and h2load as closed loops, `martlet bench` as an open loop for latency.
#
# Each run checks that the answers were successes: a server that refuses quickly is not a fast one.
import json
import os
import re
import subprocess
import tempfile

from peers import KEYS, ROOT, find

URIS = 1000  # for h2load, which reads its targets from a file

WRK_SCRIPT = """
local requests = {}
init = function(args)
  local n = 0
  for line in io.lines(%(targets)s) do
    local method, target, body = line:match("^(%%S+) (%%S+) ?(.*)$")
    n = n + 1
    requests[n] = wrk.format(method, target, %(headers)s, body ~= "" and body or nil)
  end
  math.randomseed(tonumber(tostring(requests):match("0x(%%x+)"), 16) %% 2147483647)
end
request = function() return requests[math.random(#requests)] end
done = function(summary, latency, all)
  local e = summary.errors
  io.write(string.format(
    "RESULT %%d %%d %%d %%f %%f\\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


def check(done, errors, what, output):
    # A run that ends may cut a connection or two off.
    if done == 0 or errors > done * 0.001:
        raise RuntimeError(f"{what}: {done} answers, {errors} errors\n{output}")


def wrk(server, request, seconds, connections=64):
    """Requests per second, p50 and p99 in milliseconds over HTTP/1.1; bodies must be one line."""
    with tempfile.TemporaryDirectory() as folder:
        targets = os.path.join(folder, "targets")
        with open(targets, "wb") as file:
            for index in range(request.count):
                body = request.body(index)
                file.write(
                    f"{request.method} {request.target(index)} ".encode() + body + b"\n")
        headers = ", ".join(f'["{k}"]="{v}"' for k, v in request.headers.items())
        script = os.path.join(folder, "load.lua")
        with open(script, "w") as file:
            file.write(WRK_SCRIPT % {"targets": json.dumps(targets), "headers": "{%s}" % headers})
        output = subprocess.run(
            [find("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script,
             f"http://127.0.0.1:{server.port}"],
            capture_output=True, text=True, timeout=seconds + 60).stdout
    match = re.search(r"^RESULT (\d+) (\d+) (\d+) (\S+) (\S+)$", output, re.M)
    if not match:
        raise RuntimeError(f"wrk said: {output}")
    done, micros, errors = (int(match.group(n)) for n in (1, 2, 3))
    check(done, errors, f"wrk against {server.name}", output)
    return {
        "rate": done / (micros / 1e6), "p50": float(match.group(4)) / 1e3,
        "p99": float(match.group(5)) / 1e3}


def h2load(server, request, seconds, connections=16, streams=32):
    """Requests per second over HTTP/2."""
    with tempfile.TemporaryDirectory() as folder:
        uris = os.path.join(folder, "uris")
        with open(uris, "w") as file:
            for index in range(min(request.count, URIS)):
                file.write(f"http://127.0.0.1:{server.port}{request.target(index)}\n")
        command = [
            find("h2load"), "-t1", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "-i", uris,
            "-H", f":method: {request.method}"]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        if request.method != "GET":
            body = os.path.join(folder, "body")
            with open(body, "wb") as file:
                file.write(request.body(0))
            command += ["-d", body]
        output = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60).stdout
    rate = re.search(r"^finished in [^,]+, ([\d.]+) req/s", output, re.M)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    codes = re.search(r"status codes: (\d+) 2xx", output)
    if not rate or not counts or not codes:
        raise RuntimeError(f"h2load said: {output}")
    done, failed = int(codes.group(1)), int(counts.group(2)) + int(counts.group(3))
    check(done, failed, f"h2load against {server.name}", output)
    return {"rate": float(rate.group(1))}


def open_loop(server, kind, rate, seconds, load_keys):
    """p50 and p99 in milliseconds at a fixed rate, each counted from when its request was due.

    A request that finds all connections busy waits its turn and the wait counts, so that a server
    that stalls cannot hide it by slowing the load (coordinated omission). `martlet bench` does it,
    for every server alike: of the tools at hand only it speaks to all of them without pausing.
    """
    program = os.path.join(ROOT, ".build/release/martlet")
    command = [
        program, "bench", f"http://127.0.0.1:{server.port}", "--target", server.name,
        "--workload", kind, "--rate", f"{rate:.0f}", "--connections", "64",
        "--keys", str(KEYS), "--duration", f"{seconds}s", "--warmup", "1s", "--json"]
    run = subprocess.run(
        command + (["--load"] if load_keys else []), capture_output=True, text=True,
        timeout=seconds + 120)
    if run.returncode != 0:
        raise RuntimeError(f"martlet bench said: {run.stdout}{run.stderr}")
    result = json.loads(run.stdout)
    check(result["count"], result["errors"], f"martlet bench against {server.name}", run.stdout)
    latency = result["latency_us"][0]
    return {"p50": latency["p50"] / 1e3, "p99": latency["p99"] / 1e3}
