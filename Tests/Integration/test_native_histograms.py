"""Native histograms: field for field by SAMPLES, and the same PromQL answers of a Prometheus that reads them back."""

import base64
import math
import random
import time
import zlib

import boto3
import pytest
import requests

from support import protocol
from support.gateway import Gateway
from support.process import eventually, http_get
from support.prometheus import Prometheus

NOW = 1_760_000_000_000
KEY = ("AKIDHISTOGRAMS", "secret+for/tests")
TENANTS = f"""
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  credentials: {{access_key_id: {KEY[0]}, secret_access_key: "{KEY[1]}"}}
  auth: none
  limits: {{max_samples_per_read: 1000}}
"""
WRITE = "/t/demo/api/v1/write"
READ = "/t/demo/api/v1/read"
bits = protocol.bits


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("histograms"), tenants=TENANTS) as gateway:
        yield gateway


# The protocols.


def integer(**changes):
    """As a client library makes it: exponential buckets, positive, negative and around zero."""
    return {
        "count_int": 21, "sum": bits(18.4), "schema": 1, "zero_threshold": bits(2.938735877055719e-39), "zero_count_int": 2,
        "negative_spans": [{"offset": 0, "length": 1}], "negative_deltas": [4],
        "positive_spans": [{"offset": -3, "length": 2}, {"offset": 5, "length": 3}],
        "positive_deltas": [1, 2, -1, 3, -1], "timestamp": NOW,
    } | changes


HISTOGRAMS = {
    "integer": integer(),
    "hints": integer(reset_hint=1, start_timestamp=NOW - 60_000),
    "gauge": integer(reset_hint=3),
    "empty": {"count_int": 0, "timestamp": NOW},
    "stale": {"count_int": 0, "sum": protocol.STALE, "timestamp": NOW},
    "nan_sum": integer(sum=bits(math.nan), count_int=40),
    "float": {
        "count_float": bits(7.25), "sum": bits(-0.0), "schema": -4, "zero_threshold": bits(0.001),
        "zero_count_float": bits(0.25), "positive_spans": [{"offset": 7, "length": 2}],
        "positive_counts": [bits(3.5), bits(3.5)], "timestamp": NOW,
    },
    "largest_numbers": {
        "count_int": 2**64 - 1, "sum": bits(1.7976931348623157e308), "schema": 8, "zero_count_int": 2**64 - 1,
        "timestamp": NOW,
    },
    "custom": {
        "count_int": 6, "sum": bits(math.inf), "schema": -53, "positive_spans": [{"offset": 0, "length": 3}],
        "positive_deltas": [1, 1, 1], "custom_values": [bits(0.1), bits(2.5)], "timestamp": NOW,
    },
    "huge": {
        "count_float": bits(1e6), "sum": bits(5.0), "positive_spans": [{"offset": 1, "length": 2_000}],
        "positive_counts": [bits(number / 7) for number in range(2_000)], "timestamp": NOW,
    },
}


def write(gateway, version, series):
    """Sends pairs of labels and histograms (dicts of fields) by this version of remote write."""
    if version == 1:
        request = protocol.WriteRequest()
        for labels, histograms in series:
            entry = request.timeseries.add()
            for name, value in labels.items():
                entry.labels.add(name=name.encode(), value=value.encode())
            for fields in histograms:
                entry.histograms.add(**fields)
        return gateway.write(WRITE, request)
    symbols = {"": 0}
    request = protocol.RequestV2()
    for labels, histograms in series:
        entry = request.timeseries.add()
        for text in (text for label in labels.items() for text in label):
            entry.labels_refs.append(symbols.setdefault(text, len(symbols)))
        for fields in histograms:
            entry.histograms.add(**fields)
    request.symbols.extend(text.encode() for text in symbols)
    return gateway.write(WRITE, request, headers=protocol.VERSION_2)


def read(gateway, metric, start=NOW, end=NOW):
    message = protocol.read_request(start, end, (protocol.EQ, "__name__", metric))
    answer = gateway.read_raw(READ, message)
    assert answer.status_code == 200, answer.text
    return protocol.decode_histograms(answer.content)


