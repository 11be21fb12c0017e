"""Peers that hold connections, send slowly or not at all, and read slowly: they are ended, and nobody else notices."""

import random
import socket
import threading
import time

import pytest

from support import protocol
from support.gateway import READ_HEADERS, Gateway
from support.hostile import (  # noqa: F401
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NOW, PING, RST_STREAM, WINDOW_UPDATE, Honest, Http2,
    Memory, block, client_hello, connect, counted, descriptors, frame, gateway, head, no_connections, receive, request_fields,
    reset, resident_kib, send, settings, tenants,
)
from support.process import eventually

MAX_CONNECTIONS = 120
SERVER = f"""
limits: {{max_bytes_in_flight: 134217728, max_connections: {MAX_CONNECTIONS}, handshakes_per_second: 2000}}
timeouts: {{handshake: 1s, header: 1s, body: 1s, idle: 2s}}
"""
BODY = protocol.encode(protocol.write_request([({"__name__": "slow"}, [(1.0, NOW)])]))


@pytest.fixture(autouse=True)
def beside_an_honest_tenant(gateway, pki):
    """In every test an honest tenant writes all the time, and afterwards nothing of the attack is left."""
    with Honest(gateway, ca=pki.ca) as honest:
        yield
    no_connections(gateway)
    assert gateway.child.is_running()
    # Some of the slowness is the client's, which shares the machine.
    assert honest.median < 5


def drip(peers, data, *, seconds):
    """Sends each peer one byte now and then, for as long as it is listened to."""
    end, position = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for peer in peers:
            send(peer, data[position : position + 1])
        position += 1
        time.sleep(0.1)


def hostile(count, gateway, **options):
    return [connect(gateway, **options) for _ in range(count)]


def test_slow_heads(gateway):
    before = counted(gateway, "headers_timed_out")
    peers = hostile(20, gateway)
    drip(peers, head("Content-Length: 0"), seconds=1.5)
    for peer in peers:
        answer = receive(peer)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer
        peer.close()
    assert counted(gateway, "headers_timed_out") - before == 20


def test_slow_bodies(gateway):
    before = counted(gateway, "body_timed_out")
    peers = []
    for _ in range(20):
        # At once: the time for the head runs from the handshake on.
        peers.append(connect(gateway))
        peers[-1].sendall(head("Content-Length: 1000"))
    drip(peers, b"x" * 1000, seconds=1.5)
    for peer in peers:
        assert receive(peer).startswith(b"HTTP/1.1 408 ")
        peer.close()
    assert counted(gateway, "body_timed_out") - before == 20
    assert gateway.metric("gateway_bytes_in_flight") < 1 << 20


def test_slow_chunks(gateway):
    peer = connect(gateway)
    peer.sendall(head("Transfer-Encoding: chunked"))
    drip([peer], b"1\r\nx\r\n" * 20, seconds=1.5)
    assert receive(peer).startswith(b"HTTP/1.1 408 ")
    peer.close()


def test_slow_bodies_over_http2(gateway):
    before = counted(gateway, "body_timed_out")
    with Http2(gateway) as peer:
        fields = request_fields() + [("content-length", "1000")]
        peer.send(b"".join(peer.request(stream, fields, ends=False) for stream in range(1, 41, 2)))
        for _ in range(15):
            peer.send(b"".join(frame(DATA, stream, b"x") for stream in range(1, 41, 2)))
            time.sleep(0.1)
        assert peer.outcome(39) == "408"
    assert counted(gateway, "body_timed_out") - before == 20


def test_connections_that_say_nothing(gateway):
    """Before the handshake, in the middle of it, and after it."""
    before = gateway.metric("gateway_tls_handshakes_total", listener="data", result="timed_out")
    peers = []
    for first in [b"", b"\x16", client_hello()[:100], client_hello()]:
        for _ in range(5):
            peer = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            peer.sendall(first)
            peers.append(peer)
    peers += hostile(5, gateway)
    peers += hostile(5, gateway, alpn="h2")
    for peer in peers:
        receive(peer)
        peer.close()
    after = gateway.metric("gateway_tls_handshakes_total", listener="data", result="timed_out")
    assert after - before == 20


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "plain_http"),
        (b"\x16\x03\x01\xff\xff" + b"\x00" * 70000, "protocol_error"),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "protocol_error"),
        (b"SSH-2.0-x\r\n" * 100, "protocol_error"),
        (bytes(range(256)) * 10, "protocol_error"),
    ],
    ids=["plain HTTP", "a record too long", "a hello of 16 MiB", "another protocol", "noise"],
)
def test_what_is_no_handshake(gateway, words, result):
    before = gateway.metric("gateway_tls_handshakes_total", listener="data", result=result)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
        send(peer, words)
        answer = receive(peer)
    assert b"HTTP/1.1 2" not in answer
    assert gateway.metric("gateway_tls_handshakes_total", listener="data", result=result) == before + 1


