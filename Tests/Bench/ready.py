#!/usr/bin/env python3
"""How long `martlet serve` takes from its start on an empty directory to its first 200 of /readyz.

A measurement, not a test: the figure is the machine's as well. Usage: ready.py [BINARY [ROUNDS]]
"""
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BINARY = sys.argv[1] if len(sys.argv) > 1 else ".build/release/martlet"
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
LIMIT_SECONDS = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_ready(port, start):
    while time.monotonic() - start < LIMIT_SECONDS:
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            client.request("GET", "/readyz")
            if client.getresponse().status == 200:
                return time.monotonic() - start
        except OSError:
            time.sleep(0.001)
    sys.exit(f"not ready within {LIMIT_SECONDS} s")


def one_round(folder):
    port = free_port()
    start = time.monotonic()
    node = subprocess.Popen(
        [BINARY, "serve", "--data-dir", os.path.join(folder, "data"),
         "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return until_ready(port, start)
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait()


times = []
for _ in range(ROUNDS):
    with tempfile.TemporaryDirectory() as folder:
        times.append(one_round(folder) * 1000)
print(f"ready after {statistics.median(times):.0f} ms in the median, "
      f"{max(times):.0f} ms at worst, of {ROUNDS} starts on an empty directory")