@pytest.mark.parametrize("version", [1, 2])
def test_every_field_is_read_back(gateway, version):
    metric = f"fields_{version}"
    series = [({"__name__": metric, "case": case}, [fields]) for case, fields in HISTOGRAMS.items()]
    answer = write(gateway, version, series)
    assert answer.status_code == 204, answer.text
    if version == 2:
        assert answer.headers["X-Prometheus-Remote-Write-Histograms-Written"] == str(len(series))
    # Twice: Timestream takes the same records again.
    assert write(gateway, version, series).status_code == 204
    found = read(gateway, metric)
    assert found == {
        protocol.key({"__name__": metric, "case": case}): [protocol.Histogram(**fields)]
        for case, fields in HISTOGRAMS.items()
    }


def test_random_histograms_in_order_of_time(gateway):
    generator = random.Random(5)
    histograms = []
    for index in range(60):
        buckets = [generator.choice([0, 1, 7, 10**6]) for _ in range(generator.choice([1, 20, 160]))]
        deltas = [after - before for before, after in zip([0] + buckets, buckets)]
        histograms.append({
            "count_int": sum(buckets) + 3, "zero_count_int": 3, "sum": bits(generator.random()), "schema": index % 9,
            "positive_spans": [{"offset": generator.randint(-9, 9), "length": len(buckets)}], "positive_deltas": deltas,
            "timestamp": NOW + index * 15_000,
        })
    shuffled = generator.sample(histograms, len(histograms))
    for version, part in ((1, shuffled[:30]), (2, shuffled[30:])):
        assert write(gateway, version, [({"__name__": "random"}, part)]).status_code == 204
    (found,) = read(gateway, "random", end=NOW + 3_600_000).values()
    assert found == [protocol.Histogram(**fields) for fields in histograms]
    message = protocol.read_request(NOW, NOW + 3_600_000, (protocol.EQ, "__name__", "random"), accept=[1])
    chunks = [
        chunk for frame in protocol.frames(gateway.read_raw(READ, message).content)
        for entry in frame.chunked_series for chunk in entry.chunks
    ]
    assert {chunk.type for chunk in chunks} == {2}
    assert sum(int.from_bytes(chunk.data[:2], "big") for chunk in chunks) == 60
    assert all(earlier.max_time_ms < later.min_time_ms for earlier, later in zip(chunks, chunks[1:]))


def test_a_float_wins_over_the_histogram_of_its_time(gateway):
    labels = {"__name__": "both"}
    write(gateway, 1, [(labels, [integer(timestamp=NOW + n) for n in range(4)])])
    assert gateway.write(WRITE, [(labels, [(1.0, NOW + 1), (protocol.STALE, NOW + 2), (1.0, NOW + 9)])]).status_code == 204
    (found,) = read(gateway, "both", end=NOW + 10).values()
    assert [histogram.timestamp - NOW for histogram in found] == [0, 3]
    samples = gateway.read(READ, NOW, NOW + 10, (protocol.EQ, "__name__", "both"))
    assert list(samples.values()) == [[(bits(1.0), NOW + 1), (protocol.STALE, NOW + 2), (bits(1.0), NOW + 9)]]


def test_a_histogram_counts_as_a_sample_of_the_limit(gateway):
    for part in range(2):
        histograms = [integer(timestamp=NOW + part * 501 + n) for n in range(501)]
        assert write(gateway, 1, [({"__name__": "limited"}, histograms)]).status_code == 204
    assert len(read(gateway, "limited", end=NOW + 999)[protocol.key({"__name__": "limited"})]) == 1000
    for accept in ([0], [1]):
        message = protocol.read_request(NOW, NOW + 5_000, (protocol.EQ, "__name__", "limited"), accept=accept)
        answer = gateway.read_raw(READ, message)
        assert answer.status_code == 400 and "max_samples_per_read" in answer.text


# SQL.


def client(gateway, service):
    return boto3.client(
        service, endpoint_url=gateway.engine_url, region_name="us-east-1", aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
    )


def rows(gateway, condition, columns):
    statement = f'SELECT {columns} FROM "PrometheusDatabase"."PrometheusMetricsTable" WHERE {condition}'
    pages = client(gateway, "timestream-query").get_paginator("query").paginate(QueryString=statement)
    return [[cell.get("ScalarValue") for cell in row["Data"]] for page in pages for row in page["Rows"]]