def test_a_flood_of_handshakes_that_nobody_finishes(gateway):
    hello = client_hello()
    start = descriptors(gateway.child.process.pid)
    with Memory(gateway.child.process.pid) as memory:
        for _ in range(1500):
            peer = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
            send(peer, hello)
            reset(peer)
    assert memory.peak_kib < 128 << 10, f"{memory.peak_kib >> 10} MiB"
    no_connections(gateway, but=1)
    eventually(lambda: descriptors(gateway.child.process.pid) <= start + 2, what="its files are closed")


def test_noise_without_end_instead_of_a_handshake(gateway):
    """What is thrown away takes no room."""
    with Memory(gateway.child.process.pid) as memory:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
            for _ in range(2000):
                if not send(peer, b"\xff" * 65_536):
                    break
            receive(peer)
    assert memory.peak_kib < 128 << 10, f"{memory.peak_kib >> 10} MiB"


def connect_from_everywhere(gateway, count):
    """Connections of several addresses: one alone gets no more than three quarters of all."""
    return [
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10, source_address=(f"127.0.0.{2 + n % 4}", 0))
        for n in range(count)
    ]


def test_a_flood_of_connections_is_bounded_and_passes(gateway, pki):
    pid = gateway.child.process.pid
    before = gateway.metric("gateway_listener_connections_refused_total", listener="data", reason="max_connections")
    start = descriptors(pid)
    peers = connect_from_everywhere(gateway, 2 * MAX_CONNECTIONS)
    eventually(
        lambda: gateway.metric("gateway_listener_connections_refused_total", listener="data", reason="max_connections")
        >= before + MAX_CONNECTIONS,
        what="those over the bound are refused",
    )
    assert descriptors(pid) <= start + MAX_CONNECTIONS + 2
    for peer in peers:
        receive(peer)
    # The attackers hold their sockets still; a new honest connection is served.
    token = {"Authorization": "Bearer honest-token"}
    assert gateway.write("/t/honest/write", None, raw=BODY, headers=token, verify=pki.ca).status_code == 204
    for peer in peers:
        peer.close()


def test_open_files_are_left_for_everything_else(tmp_path, pki):
    """The listener takes no more connections than leave room for files and calls to the store, whatever it may have."""
    server = SERVER.replace(str(MAX_CONNECTIONS), "4000")
    with Gateway(tmp_path, tenants=tenants(tmp_path), tls=pki.tls, server=server, open_files=(100, 400)) as few:
        assert "the limit of open files (ulimit -n) allows fewer connections" in few.log()
        pid = few.child.process.pid
        with Honest(few, ca=pki.ca):
            peers = connect_from_everywhere(few, 600)
            eventually(
                lambda: few.metric("gateway_listener_connections_refused_total", listener="data", reason="max_connections"),
                what="those over the bound are refused",
            )
            assert descriptors(pid) < 400 - 32
            # The admin listener and its readers need files of their own.
            assert few.metric("gateway_listener_connections", listener="data") <= 300
            for peer in peers:
                peer.close()


def test_connections_that_were_answered_once_do_not_stay_for_good(gateway):
    peers = hostile(MAX_CONNECTIONS // 2, gateway)
    for peer in peers:
        peer.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    for peer in peers:
        assert receive(peer).startswith(b"HTTP/1.1 200 ")
        peer.close()


def test_pings_do_not_keep_an_idle_connection(gateway):
    with Http2(gateway) as peer:
        end = time.monotonic() + 3
        while time.monotonic() < end and peer.send(frame(PING, payload=b"12345678")):
            time.sleep(0.1)
        assert peer.end() == 0


# Answers that nobody takes

ANSWER_SERIES = 5_000


@pytest.fixture(scope="module")
def read_body(gateway, pki):
    """A read whose answer, of 9 MB that hardly compress, fills every buffer between the gateway and its peer."""
    generator = random.Random(1)
    for begin in range(0, ANSWER_SERIES, 500):
        series = [
            ({"__name__": "large", "text": f"{n} " + generator.randbytes(900).hex()}, [(1.0, NOW)])
            for n in range(begin, begin + 500)
        ]
        assert gateway.write("/t/open/write", series, verify=pki.ca).status_code == 204
    bodies = {}
    for accept in (protocol.SAMPLES, protocol.STREAMED_XOR_CHUNKS):
        request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "large"), accept=[accept])
        bodies[accept] = protocol.encode(request)
    return bodies


