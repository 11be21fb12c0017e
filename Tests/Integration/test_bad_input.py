"""Whatever comes in is answered clearly, and nothing else suffers."""

import socket
import time

import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
TENANTS = """
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  auth: none
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    server = """
    limits: {max_bytes_in_flight: 67108864}
    timeouts: {header: 1s, body: 1s, idle: 5s}
    """
    with Gateway(tmp_path_factory.mktemp("bad"), tenants=TENANTS, server=server) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def still_serves(gateway):
    """After each bad input a good request is still stored and read."""
    yield
    name = f"alive_{time.monotonic_ns()}"
    assert gateway.write("/t/demo/write", [({"__name__": name}, [(1.0, NOW)])]).status_code == 204
    assert len(gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", name))) == 1


FRAMED = b"\xff\x06\x00\x00sNaPpY" + b"\x01\x05\x00\x00\x00\x00\x00\x00a"
GOOD = [({"__name__": "good", "n": "1"}, [(1.0, NOW)])]


@pytest.mark.parametrize(
    ("case", "body", "status", "words"),
    [
        ("empty", b"", 400, "empty"),
        ("framed snappy", FRAMED, 400, "framed"),
        ("not snappy", b"hello world", 400, "snappy"),
        ("4 GiB declared", b"\xff\xff\xff\xff\x0f" + b"\x00" * 8, 413, "max_decoded_bytes"),
        ("more than 4 GiB declared", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00", 400, "snappy"),
        ("not protobuf", protocol.encode(b"\xff\xff\xff"), 400, "protobuf"),
        ("group never closed", protocol.encode(b"\x2b" * 50), 400, "protobuf"),
        ("field number 0", protocol.encode(b"\x00\x01"), 400, "protobuf"),
        ("known field of a wrong type", protocol.encode(b"\x08\x01"), 400, "protobuf"),
    ],
)
@pytest.mark.parametrize("route", ["write", "read"])
def test_bodies_that_cannot_be_read(gateway, case, body, status, words, route):
    send = gateway.write if route == "write" else gateway.read_raw
    answer = send("/t/demo/api/v1/" + route, *([None] if route == "write" else [body]), **({"raw": body} if route == "write" else {}))
    if case == "4 GiB declared" and route == "read":
        assert answer.status_code in (400, 413), answer.text
    else:
        assert answer.status_code == status, (case, answer.text)
        assert words in answer.text, (case, answer.text)
    assert answer.text.count("\n") == 1


def test_a_message_cut_at_any_byte_stores_nothing_or_whole_series(gateway):
    series = [({"__name__": "cut", "n": str(n)}, [(float(n), NOW)]) for n in range(3)]
    message = protocol.write_request(series).SerializeToString()
    statuses = set()
    for length in range(len(message)):
        answer = gateway.write("/t/demo/write", None, raw=protocol.encode(message[:length]))
        statuses.add(answer.status_code)
        assert answer.status_code in (204, 400), answer.text
    assert statuses == {204, 400}
    found = gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "cut"))
    assert len(found) == 2, "only the cuts at a whole series were stored"


def test_unknown_fields_and_groups_are_skipped(gateway):
    message = protocol.write_request([({"__name__": "unknown_fields"}, [(1.0, NOW)])]).SerializeToString()
    extra = b"\x10\x03" + b"\xc2\x0c\x03abc" + b"\x3b\x0a\x01x\x43\x44\x3c" + b"\xa1\x06" + b"\0" * 8 + b"\xa5\x06" + b"\0" * 4
    answer = gateway.write("/t/demo/write", None, raw=protocol.encode(extra + message + extra))
    assert answer.status_code == 204, answer.text
    assert len(gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "unknown_fields"))) == 1


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([("job", "a")], "missing_metric_name"),
        ([], "missing_metric_name"),
        ([("__name__", "bad"), ("", "x")], "empty_label_name"),
        ([("__name__", "bad"), ("a", "1"), ("a", "1")], "duplicate_label_name"),
        ([("__name__", "bad"), ("__name__", "bad2")], "duplicate_label_name"),
        ([("__name__", "bad"), ("a", b"\xff\xfe")], "invalid_utf8"),
        ([("__name__", b"\xc3")], "invalid_utf8"),
        ([("__name__", "bad"), ("l" * 61, "x")], "name_too_long"),
        ([("__name__", "m" * 257)], "name_too_long"),
        ([("__name__", "bad"), ("a", "v" * 2048)], "record_too_large"),
        ([("__name__", "bad")] + [(f"l{n}", "x") for n in range(64)], "too_many_labels"),
    ],
)
def test_a_bad_series_costs_only_itself(gateway, labels, reason):
    name = f"good_beside_{reason}_{len(labels)}_{len(str(labels))}"
    series = [({"__name__": name, "n": "1"}, [(1.0, NOW)]), (labels, [(5.0, NOW)]), ({"__name__": name, "n": "2"}, [(2.0, NOW)])]
    answer = gateway.write("/t/demo/write", series)
    assert answer.status_code == 400
    assert "stored 2 of 3" in answer.text and f"{reason}=1" in answer.text and "timeseries[1]" in answer.text, answer.text
    assert len(gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", name))) == 2
    assert not gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "bad"))


def test_metadata_and_exemplars_are_counted_invalid_histograms_are_told(gateway):
    request = protocol.write_request([({"__name__": "kinds"}, [(1.0, NOW)])])
    request.metadata.add(type=1, metric_family_name="kinds", help="text")
    request.timeseries[0].exemplars.add(value=1.0, timestamp=NOW)
    assert gateway.write("/t/demo/write", request).status_code == 204
    assert gateway.metric("gateway_metadata_received_total", tenant="demo") == 1
    assert gateway.metric("gateway_exemplars_received_total", tenant="demo") == 1
    entry = request.timeseries.add()
    entry.labels.add(name=b"__name__", value=b"native")
    # A count of one and no bucket.
    entry.histograms.add(count_int=1, sum=protocol.bits(1.0), timestamp=NOW)
    answer = gateway.write("/t/demo/write", request)
    assert answer.status_code == 400 and "invalid_histogram=1" in answer.text


def test_metadata_alone_and_an_empty_request_are_fine(gateway):
    request = protocol.WriteRequest()
    assert gateway.write("/t/demo/write", request).status_code == 204
    request.metadata.add(type=1, metric_family_name="x")
    assert gateway.write("/t/demo/write", request).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        # The good body is of version 1.0.
        ({"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, 400),
        ({"Content-Type": "application/x-protobuf; proto=prometheus.WriteRequest"}, 204),
        ({"Content-Type": "application/x-protobuf;proto=nonsense"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "deflate"}, 415),
        ({"Content-Encoding": "Snappy"}, 204),
        ({"Content-Type": None, "Content-Encoding": None}, 204),
    ],
)
def test_media_types(gateway, headers, status):
    answer = gateway.write("/t/demo/write", GOOD, headers=headers)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        ([(protocol.RE, "job", "a(")], "job"),
        ([(protocol.RE, "job", "a**")], "job"),
        ([(protocol.RE, "job", "(?=a)")], "job"),
        ([(protocol.NRE, "job", "\\1")], "job"),
        ([(7, "job", "x")], "matcher"),
    ],
)
def test_bad_matchers_are_named(gateway, matchers, words):
    answer = gateway.read_raw("/t/demo/read", protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "up"), *matchers))
    assert answer.status_code == 400
    assert words in answer.text and "SELECT" not in answer.text, answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/t/demo/api/v1/write", 405), ("PUT", "/t/demo/read", 405), ("POST", "/t/demo/api/v1/query", 404),
        ("POST", "/", 404), ("GET", "/favicon.ico", 404), ("POST", "/t/demo/../demo/write", 404),
        ("POST", "//t/demo/write", 404), ("GET", "/-/healthy", 200), ("GET", "/-/ready", 200), ("POST", "/-/ready", 405),
    ],
)
def test_paths_and_methods(gateway, method, path, status):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
        peer.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        answer = receive(peer)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    if status == 405:
        assert b"\r\nallow: " in answer.lower()


def receive(peer):
    answer = b""
    while True:
        part = peer.recv(65536)
        if not part:
            return answer
        answer += part


def head(*lines):
    fields = ["Host: localhost", "Content-Type: application/x-protobuf", "Content-Encoding: snappy", *lines]
    return ("POST /t/demo/write HTTP/1.1\r\n" + "\r\n".join(fields) + "\r\n\r\n").encode()


BODY = protocol.encode(protocol.write_request([({"__name__": "raw_http"}, [(1.0, NOW)])]))


def exchange(gateway, data, *, shut=False):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=15) as peer:
        peer.sendall(data)
        if shut:
            peer.shutdown(socket.SHUT_WR)
        return receive(peer)


def test_chunked_bodies(gateway):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(BODY[i : i + 7]), BODY[i : i + 7]) for i in range(0, len(BODY), 7))
    answer = exchange(gateway, head("Transfer-Encoding: chunked", "Connection: close") + chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 204 "), answer


def test_http_1_0(gateway):
    request = head(f"Content-Length: {len(BODY)}").replace(b"HTTP/1.1", b"HTTP/1.0") + BODY
    answer = exchange(gateway, request)
    assert answer.split(b" ")[1] == b"204", answer


def test_expect_100_continue(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as peer:
        peer.sendall(head(f"Content-Length: {len(BODY)}", "Expect: 100-continue", "Connection: close"))
        assert peer.recv(1024).startswith(b"HTTP/1.1 100 ")
        peer.sendall(BODY)
        assert receive(peer).startswith(b"HTTP/1.1 204 ")


def test_headers_have_a_bound(gateway):
    answer = exchange(gateway, head(*[f"X-{n}: {'v' * 1000}" for n in range(200)], "Content-Length: 0"))
    assert answer.startswith(b"HTTP/1.1 431 "), answer[:100]


def test_a_large_body_is_refused_by_its_length_before_it_is_sent(gateway):
    answer = exchange(gateway, head(f"Content-Length: {1 << 40}"))
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert b"max_samples_per_send" in answer
