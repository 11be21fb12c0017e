"""Remote read by streamed chunks: the same samples as in SAMPLES, and broken off when it cannot be completed."""

import http.server
import json
import re
import threading
import time

import pytest
import requests

from support import protocol
from support.gateway import Gateway
from support.process import eventually, http_get
from support.prometheus import Prometheus

NOW = 1_760_000_000_000
TENANTS = """
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  auth: none
  limits: {max_samples_per_read: 300000}
"""
READ = "/t/demo/api/v1/read"
STREAM = [protocol.STREAMED_XOR_CHUNKS, protocol.SAMPLES]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("stream"), tenants=TENANTS) as gateway:
        yield gateway


def write(gateway, series):
    answer = gateway.write("/t/demo/api/v1/write", series)
    assert answer.status_code == 204, answer.text


def both(gateway, start, end, *matchers, function=None):
    """The series by SAMPLES, after the check that a stream has the same ones."""
    samples = gateway.read_raw(READ, protocol.read_request(start, end, *matchers, function=function))
    assert samples.status_code == 200, samples.text
    assert samples.headers["Content-Type"] == "application/x-protobuf"
    (expected,) = protocol.decode_read(samples.content)
    stream = gateway.read_raw(READ, protocol.read_request(start, end, *matchers, accept=STREAM, function=function))
    assert stream.status_code == 200, stream.text
    assert stream.headers["Content-Type"] == protocol.STREAM_TYPE
    assert "Content-Encoding" not in stream.headers
    (found,) = protocol.decode_stream(stream.content)
    assert found == expected
    return expected


VALUES = [
    5e-324, 1.7976931348623157e308, -0.0, 0.0, 0.1, 1e21, 1 / 3, float("inf"), float("-inf"), protocol.STALE,
    0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF, 1.0, 1.0, 2.0,
]


def test_every_value_and_interval(gateway):
    times, gap = [NOW], 1
    while len(times) < 400:
        gap = gap * 7 % 1_000_003 + 1
        times.append(times[-1] + gap)
    samples = [(VALUES[index % len(VALUES)], time) for index, time in enumerate(times)]
    write(gateway, [({"__name__": "stream_values", "l": "x"}, samples)])
    found = both(gateway, NOW, times[-1], (protocol.EQ, "__name__", "stream_values"))
    assert list(found.values()) == [[(protocol.bits(value), time) for value, time in samples]]


def test_labels_and_their_order(gateway):
    names = ["Zone", "__replica__", "http.route", "job", "a b", "é", "promx_x", "time"]
    series = [({"__name__": "stream_labels"}, [(1.0, NOW)])]
    for index, name in enumerate(names):
        for value in ("a", "b'c", "é", 'q"'):
            series.append(({"__name__": "stream_labels", name: value}, [(float(index), NOW)]))
    write(gateway, series)
    assert len(both(gateway, NOW, NOW, (protocol.EQ, "__name__", "stream_labels"))) == len(series)
    assert both(gateway, NOW, NOW, (protocol.EQ, "__name__", "stream_nothing")) == {}


def test_a_result_of_several_runs(gateway):
    """More than one statement reads in one piece: 200,000 samples; one series is long, and stale markers join theirs."""
    counts = {f"{path:04}": 20_000 if path == 7 else 550 for path in range(400)}
    for start in range(0, 20_000, 550):
        series = []
        for path, count in counts.items():
            end = min(start + 550, count)
            values = [
                (protocol.STALE if index % 500 == 499 else float(index % 13), NOW + index * 15_000)
                for index in range(start, end)
            ]
            if values:
                labels = {"__name__": "stream_large", "path": path, "instance": f"i{int(path) // 40}"}
                series.append((labels, values))
            if len(series) == 40:
                write(gateway, series)
                series = []
        if series:
            write(gateway, series)
    found = both(gateway, NOW, NOW + 20_000 * 15_000, (protocol.EQ, "__name__", "stream_large"))
    assert {dict(key)[b"path"].decode(): len(samples) for key, samples in found.items()} == counts


def test_limits_are_told_before_the_stream_begins(gateway):
    request = protocol.read_request(0, NOW * 2, (protocol.EQ, "__name__", "stream_limit"), accept=STREAM)
    samples = [(1.0, NOW + t) for t in range(2_000)]
    for part in range(5):
        write(gateway, [({"__name__": "stream_limit", "n": f"{part}-{n}"}, samples) for n in range(32)])
    answer = gateway.read_raw(READ, request)
    assert answer.status_code == 400 and "max_samples_per_read" in answer.text


def test_series_without_their_samples(gateway):
    write(gateway, [({"__name__": "stream_series", "n": str(n)}, [(1.0, NOW), (2.0, NOW + 1)]) for n in range(20)])
    found = both(gateway, 0, NOW * 2, (protocol.EQ, "__name__", "stream_series"), function="series")
    assert len(found) == 20 and not any(found.values())


