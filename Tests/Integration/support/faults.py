"""A double of Timestream that answers wrongly, late or not at all, as a test says, and a proxy in front of it."""

import asyncio
import contextlib
import dataclasses
import json
import socket
import ssl
import struct
import threading

GOOD = {"RecordsIngested": {"Total": 1, "MemoryStore": 1, "MagneticStore": 0}}
NO_ROWS = {"QueryId": "Q", "Rows": [], "ColumnInfo": [{"Name": "measure_name", "Type": {"ScalarType": "VARCHAR"}}]}


@dataclasses.dataclass
class Call:
    """One request as it came."""

    method: str
    path: str
    headers: list  # (name, value), as sent
    body: bytes
    number: int = 0  # of this operation and key, from 1

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def operation(self):
        return (self.header("x-amz-target") or "").partition(".")[2]

    @property
    def key_id(self):
        return (self.header("authorization") or "").partition("Credential=")[2].partition("/")[0]

    @property
    def message(self):
        return json.loads(self.body)


@dataclasses.dataclass
class Answer:
    status: int
    body: object = b""  # bytes, or what becomes JSON
    headers: dict = dataclasses.field(default_factory=dict)
    delay: float = 0
    cut: int | None = None  # bytes of the whole answer that are sent before the connection is closed

    def bytes(self):
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = f"HTTP/1.1 {self.status} Status\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/x-amz-json-1.0\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return head.encode() + b"\r\n" + body


@dataclasses.dataclass
class Raw:
    """These bytes, and the end."""

    data: bytes


CLOSE, RESET = "close", "reset"


def error(status, name, message="the store's own words", **members):
    headers = members.pop("headers", {})
    body = {"__type": f"com.amazonaws.timestream.v20181101#{name}", "Message": message} | members
    return Answer(status, body, headers=headers)


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self):
        async def end():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


class Listener:
    """What server and proxy have in common: a port on loopback, and connections that end with it."""

    def __init__(self, tls=None):
        self._loop = Loop()
        self.connections = 0
        self._server = self._loop.run(
            asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls, backlog=512, limit=1 << 20)
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _connected(self, reader, writer):
        self.connections += 1
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def stop(self):
        self._loop.loop.call_soon_threadsafe(self._server.close)
        self._loop.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class FaultServer(Listener):
    """Speaks HTTP/1.1; `script(call)` says what is answered, and may be a coroutine function."""

    def __init__(self, script, *, tls=None, keep=True):
        self.script = script
        self.keep = keep
        self.calls = []
        self.counts = {}
        super().__init__(tls)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def count(self, key_id, operation="WriteRecords"):
        return self.counts.get((key_id, operation), 0)

    async def serve(self, reader, writer):
        while True:
            try:
                first = await reader.readexactly(1)
                if not first.isalpha():  # a TLS handshake, as a plain server sees it
                    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                    await writer.drain()
                    return
                head = first + await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            lines = head.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
            call = Call(method, path, headers, b"")
            call.body = await reader.readexactly(int(call.header("content-length") or 0))
            name = (call.key_id, call.operation)
            call.number = self.counts[name] = self.counts.get(name, 0) + 1
            if self.keep:
                self.calls.append(call)
            answer = self.script(call)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer == CLOSE:
                return
            if answer == RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            if isinstance(answer, Raw):
                writer.write(answer.data)
                await writer.drain()
                return
            if answer.delay:
                await asyncio.sleep(answer.delay)
            data = answer.bytes()
            if answer.cut is not None:
                writer.write(data[: answer.cut])
                await writer.drain()
                return
            writer.write(data)
            await writer.drain()


class ConnectProxy(Listener):
    """An HTTP proxy that leads every CONNECT to one port on loopback, whatever host is asked for."""

    def __init__(self, port):
        self.target = port
        self.asked = []  # host:port of each CONNECT
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        method, authority, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append(authority)
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def pipe(source, sink):
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pipe(reader, upstream_writer), pipe(upstream_reader, writer))


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
