#!/usr/bin/env python3
"""A recording wire: passes bytes between clients and a node unchanged, and keeps what was said.

    tap.py NODE_PORT RECORD [LISTEN_PORT]

Prints the port it listens on, then serves until SIGTERM. Only then are the two byte
streams of each connection cut into HTTP/1.1 messages and written to RECORD, one exchange a line, so
recording cannot change what the two sides see: whatever client speaks, hostile or not, its bytes
arrive as they were sent. HTTP/2 and TLS pass through but are not understood.
"""
import asyncio
import base64
import json
import os
import signal
import sys

from messages import exchanges

CHUNK = 1 << 16


class Connection:
    def __init__(self):
        self.sent = bytearray()
        self.answered = bytearray()


async def pump(reader, writer, kept):
    try:
        while chunk := await reader.read(CHUNK):
            kept += chunk
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, TimeoutError):
        # The other side must see the cut as well.
        writer.transport.abort()


async def main(node, record, listen):
    connections = []

    async def serve(client_reader, client_writer):
        connection = Connection()
        connections.append(connection)
        try:
            node_reader, node_writer = await asyncio.open_connection("127.0.0.1", node)
        except ConnectionError:
            client_writer.transport.abort()
            return
        await asyncio.gather(
            pump(client_reader, node_writer, connection.sent),
            pump(node_reader, client_writer, connection.answered))
        for writer in (node_writer, client_writer):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", listen)
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    parent = os.getppid()
    while not stopped.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stopped.wait(), timeout=1)
        except TimeoutError:
            # A look at whether the test that started it still lives.
            continue
    server.close()
    with open(record, "w", encoding="utf-8") as file:
        for connection in connections:
            for exchange in exchanges(bytes(connection.sent), bytes(connection.answered)):
                line = exchange | {"body": base64.b64encode(exchange["body"]).decode()}
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int((sys.argv[3:] or [0])[0])))