def test_sql_sees_count_sum_and_the_message(gateway):
    written = integer(count_int=7, sum=bits(3.5), zero_count_int=0, negative_spans=[], negative_deltas=[],
                      positive_spans=[{"offset": 0, "length": 1}], positive_deltas=[7])
    huge = HISTOGRAMS["huge"]
    write(gateway, 2, [({"__name__": "sql", "job": "small"}, [written]), ({"__name__": "sql", "job": "huge"}, [huge])])
    found = rows(
        gateway, "measure_name = 'promx_histogram' AND promx_metric = 'sql' ORDER BY job",
        "job, promx_count, promx_sum / promx_count",
    )
    assert [(job, float(count), float(mean)) for job, count, mean in found] == [("huge", 1e6, 5e-6), ("small", 7.0, 0.5)]
    # As docs/native-histograms.md says.
    texts = [text for (text,) in rows(gateway, "promx_metric = 'sql' AND job = 'huge'", "promx_data")]
    assert len(texts) > 5
    texts = sorted(texts, key=lambda text: int(text[1], 17))
    message = b"".join(base64.b85decode(text[7:]) for text in texts)
    assert len(texts) == int(texts[0][0], 17)
    assert zlib.crc32(message) == int.from_bytes(base64.b85decode(texts[0][2:7]), "big")
    parsed = protocol.Histogram()
    parsed.ParseFromString(message)
    assert parsed == protocol.Histogram(**{name: value for name, value in huge.items() if name != "timestamp"})


def test_half_a_histogram_is_not_answered_and_counted(gateway):
    huge = HISTOGRAMS["huge"]
    assert write(gateway, 1, [({"__name__": "whole"}, [huge])]).status_code == 204
    parts = rows(gateway, "promx_metric = 'whole'", "measure_name, promx_data")
    records = [
        {
            "Dimensions": [{"Name": "promx_metric", "Value": "half"}], "MeasureName": name, "MeasureValueType": "MULTI",
            "MeasureValues": [{"Name": "promx_data", "Type": "VARCHAR", "Value": data}], "Time": str(NOW),
        }
        for name, data in parts if name != "promx_histogram_3"
    ]
    foreign = dict(records[0], Time=str(NOW + 1))
    foreign["MeasureValues"] = [{"Name": "promx_data", "Type": "VARCHAR", "Value": "not a part"}]
    client(gateway, "timestream-write").write_records(
        DatabaseName="PrometheusDatabase", TableName="PrometheusMetricsTable", Records=[*records, foreign]
    )
    before = [
        gateway.metric("gateway_histograms_unreadable_total", tenant="demo", reason=reason)
        for reason in ("incomplete", "malformed")
    ]
    assert before == [0, 0]
    assert read(gateway, "half", end=NOW + 1) == {}
    message = protocol.read_request(NOW, NOW + 1, (protocol.EQ, "__name__", "half"), accept=[1])
    assert gateway.read_raw(READ, message).content == b""
    assert gateway.metric("gateway_histograms_unreadable_total", tenant="demo", reason="incomplete") == 2
    assert gateway.metric("gateway_histograms_unreadable_total", tenant="demo", reason="malformed") == 2
    lines = [line for line in gateway.log().splitlines() if "histograms.incomplete=1" in line]
    assert len(lines) == 1, "one line in ten seconds"


# A real Prometheus.

STEP = 15


