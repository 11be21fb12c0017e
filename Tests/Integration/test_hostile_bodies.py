"""Bodies that are small on the wire and large once unpacked: they are refused or bounded, and store nothing they should not."""

import contextlib
import threading

import pytest

from support import protocol
from support.attacks import BOMBS, DECODED, READS, VERSION_2_BOMBS, snappy
from support.hostile import Memory, assert_still_answered, connect, gateway, head, honest, receive, send  # noqa: F401
from support.process import eventually

IN_FLIGHT = 128 << 20
SERVER = f"""
limits: {{max_bytes_in_flight: {IN_FLIGHT}}}
timeouts: {{handshake: 5s, header: 2s, body: 2s, idle: 10s}}
"""
AT_ONCE = 4


@pytest.fixture(autouse=True)
def nothing_suffers(gateway, honest):
    """What bodies take is bounded by the bytes in flight, and 64 MiB for all else; all of it is given back."""
    with Memory(gateway.child.process.pid) as memory:
        yield
    assert_still_answered(honest)
    assert memory.peak_kib < (IN_FLIGHT >> 10) + (64 << 10), f"{memory.peak_kib >> 10} MiB"
    eventually(lambda: gateway.metric("gateway_bytes_in_flight") < 1 << 20, what="memory is given back")
    assert gateway.metric("gateway_samples_stored_total", tenant="open") == 0


def at_once(send):
    """The answers to several of one request."""
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(send())) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == AT_ONCE
    for answer in answers:
        assert len(answer.text) <= 1024 and answer.text.count("\n") <= 1
    return answers


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(gateway, pki, name):
    body = BOMBS[name]()
    assert len(body) < 8 << 20
    for answer in at_once(lambda: gateway.write("/t/open/write", None, raw=body, verify=pki.ca)):
        # 204: what stores nothing, and is no error either: metadata, exemplars, unknown fields, series without samples.
        assert answer.status_code in (204, 400, 413, 503), answer.text


@pytest.mark.parametrize("name", VERSION_2_BOMBS)
def test_bombs_of_version_2(gateway, pki, name):
    body = snappy(VERSION_2_BOMBS[name]())
    assert len(body) < 8 << 20
    answers = at_once(
        lambda: gateway.write("/t/open/write", None, raw=body, verify=pki.ca, headers=protocol.VERSION_2)
    )
    for answer in answers:
        assert answer.status_code in (204, 400, 413, 503), answer.text


@pytest.mark.parametrize("name", READS)
def test_reads(gateway, pki, name):
    body = snappy(READS[name]())
    for answer in at_once(lambda: gateway.read_raw("/t/open/read", body, verify=pki.ca)):
        assert answer.status_code in (200, 400, 413, 503), answer.text[:300]


def test_lengths_that_are_declared_and_never_sent_hold_memory_only_for_a_while(gateway):
    """Reserving is cheap for a peer; others still get theirs, and the reserve is given back in time."""
    peers = [connect(gateway) for _ in range(20)]
    for peer in peers:
        peer.sendall(head(f"Content-Length: {DECODED}"))
    statuses = [receive(peer)[9:12] for peer in peers]
    for peer in peers:
        peer.close()
    assert set(statuses) <= {b"408", b"503"} and b"503" in statuses, statuses


@pytest.mark.parametrize(
    "piece",
    [b"1;" + b"x" * 65_536, b"0" * 65_536, b"1\r\nx\r\n" * 10_000, b"0\r\n" + b"a: b\r\n" * 10_000, b"\r\n" * 30_000],
    ids=["extensions without end", "zeros before a size", "chunks of a byte", "trailers without end", "empty lines"],
)
def test_chunks_that_never_end(gateway, piece):
    """Whatever stands in it, a body has its time and its bound; and its connection ends with it."""
    peer = connect(gateway, timeout=15)
    send(peer, head("Transfer-Encoding: chunked"))
    with contextlib.suppress(OSError):
        for _ in range(2000):
            peer.sendall(piece)
    answer = receive(peer)
    assert answer == b"" or answer[9:12] in (b"400", b"408", b"413", b"431", b"503"), answer[:200]
    peer.close()


@pytest.mark.parametrize(
    "words",
    [b"x", b"GET /" + b"a" * 65_536, b"GET / HTTP/1.1\r\nX: " + b"a" * 65_536, b"\r\n", b"GET / HTTP/1.1\r\n\n\n", b"\xff\0"],
    ids=["a method without end", "a target without end", "a field without end", "empty lines", "bare line feeds", "noise"],
)
def test_heads_that_never_end(gateway, words):
    peer = connect(gateway, timeout=15)
    send(peer, words)
    with contextlib.suppress(OSError):
        for _ in range(1000):
            peer.sendall(words[-1:] * 65_536)
    answer = receive(peer)
    assert b"HTTP/1.1 2" not in answer, answer[:200]
    peer.close()