def test_negotiation(gateway):
    for accept, media_type in [
        ([], "application/x-protobuf"), ([0], "application/x-protobuf"), ([0, 1], "application/x-protobuf"),
        ([9, 1], protocol.STREAM_TYPE), ([1], protocol.STREAM_TYPE),
    ]:
        answer = gateway.read_raw(READ, protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "x"), accept=accept))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type), accept
    answer = gateway.read_raw(READ, protocol.read_request(NOW, NOW, accept=[9]))
    assert answer.status_code == 400


# A store that fails while the answer is under way.


class Store(http.server.BaseHTTPRequestHandler):
    """Answers every query with the same page, and fails for one metric when told."""

    protocol_version = "HTTP/1.1"
    failing = False

    def do_POST(self):  # noqa: N802
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        statement = message.get("QueryString", "")
        if "QueryId" in message:
            status, body = 200, {"CancellationMessage": ""}
        elif Store.failing and "failing" in statement:
            status, body = 403, {"__type": "AccessDeniedException", "Message": "no"}
        else:
            status, body = 200, self.page()
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @staticmethod
    def page():
        names = [
            ("time", "TIMESTAMP"), ("measure_name", "VARCHAR"), ("measure_value::double", "DOUBLE"), ("n", "VARCHAR"),
        ]
        rows = [
            {"Data": [{"ScalarValue": text} for text in ("2025-10-09 08:53:20.000000000", metric, "1.0", "x")]}
            for metric in ("good", "failing")
        ]
        return {
            "QueryId": "Q", "ColumnInfo": [{"Name": name, "Type": {"ScalarType": kind}} for name, kind in names],
            "Rows": rows,
        }

    def log_message(self, *_):
        pass


def test_a_late_failure_breaks_the_answer_off(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    tenants = """
demo:
  database: production
  table: metrics
  credentials: {access_key_id: AKID, secret_access_key: secret}
  auth: none
"""
    with Gateway(
        tmp_path, tenants=tenants,
        timestream=f'backend: aws, region: us-east-1, write_endpoint: "{endpoint}", query_endpoint: "{endpoint}"',
    ) as gateway:
        request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "good"), accept=STREAM)
        second = request.queries.add()
        second.CopyFrom(request.queries[0])
        second.matchers[0].value = b"failing"
        answer = gateway.read_raw(READ, request)
        assert [len(series) for series in protocol.decode_stream(answer.content, queries=2)] == [1, 1]
        Store.failing = True
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            gateway.read_raw(READ, request)
        assert gateway.metric("gateway_reads_broken_off_total", tenant="demo") == 1
        # Nothing of it stays reserved.
        eventually(lambda: gateway.metric("gateway_bytes_in_flight") == 0, what="memory is given back")
    server.shutdown()


# A real Prometheus.


def test_prometheus_reads_by_streams_by_itself(gateway, tmp_path):
    end = int(time.time()) // 15 * 15
    start = end - 1_800
    series = []
    for n in range(50):
        samples = [(float((t - start) * (n + 1)), t * 1_000) for t in range(start, end + 1, 15)]
        series.append(({"__name__": "stream_work_total", "n": f"{n:02}", "zone": "ab"[n % 2]}, samples))
    write(gateway, series)
    config = {"remote_read": [{"url": f"{gateway.url}{READ}", "read_recent": True}]}
    answers = {}
    for version in ("3", "2.42"):
        prometheus = Prometheus(version, tmp_path / version, config)
        with prometheus:
            for query in (
                "stream_work_total", "count(stream_work_total)", "sum by (zone) (stream_work_total)",
                'sum(stream_work_total{zone=~"a|c", n!="00"})', "topk(3, stream_work_total)",
                "max_over_time(stream_work_total[30m])",
            ):
                answer, warnings = prometheus.query(query, end)
                assert not warnings, (query, warnings)
                assert answer, query
                assert answers.setdefault(query, answer) == answer, query
                answer, warnings = prometheus.query_range(query, start, end, 60)
                assert not warnings, (query, warnings)
                assert answers.setdefault((query, "range"), answer) == answer, query
            listed = prometheus._api("series", **{"match[]": "stream_work_total", "start": start, "end": end})
            assert sorted(entry["n"] for entry in listed["data"]) == [f"{n:02}" for n in range(50)]
            _, text = http_get(f"{prometheus.url}/metrics")
            queries = r'^prometheus_remote_read_client_queries_total{.*response_type="(\w+)"'
            types = re.findall(queries, text, re.MULTILINE)
            if version == "3":
                assert set(types) == {"chunked"}
