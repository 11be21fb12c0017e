"""Peers that mean harm, the honest one beside them, and what a process takes of the machine."""

import contextlib
import os
import socket
import ssl
import statistics
import struct
import threading
import time

import hpack
import pytest
import requests

from support import protocol
from support.gateway import WRITE_HEADERS, Gateway
from support.process import eventually

NOW = 1_760_000_000_000
HONEST_TOKEN = "honest-token"


def tenants(folder):
    """Two tenants: one that proves itself by a token, and one that lets anybody in and is attacked from within."""
    token = folder / "honest.token"
    token.write_text(HONEST_TOKEN)
    token.chmod(0o600)
    unlimited = "write_requests_per_second: unlimited, samples_per_second: unlimited"
    return f"""
honest:
  database: hostile
  table: honest
  auth: {{bearer: [{{token_file: {token}}}]}}
  limits: {{{unlimited}}}
open:
  database: hostile
  table: open
  auth: none
  limits: {{{unlimited}, read_requests_per_second: unlimited}}
"""


# What a process takes


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Memory(threading.Thread):
    """Looks at a process' resident memory while something goes on."""

    def __init__(self, pid, every=0.02):
        super().__init__(daemon=True)
        self.pid, self.every, self.over = pid, every, threading.Event()
        self.peak_kib = resident_kib(pid)

    def run(self):
        while not self.over.wait(self.every):
            self.peak_kib = max(self.peak_kib, resident_kib(self.pid))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Honest(threading.Thread):
    """Writes small batches over a kept connection for as long as others attack; each must be answered 204."""

    def __init__(self, gateway, *, ca, path="/t/honest/api/v1/write", pause=0.02):
        super().__init__(daemon=True)
        self.gateway, self.ca, self.path, self.pause = gateway, ca, path, pause
        self.over, self.first = threading.Event(), threading.Event()
        self.statuses, self.failures, self.seconds = {}, [], []

    def run(self):
        session = requests.Session()
        session.headers.update(WRITE_HEADERS | {"Authorization": f"Bearer {HONEST_TOKEN}"})
        sequence = 0
        while not self.over.is_set():
            series = [({"__name__": "honest", "n": str(n)}, [(float(n), NOW + sequence)]) for n in range(20)]
            body = protocol.encode(protocol.write_request(series))
            start = time.monotonic()
            try:
                answer = session.post(self.gateway.url + self.path, data=body, timeout=30, verify=str(self.ca))
            except requests.RequestException as error:
                self.failures.append(str(error))
            else:
                self.seconds.append(time.monotonic() - start)
                self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
                # 408 is for this thread's own waiting for its turn on the machine: an honest sender repeats.
                if answer.status_code not in (204, 408):
                    self.failures.append(f"{answer.status_code}: {answer.text}")
            self.first.set()
            sequence += 1
            self.over.wait(self.pause)
        session.close()

    def __enter__(self):
        self.start()
        assert self.first.wait(30)
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.join()
        if kind is None:
            assert not self.failures, f"{len(self.failures)} honest requests failed: {self.failures[:3]}"
            assert self.statuses.get(204, 0) > 0

    @property
    def median(self):
        return statistics.median(self.seconds)


# Fixtures of the modules that take them: one gateway with the module's SERVER, and one honest tenant beside all attacks


@pytest.fixture(scope="module")
def gateway(request, tmp_path_factory, pki):
    folder = tmp_path_factory.mktemp("hostile")
    with Gateway(folder, tenants=tenants(folder), tls=pki.tls, server=request.module.SERVER) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def honest(gateway, pki):
    with Honest(gateway, ca=pki.ca) as honest:
        yield honest


def assert_still_answered(honest):
    """No honest request has failed, and the next one is answered."""
    assert not honest.failures, honest.failures[:3]
    answered = len(honest.seconds)
    eventually(lambda: len(honest.seconds) > answered, what="the honest tenant is answered")


# Connections


def connect(gateway, *, alpn=None, timeout=10, receive_buffer=None):
    """A connection to the data listener, TLS if it has it; nothing is verified."""
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(timeout)
    peer.connect(("127.0.0.1", gateway.port))
    if not gateway.tls:
        return peer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    try:
        return context.wrap_socket(peer, server_hostname="localhost")
    except BaseException:
        peer.close()
        raise