class Counter:
    """A native histogram that is observed: exponential buckets, or custom ones."""

    def __init__(self, seed, schema=3, bounds=None, scale=1.0):
        self.random = random.Random(seed)
        self.schema, self.bounds, self.scale = schema, bounds, scale
        self.reset()

    def reset(self):
        self.buckets, self.negative, self.zero, self.sum = {}, {}, 0, 0.0

    def observe(self, count):
        for _ in range(count):
            value = self.random.lognormvariate(-2, 1.2) * self.scale
            if self.bounds is None and self.random.random() < 0.1:
                value = -value if self.random.random() < 0.5 else 0.0
            self.sum += value
            if value == 0:
                self.zero += 1
                continue
            if self.bounds is None:
                index = math.ceil(math.log2(abs(value)) * 2**self.schema)
            else:
                index = sum(value > bound for bound in self.bounds)
            side = self.buckets if value > 0 else self.negative
            side[index] = side.get(index, 0) + 1

    @staticmethod
    def _side(buckets):
        spans, counts = [], []
        for index in sorted(buckets):
            if spans and spans[-1]["start"] + spans[-1]["length"] == index:
                spans[-1]["length"] += 1
            else:
                end = spans[-1]["start"] + spans[-1]["length"] if spans else 0
                spans.append({"start": index, "offset": index - end, "length": 1})
            counts.append(buckets[index])
        return [{"offset": span["offset"], "length": span["length"]} for span in spans], counts

    def fields(self, timestamp, *, as_float=False, hint=0):
        positive, counts = self._side(self.buckets)
        negative, negative_counts = self._side(self.negative)
        total = sum(counts) + sum(negative_counts) + self.zero
        fields = {
            "sum": bits(self.sum), "schema": -53 if self.bounds else self.schema, "positive_spans": positive,
            "negative_spans": negative, "reset_hint": hint, "timestamp": timestamp,
        }
        if self.bounds:
            fields["custom_values"] = [bits(bound) for bound in self.bounds]
        else:
            fields["zero_threshold"] = bits(2.938735877055719e-39)
        if as_float:
            fields |= {
                "count_float": bits(total / 2), "zero_count_float": bits(self.zero / 2),
                "positive_counts": [bits(count / 2) for count in counts],
                "negative_counts": [bits(count / 2) for count in negative_counts],
            }
        else:
            fields |= {
                "count_int": total, "zero_count_int": self.zero,
                "positive_deltas": [b - a for a, b in zip([0] + counts, counts)],
                "negative_deltas": [b - a for a, b in zip([0] + negative_counts, negative_counts)],
            }
        return fields