def read_head(body):
    fields = "".join(f"{name}: {value}\r\n" for name, value in READ_HEADERS.items())
    return f"POST /t/open/read HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode()


@pytest.mark.parametrize("accept", [protocol.SAMPLES, protocol.STREAMED_XOR_CHUNKS], ids=["samples", "streamed"])
def test_answers_that_nobody_reads(gateway, read_body, accept):
    before = counted(gateway, "answer_timed_out")
    pid = gateway.child.process.pid
    body = read_body[accept]
    with Memory(pid) as memory:
        peers = hostile(4, gateway, receive_buffer=4096)
        for peer in peers:
            peer.sendall(read_head(body) + body)
        eventually(lambda: counted(gateway, "answer_timed_out") - before == 4, what="those who do not read are ended")
    eventually(lambda: gateway.metric("gateway_bytes_in_flight") < 1 << 20, what="the memory of answers is given back")
    assert gateway.metric("gateway_tenant_concurrency", tenant="open", kind="read") == 0
    assert memory.peak_kib < (128 + 64) << 10, f"{memory.peak_kib >> 10} MiB"
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("accept", [protocol.SAMPLES, protocol.STREAMED_XOR_CHUNKS], ids=["samples", "streamed"])
def test_streams_whose_window_stays_closed(gateway, read_body, accept):
    before = counted(gateway, "answer_timed_out")
    fields = request_fields("/t/open/read") + [("x-prometheus-remote-read-version", "0.1.0")]
    with Http2(gateway, first=settings(initial_window_size=0)) as peer:
        for stream in (1, 3, 5, 7):
            peer.send(peer.request(stream, fields, ends=False) + frame(DATA, stream, read_body[accept], END_STREAM))
        # Their windows are opened by a byte now and then, which is no step either.
        resets = 0
        for kind, _, stream, payload in peer.frames():
            if kind == RST_STREAM:
                assert int.from_bytes(payload, "big") == CANCEL
                resets += 1
                if resets == 4:
                    break
            elif kind in (DATA, HEADERS):
                peer.send(frame(WINDOW_UPDATE, stream, b"\0\0\0\1"))
    assert counted(gateway, "answer_timed_out") - before == 4
    eventually(lambda: gateway.metric("gateway_bytes_in_flight") < 1 << 20, what="the memory of answers is given back")


def test_answers_of_pipelined_requests_that_nobody_reads(gateway):
    """No request is taken whose answer would only lie in memory."""
    pid = gateway.child.process.pid
    start = resident_kib(pid)
    peer = connect(gateway, receive_buffer=4096, timeout=1)
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    sent = 0
    while sent < 64 << 20 and send(peer, request):
        sent += len(request)
    assert sent < 64 << 20, "the gateway stops reading"
    assert resident_kib(pid) - start < 32 << 10
    reset(peer)


def test_disconnects_at_any_moment(gateway):
    before = gateway.metric("gateway_samples_stored_total", tenant="open")
    whole = head(f"Content-Length: {len(BODY)}") + BODY
    for length in range(0, len(whole), 9):
        peer = connect(gateway)
        send(peer, whole[:length])
        if length % 2:
            reset(peer)
        else:
            peer.close()
    assert gateway.metric("gateway_samples_stored_total", tenant="open") == before


def test_many_at_once_over_http2_cost_no_more_than_their_windows(gateway):
    """Bodies that begin and never end, on as many streams as are allowed, on several connections."""
    pid = gateway.child.process.pid
    start = resident_kib(pid)
    peers = [Http2(gateway) for _ in range(8)]

    def flood(peer):
        for stream in range(1, 257, 2):
            fields = request_fields() + [(f"x-{n}", "v" * 1000) for n in range(20)]
            first, rest = block(fields)[:16384], block(fields)[16384:]
            peer.send(frame(HEADERS, stream, first) + frame(CONTINUATION, stream, rest, END_HEADERS))
            peer.send(frame(DATA, stream, b"x" * 16384) * 2)

    threads = [threading.Thread(target=flood, args=[peer]) for peer in peers]
    with Memory(pid) as memory:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(0.5)
    print(f"peak {memory.peak_kib - start} KiB over {start}")
    assert memory.peak_kib < (128 + 64) << 10, f"{memory.peak_kib >> 10} MiB"
    for peer in peers:
        peer.peer.close()
