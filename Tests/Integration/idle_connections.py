"""Measures the resident memory of idle mutual TLS connections.

    python Tests/Integration/idle_connections.py --connections 2000

For each of HTTP/1.1 and HTTP/2 over TLS 1.2 and 1.3 a gateway of its own gets so many connections, each with a certificate
of the client, and each makes one request: a remote write of ten samples. What the process then has more than after the first
hundred of them, divided by the connections since, is what one costs. With `--limit` it fails if that is more.
"""

import argparse
import pathlib
import re
import resource
import socket
import ssl
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support import protocol  # noqa: E402
from support.gateway import WRITE_HEADERS, Gateway  # noqa: E402
from support.pki import Authority  # noqa: E402

# The first connections warm up what all of them share: pools, threads' arenas, code pages.
WARM_UP = 100
NOW = int(time.time() * 1000) - 60_000
BODY = protocol.encode(
    protocol.write_request([({"__name__": "up", "instance": str(number)}, [(1.0, NOW)]) for number in range(10)])
)
CASES = [(version, http) for version in ("1.2", "1.3") for http in ("http/1.1", "h2")]


def read_until(connection, wanted):
    data = b""
    while wanted not in data:
        part = connection.recv(65536)
        assert part, data
        data += part
    return data


def http1(connection):
    """One write over HTTP/1.1, which must be acknowledged."""
    head = "POST /t/idle/api/v1/write HTTP/1.1\r\nHost: localhost\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in WRITE_HEADERS.items()
    )
    connection.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
    answer = read_until(connection, b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204"), answer


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    # Without indexing and without Huffman's code, names and values shorter than 127 bytes: RFC 7541, section 6.2.2.
    name, value = name.lower().encode(), value.encode()
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def http2(connection):
    """One write over HTTP/2, which must be acknowledged."""
    fields = {":method": "POST", ":scheme": "https", ":path": "/t/idle/api/v1/write", ":authority": "localhost"}
    fields |= WRITE_HEADERS | {"content-length": str(len(BODY))}
    block = b"".join(literal(name, value) for name, value in fields.items())
    connection.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(4, 1, 0, b"")
        + frame(1, 4, 1, block) + frame(0, 1, 1, BODY)
    )
    data = b""
    while True:
        while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
            length, kind, stream = int.from_bytes(data[:3], "big"), data[3], int.from_bytes(data[5:9], "big")
            payload, data = data[9:9 + length], data[9 + length:]
            if stream == 1 and kind == 1:
                # Entry 9 of the static table is ":status: 204".
                assert payload[0] == 0x89, payload
                return
            assert kind in (4, 8), (kind, payload)
        part = connection.recv(65536)
        assert part, "closed"
        data += part


def connect(gateway, context, protocol_name):
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", gateway.port)), server_hostname="localhost")
    assert connection.selected_alpn_protocol() == protocol_name
    {"http/1.1": http1, "h2": http2}[protocol_name](connection)
    return connection


def resident(gateway):
    """Bytes of the process' own memory: anonymous pages, which nobody else shares."""
    status = pathlib.Path(f"/proc/{gateway.child.process.pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024


def measure(folder, version, protocol_name, count, settle):
    authority = Authority(folder / "ca", "Idle CA")
    server = authority.issue("server", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
    client = authority.issue("idle", san="URI:spiffe://test/idle")
    tls = (
        f"certificate: {server[0]}, private_key: {server[1]}, client_ca: {authority.certificate}, client_auth: require"
    )
    tenants = (
        "idle: {database: idle, table: prometheus, "
        "auth: {client_certificate: {san_uri: ['spiffe://test/idle']}}, "
        "limits: {write_requests_per_second: 100000, write_request_burst: 100000}}"
    )
    limits = f"limits: {{max_connections: {2 * count + 100}, handshakes_per_second: 100000}}"
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(*map(str, client))
    context.set_alpn_protocols([protocol_name])
    context.minimum_version = context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
    with Gateway(folder / "gateway", tenants=tenants, tls=tls, server=limits) as gateway:
        connections = [connect(gateway, context, protocol_name) for _ in range(WARM_UP)]
        time.sleep(settle)
        before = resident(gateway)
        connections += [connect(gateway, context, protocol_name) for _ in range(count)]
        time.sleep(settle)
        after = resident(gateway)
        assert gateway.metric("gateway_listener_connections", listener="data") == WARM_UP + count
        for connection in connections:
            connection.close()
        time.sleep(settle)
        closed = resident(gateway)
    return before, after, closed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=2000, help="idle connections to measure, beside 100 to warm up")
    parser.add_argument("--settle", type=float, default=2, help="seconds between the last request and the measurement")
    parser.add_argument("--limit", type=int, help="KiB a connection; more than that is a failure")
    options = parser.parse_args()
    files = 2 * options.connections + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The gateway inherits it.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, files), hard), hard))
    print("| TLS | HTTP | KiB a connection | MiB before | MiB with all | MiB after they closed |")
    print("|---|---|---|---|---|---|")
    worst = 0
    for version, protocol_name in CASES:
        with tempfile.TemporaryDirectory() as folder:
            before, after, closed = measure(
                pathlib.Path(folder), version, protocol_name, options.connections, options.settle
            )
        each = (after - before) / options.connections / 1024
        worst = max(worst, each)
        sizes = " | ".join(f"{size / 1048576:.1f}" for size in (before, after, closed))
        print(f"| {version} | {protocol_name} | {each:.1f} | {sizes} |", flush=True)
    if options.limit is not None and worst > options.limit:
        sys.exit(f"a connection costs {worst:.1f} KiB, more than {options.limit}")


if __name__ == "__main__":
    main()
