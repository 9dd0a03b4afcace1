# The load generators: wrk and h2load as closed loops, and an open loop of our own for latency.
#
# Each run checks that the answers were successes: a server that refuses quickly is not a fast one.
import gc
import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from collections import deque

from peers import find

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


class Connection:
    """One HTTP/1.1 connection of the open loop, with at most one request on it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.due = None

    def send(self, message, due):
        self.due = due
        if self.socket.send(message) != len(message):
            raise RuntimeError("a request did not fit the socket's buffer")

    def finished(self):
        """Whether the answer is whole; raises unless it is a success."""
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed a connection under load")
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        if not head.startswith(b"http/1.1 2"):
            raise RuntimeError(f"the server answered {head[:40]!r} under load")
        length = head.find(b"content-length:")
        if length >= 0:
            need = end + 4 + int(head[length + 15:].split(b"\r\n", 1)[0])
            whole = len(self.buffer) >= need
        else:
            whole = self.buffer.endswith(b"0\r\n\r\n")  # chunked
        if whole:
            self.buffer = b""
        return whole


def open_loop(server, request, rate, seconds, connections=64):
    """p50 and p99 in milliseconds at a fixed rate, each counted from when its request was due.

    A request that finds all connections busy waits its turn and the wait counts, so that a server
    that stalls cannot hide it by slowing the load (coordinated omission).
    """
    messages = []
    for index in range(0, request.count, max(1, request.count // 4096)):
        body = request.body(index)
        head = f"{request.method} {request.target(index)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        if request.method != "GET":
            head += f"Content-Length: {len(body)}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in request.headers.items())
        messages.append((head + "\r\n").encode() + body)
    by_socket = {}
    for _ in range(connections):
        connection = Connection(server.port)
        by_socket[connection.socket] = connection
    sockets = list(by_socket)
    idle = deque(by_socket.values())
    waiting = deque()
    latencies = []
    total = int(rate * seconds)
    sent = 0
    gc.disable()
    start = time.perf_counter()
    try:
        while len(latencies) < total:
            now = time.perf_counter()
            if now > start + seconds * 3 + 10:
                raise RuntimeError(f"{server.name} cannot keep up with {rate:.0f} requests/s")
            while sent < total and start + sent / rate <= now:
                waiting.append(start + sent / rate)
                sent += 1
            while waiting and idle:
                connection = idle.popleft()
                connection.send(messages[(sent - len(waiting)) % len(messages)], waiting.popleft())
            next_due = start + sent / rate if sent < total else now + 1
            # Not epoll, whose time-outs are whole milliseconds.
            ready, _, _ = select.select(sockets, [], [], max(0, next_due - now))
            for each in ready:
                connection = by_socket[each]
                if connection.finished():
                    latencies.append(time.perf_counter() - connection.due)
                    idle.append(connection)
    finally:
        gc.enable()
        for each in sockets:
            each.close()
    latencies.sort()
    return {
        "p50": latencies[len(latencies) // 2] * 1e3,
        "p99": latencies[int(len(latencies) * 0.99)] * 1e3}
