# The servers that are compared: how each is started with durable writes, filled, asked and stopped.
#
# All run on loopback with data in a directory of this run, and are ended by their process ids. What
# a server cannot do is missing from its `requests`, and the table leaves that cell empty.
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

KEYS = 20_000
VALUE = b"v" * 100
SCAN_LIMIT = 1000
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def key(index):
    return f"k{index:07d}"


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def find(program):
    """Servers of Debian live in sbin, which people's PATH often lacks."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


class Request:
    """One kind of HTTP request: for each of `count` numbers a target and a body."""

    def __init__(self, method, target, body=None, headers=None, count=KEYS):
        self.method = method
        self.target = target
        self.body = body or (lambda index: b"")
        self.headers = headers or {}
        self.count = count


class Server:
    name = ""
    programs = ()
    port_offset = 0

    def __init__(self, work, base_port):
        self.port = base_port + self.port_offset
        self.folder = os.path.join(work, self.name.replace("+", "-"))
        self.processes = []
        self.requests = {}

    def missing(self):
        return [program for program in self.programs if not find(program)]

    def spawn(self, *command):
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            process = subprocess.Popen(
                [find(command[0]) or command[0], *command[1:]], cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)

    def wait_for(self, port, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for process in self.processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended at once; see {self.folder}/log")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not listen on {port}; see {self.folder}/log")

    def call(self, method, target, body=None, headers=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{target}", data=body, method=method,
            headers=headers or {})
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()

    def resident_bytes(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/status") as status:
                for line in status:
                    if line.startswith("VmRSS:"):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []


class Martlet(Server):
    name = "martlet"
    programs = (os.path.join(ROOT, ".build/release/martlet"),)
    port_offset = 0

    def start(self):
        self.spawn(
            self.programs[0], "serve", "--data-dir", os.path.join(self.folder, "data"),
            "--listen", f"127.0.0.1:{self.port}", "--log-level", "warning")
        self.wait_for(self.port)
        self.ask()

    def ask(self):
        self.requests = {
            "get": Request("GET", lambda i: f"/v1/raw/kv/{key(i)}"),
            "put": Request("PUT", lambda i: f"/v1/raw/kv/{key(i)}", lambda i: VALUE),
            "scan": Request(
                "GET", lambda i: f"/v1/raw/scan?start={key(i * 10)}&limit={SCAN_LIMIT}",
                count=(KEYS - SCAN_LIMIT) // 10),
        }
        self.h2 = {"get": self.requests["get"], "put": self.requests["put"]}

    def fill(self, count=KEYS):
        for start in range(0, count, SCAN_LIMIT):
            ops = [
                {"op": "put", "key": key(i), "value": VALUE.decode()}
                for i in range(start, min(start + SCAN_LIMIT, count))]
            self.call(
                "POST", "/v1/raw/batch", json.dumps({"ops": ops}).encode(),
                {"Content-Type": "application/json"})


class Etcd(Server):
    name = "etcd"
    programs = ("etcd",)
    port_offset = 10

    def start(self):
        client = f"http://127.0.0.1:{self.port}"
        peer = f"http://127.0.0.1:{self.port + 1}"
        self.spawn(
            "etcd", "--data-dir", os.path.join(self.folder, "data"), "--logger=zap",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}")
        self.wait_for(self.port)
        self.ask()
        self.wait_for_leader()

    def ask(self):
        json_type = {"Content-Type": "application/json"}
        self.requests = {
            "get": Request(
                "POST", lambda i: "/v3/kv/range",
                lambda i: json.dumps({"key": b64(key(i))}).encode(), json_type),
            "put": Request(
                "POST", lambda i: "/v3/kv/put",
                lambda i: json.dumps({"key": b64(key(i)), "value": b64(VALUE)}).encode(),
                json_type),
            "scan": Request(
                "POST", lambda i: "/v3/kv/range",
                lambda i: json.dumps(
                    {"key": b64(key(i * 10)), "range_end": b64("l"),
                     "limit": SCAN_LIMIT}).encode(),
                json_type, count=(KEYS - SCAN_LIMIT) // 10),
        }
        # gRPC: h2load sends one prepared message, so one key.
        grpc = {"content-type": "application/grpc", "te": "trailers"}
        self.h2 = {
            "get": Request(
                "POST", lambda i: "/etcdserverpb.KV/Range",
                lambda i: grpc_message((1, key(0).encode())), grpc, count=1),
            "put": Request(
                "POST", lambda i: "/etcdserverpb.KV/Put",
                lambda i: grpc_message((1, key(0).encode()), (2, VALUE)), grpc, count=1),
        }

    def wait_for_leader(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                self.call("POST", "/v3/kv/range", json.dumps({"key": b64("x")}).encode())
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def fill(self, count=KEYS):
        for start in range(0, count, 128):  # etcd's limit of operations in a transaction
            puts = [
                {"requestPut": {"key": b64(key(i)), "value": b64(VALUE)}}
                for i in range(start, min(start + 128, count))]
            self.call("POST", "/v3/kv/txn", json.dumps({"success": puts}).encode())


def grpc_message(*fields):
    """Protobuf fields of bytes, each shorter than 128, in one uncompressed gRPC frame."""
    body = b"".join(bytes([number << 3 | 2, len(data)]) + data for number, data in fields)
    return b"\0" + len(body).to_bytes(4, "big") + body


class Webdis(Server):
    name = "redis+webdis"
    programs = ("redis-server", "webdis")
    port_offset = 20

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        self.redis_port = self.port + 1
        self.spawn(
            "redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir",
            self.folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
        self.wait_for(self.redis_port)
        config = os.path.join(self.folder, "webdis.json")
        with open(config, "w") as file:
            # Debian's own settings, but for ports and for staying in the foreground.
            json.dump({
                "redis_host": "127.0.0.1", "redis_port": self.redis_port,
                "http_host": "127.0.0.1", "http_port": self.port, "threads": 2,
                "daemonize": False, "database": 0, "acl": [{"disabled": ["DEBUG"]}],
                "verbosity": 1, "logfile": os.path.join(self.folder, "webdis.log"),
            }, file)
        self.spawn("webdis", config)
        self.wait_for(self.port)
        self.requests = {
            "get": Request("GET", lambda i: f"/GET/{key(i)}.txt"),
            "put": Request("PUT", lambda i: f"/SET/{key(i)}", lambda i: VALUE),
        }
        self.h2 = {}

    def fill(self, count=KEYS):
        with socket.create_connection(("127.0.0.1", self.redis_port)) as redis:
            replies = redis.makefile("rb")
            for start in range(0, count, 1000):
                block = range(start, min(start + 1000, count))
                redis.sendall(b"".join(
                    b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
                    % (len(key(i)), key(i).encode(), len(VALUE), VALUE) for i in block))
                for _ in block:
                    reply = replies.readline()
                    if reply != b"+OK\r\n":
                        raise RuntimeError(f"redis: {reply!r}")


class Nghttpd(Server):
    name = "nghttpd"
    programs = ("nghttpd",)
    port_offset = 30
    files = 1000

    def start(self):
        public = os.path.join(self.folder, "public")
        os.makedirs(public, exist_ok=True)
        for index in range(self.files):
            with open(os.path.join(public, key(index)), "wb") as file:
                file.write(VALUE)
        self.spawn(
            "nghttpd", "-n1", "--no-tls", "-a", "127.0.0.1", "-d", public, str(self.port))
        self.wait_for(self.port)
        self.h2 = {"get": Request("GET", lambda i: f"/{key(i)}", count=self.files)}

    def fill(self, count=KEYS):
        pass