def work(version, start, steps):
    """Series of all kinds, with a sample each 15 seconds; `start` in milliseconds."""
    series = []

    def add(labels, counter, *, reset_at=None, end=steps, **options):
        histograms = []
        for step in range(end):
            if step == reset_at:
                counter.reset()
            counter.observe(counter.random.randint(0, 60))
            histograms.append(counter.fields(start + step * STEP * 1000, **options))
        series.append((labels, histograms))
        return histograms

    for number in range(3):
        labels = {"__name__": "latency_seconds", "instance": f"i{number}", "zone": "ab"[number % 2]}
        add(labels, Counter(number, scale=number + 1.0), reset_at=12 if number == 1 else None)
    add({"__name__": "fractions", "of": "float"}, Counter(7), as_float=True)
    add({"__name__": "queue_age", "kind": "gauge"}, Counter(8), reset_at=9, hint=3)
    # More buckets than a record has room for.
    add({"__name__": "fine_seconds"}, Counter(9, schema=8))
    gone = add({"__name__": "gone"}, Counter(10), end=steps // 2)
    gone.append({"count_int": 0, "sum": protocol.STALE, "timestamp": start + steps // 2 * STEP * 1000})
    if version == 2:
        add({"__name__": "custom_seconds", "le": "none"}, Counter(11, bounds=[0.05, 0.1, 0.25, 1.0]))
    return series


QUERIES = [
    "latency_seconds",
    "histogram_count(latency_seconds)",
    "histogram_sum(latency_seconds)",
    "histogram_avg(latency_seconds)",
    "histogram_quantile(0.9, latency_seconds)",
    "histogram_fraction(0, 0.2, latency_seconds)",
    "rate(latency_seconds[2m])",
    "increase(latency_seconds{instance=\"i1\"}[5m])",
    "histogram_quantile(0.99, sum by (zone) (rate(latency_seconds[1m])))",
    "histogram_quantile(0.5, sum(rate({__name__=~\"latency_.*|fine_seconds\"}[1m])))",
    "histogram_count(rate(fractions[1m]))",
    "fractions",
    "histogram_stddev(fractions)",
    "queue_age",
    "delta(queue_age[2m])",
    "fine_seconds",
    "histogram_quantile(0.999, rate(fine_seconds[2m]))",
    "gone",
    "count_over_time(gone[10m])",
    "custom_seconds",
    "histogram_quantile(0.7, rate(custom_seconds[2m]))",
    "count({__name__=~\".+_seconds|gone\"})",
    "mixed",
    "last_over_time(mixed[5m])",
]
MESSAGES = {1: "prometheus.WriteRequest", 2: "io.prometheus.write.v2.Request"}
RECEIVER = ("--web.enable-remote-write-receiver", "--enable-feature=native-histograms")


@pytest.mark.parametrize("version", [1, 2])
def test_promql_gives_the_same_from_what_was_read_back(tmp_path, version):
    tenants = "demo: {database: histograms, table: prometheus, auth: none}"
    with Gateway(tmp_path / "gateway", tenants=tenants) as gateway:
        queue = {"batch_send_deadline": "100ms"}
        remote_write = {
            "url": f"{gateway.url}{WRITE}", "send_native_histograms": True, "protobuf_message": MESSAGES[version],
            "queue_config": queue,
        }
        source = Prometheus("3", tmp_path / "source", {"remote_write": [remote_write]}, *RECEIVER)
        with source:
            # Only samples from after its start are sent on; it takes what is at most ten minutes ahead.
            start = (int(time.time()) + 2) * 1000
            steps = 34
            end = start // 1000 + (steps - 1) * STEP
            series = work(version, start, steps)
            request = protocol.WriteRequest()
            for labels, histograms in series:
                entry = request.timeseries.add()
                for name, value in sorted(labels.items()):
                    entry.labels.add(name=name.encode(), value=value.encode())
                for fields in histograms:
                    entry.histograms.add(**fields)
            push(source, request)
            # Floats and histograms in turns: a request has a series' floats first, so each time has one of its own.
            counter = Counter(12)
            for step in range(steps):
                request = protocol.WriteRequest()
                entry = request.timeseries.add()
                entry.labels.add(name=b"__name__", value=b"mixed")
                moment = start + step * STEP * 1000
                counter.observe(5)
                if step // 4 % 2:
                    entry.histograms.add(**counter.fields(moment))
                else:
                    entry.samples.add(value=bits(float(step)), timestamp=moment)
                push(source, request)
            expected = sum(len(histograms) for _, histograms in series)
            sent = eventually(
                lambda: (gateway.metric("gateway_samples_stored_total", tenant="demo") or 0) >= expected + steps
                and gateway.metric("gateway_histograms_stored_total", tenant="demo"),
                within=30, what="everything is stored",
            )
            assert sent > expected
            for lost in ("histograms_failed_total", "histograms_dropped_total", "samples_failed_total"):
                assert not source.metric(f"prometheus_remote_storage_{lost}"), lost
            before = answers(source, start // 1000, end)
            # The kinds that are there at all.
            for query in QUERIES:
                is_custom = "custom" in query
                assert bool(before[query, "range"]) == (not is_custom or version == 2), query
            assert any("histogram" in found for found in before["latency_seconds", "instant"])

        reader = {"remote_read": [{"url": f"{gateway.url}{READ}", "read_recent": True}]}
        with Prometheus("3", tmp_path / "reader", reader, *RECEIVER) as prometheus:
            found = answers(prometheus, start // 1000, end)
            for query, answer in before.items():
                # Prometheus adds series up in the order in which it finds them, and rounds as it goes.
                tolerance = 1e-12 if "sum" in query[0] else 0
                assert is_same(found[query], answer, tolerance), (query, found[query], answer)
            _, text = http_get(f"{prometheus.url}/metrics")
            assert 'response_type="chunked"' in text and 'response_type="sampled"' not in text


def push(prometheus, request):
    headers = {
        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    body = protocol.encode(request)
    answer = requests.post(f"{prometheus.url}/api/v1/write", data=body, headers=headers, timeout=30)
    assert answer.status_code == 204, answer.text


def is_same(one, other, tolerance):
    """Whether two JSON values are the same, but for the last digits of numbers."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(is_same(a, b, tolerance) for a, b in zip(one, other))
    if one == other or not isinstance(one, str):
        return one == other
    try:
        return math.isclose(float(one), float(other), rel_tol=tolerance)
    except ValueError:
        return False


def answers(prometheus, start, end):
    found = {}
    for query in QUERIES:
        found[query, "instant"], _ = prometheus.query(query, end - 60)
        found[query, "range"], _ = prometheus.query_range(query, start, end, STEP)
    return found