def client_hello():
    """The first bytes of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def send(peer, data):
    """Sends what the other side takes; whether it took all."""
    try:
        peer.sendall(data)
    except OSError:
        return False
    return True


def receive(peer):
    """All that comes until the other side ends the connection, in whatever way; fails if it does not."""
    answer = b""
    while True:
        try:
            part = peer.recv(65536)
        except TimeoutError:
            raise AssertionError(f"the connection was not ended after {answer[:200]!r}") from None
        except OSError:
            return answer
        if not part:
            return answer
        answer += part


def reset(peer):
    """Ends a connection by a reset."""
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def head(*lines, path="/t/open/write", method="POST"):
    fields = ["Host: localhost", "Content-Type: application/x-protobuf", "Content-Encoding: snappy", *lines]
    return (f"{method} {path} HTTP/1.1\r\n" + "\r\n".join(fields) + "\r\n\r\n").encode("latin-1")


def counted(gateway, reason):
    """How often the listener has ended something for what a peer did."""
    return gateway.metric("gateway_listener_peer_faults_total", listener="data", reason=reason)


def no_connections(gateway, but=0):
    """Waits until the listener has closed all connections but some."""
    eventually(
        lambda: gateway.metric("gateway_listener_connections", listener="data") <= but, what="the connections are closed"
    )


# HTTP/2

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED = 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 6, 7, 8
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 9, 11
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4


def frame(kind, stream=0, payload=b"", flags=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values):
    numbers = {"max_concurrent_streams": MAX_CONCURRENT_STREAMS, "initial_window_size": INITIAL_WINDOW_SIZE}
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", numbers[name], value) for name, value in values.items()))


def literal(name, value):
    """A header field that goes into no table, of any bytes."""

    def text(data):
        data = data if isinstance(data, bytes) else data.encode()
        length = len(data)
        if length < 127:
            return bytes([length]) + data
        prefix, length = b"\x7f", length - 127
        while length >= 128:
            prefix, length = prefix + bytes([length & 127 | 128]), length >> 7
        return prefix + bytes([length]) + data

    return b"\0" + text(name) + text(value)


def request_fields(path="/t/open/write", **others):
    fields = {
        ":method": "POST", ":scheme": "https", ":authority": "localhost", ":path": path,
        "content-type": "application/x-protobuf", "content-encoding": "snappy",
    }
    return list((fields | others).items())


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


class Http2:
    """An HTTP/2 client that sends whatever frames it likes."""

    def __init__(self, gateway, *, first=None, **options):
        self.peer = connect(gateway, alpn="h2", **options)
        assert self.peer.selected_alpn_protocol() == "h2"
        self.buffer = b""
        self.decoder = hpack.Decoder()
        self.send(PREFACE + (settings() if first is None else first))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()

    def send(self, data):
        return send(self.peer, data)

    def request(self, stream, fields=None, *, ends=True):
        payload = block(request_fields() if fields is None else fields)
        return frame(HEADERS, stream, payload, END_HEADERS | (END_STREAM if ends else 0))

    def frames(self):
        """Kind, flags, stream and payload of what comes, until the connection ends."""
        while True:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                try:
                    part = self.peer.recv(65536)
                except TimeoutError:
                    raise AssertionError("neither an answer nor an end of the connection") from None
                except OSError:
                    return
                if not part:
                    return
                self.buffer += part
            length = int.from_bytes(self.buffer[:3], "big")
            kind, flags = self.buffer[3:5]
            stream = int.from_bytes(self.buffer[5:9], "big")
            payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, flags=ACK))
            yield kind, flags, stream, payload

    def settle(self):
        """Waits until both sides know each other's settings."""
        self.send(frame(PING, payload=b"settled?"))
        known = False
        for kind, flags, _, _ in self.frames():
            known = known or kind == SETTINGS
            if known and kind == PING and flags & ACK:
                break
        self.send(frame(PING, payload=b"settled!"))
        assert any(kind == PING and payload == b"settled!" for kind, _, _, payload in self.frames())

    def outcome(self, stream):
        """What becomes of a stream: its status, or `reset N`, or `connection N` for a GOAWAY, or `closed`."""
        for kind, _, number, payload in self.frames():
            if kind == HEADERS:
                # Every block must be decoded, for the table's sake.
                fields = dict(self.decoder.decode(payload))
                if number == stream:
                    return fields.get(":status", fields.get(b":status"))
            elif kind == RST_STREAM and number == stream:
                return f"reset {int.from_bytes(payload, 'big')}"
            elif kind == GOAWAY:
                return f"connection {int.from_bytes(payload[4:8], 'big')}"
        return "closed"

    def end(self):
        """Waits for the end of the connection; the GOAWAY's code, or None."""
        code = None
        for kind, _, _, payload in self.frames():
            if kind == GOAWAY:
                code = int.from_bytes(payload[4:8], "big")
        return code
