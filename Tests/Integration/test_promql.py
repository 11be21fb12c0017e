"""PromQL over three hours of back-dated data: who reads from the gateway answers as who has the data."""

import math
import random
import time

import pytest
import requests

from support import protocol
from support.gateway import Gateway
from support.prometheus import Prometheus

TENANTS = """
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  auth: none
  limits: {samples_per_second: unlimited, write_requests_per_second: unlimited}
"""
STEP = 15
END = int(time.time()) // STEP * STEP - 60
START = END - 3 * 3600
STALE = protocol.STALE


def series():
    """Label sets, and for each its samples [(value or bits, milliseconds)], in the order of time."""
    generator = random.Random(5)
    times = range(START, END + 1, STEP)
    result = []

    def add(labels, values):
        result.append((labels, [(value, time * 1000) for time, value in zip(times, values) if value is not None]))

    for instance in ("a:9100", "b:9100", "c:9100"):
        target = {"job": "node", "instance": instance, "zone": "ü" if instance[0] == "b" else "eu-1"}
        for code in ("200", "404", "500"):
            count, counter = 0, []
            for number in range(len(times)):
                count = 0 if number in (200, 555) else count + generator.randint(0, 9)
                counter.append(float(count))
            add({"__name__": "http_requests_total", "code": code} | target, counter)
        walk, gauge = 20.0, []
        for number in range(len(times)):
            walk += generator.uniform(-1, 1)
            special = {100: math.nan, 101: math.inf, 102: -math.inf, 103: -0.0, 300: STALE}.get(number)
            gone = 300 < number < 330 or number == 400
            gauge.append(None if gone else special if special is not None else round(walk, generator.randint(1, 12)))
        add({"__name__": "temperature_celsius"} | target, gauge)
        buckets = [0] * 6
        rows = []
        for _ in times:
            for bucket in range(generator.randint(0, 5), 6):
                buckets[bucket] += 1
            rows.append(list(buckets))
        for bucket, bound in enumerate(("0.1", "0.5", "1", "2.5", "10", "+Inf")):
            add({"__name__": "latency_seconds_bucket", "le": bound} | target, [float(row[bucket]) for row in rows])
        add({"__name__": "job:up:sum", "instance": instance}, [1.0] * len(times))
        # A series that lives for a while only, and one with a sample now and then.
        add({"__name__": "short_lived"} | target, [7.0 if 250 < n < 290 else None for n in range(len(times))])
        add({"__name__": "sparse"} | target, [float(n) if n % 33 == 0 else None for n in range(len(times))])
    return result


def send(url, data):
    """The same requests to either: all series of ten minutes at a time."""
    for start in range(START, END + 1, 600):
        window = range(start * 1000, (start + 600) * 1000)
        part = [(labels, [sample for sample in samples if sample[1] in window]) for labels, samples in data]
        request = protocol.write_request([(labels, samples) for labels, samples in part if samples])
        for entry in request.timeseries:
            entry.labels.sort(key=lambda label: label.name)
        answer = requests.post(
            url, data=protocol.encode(request), timeout=60,
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"},
        )
        assert answer.status_code == 204, answer.text


EXPRESSIONS = [
    "http_requests_total", "temperature_celsius", 'temperature_celsius{zone="ü"}', "job:up:sum", "short_lived",
    "sparse",
    '{__name__=~"job:.+|sparse"}', '{__name__!~"latency.*",instance="a:9100"}', '{job="node",code!=""}',
    '{job="node",code=""}',
    'http_requests_total{code=~"4..|5.."}', 'http_requests_total{code!~"2.*",instance!="a:9100"}', 'nothing{a="b"}',
    'latency_seconds_bucket{le="+Inf"}', "rate(http_requests_total[5m])", "irate(http_requests_total[2m])",
    "increase(http_requests_total[1h])", "resets(http_requests_total[3h])", "changes(temperature_celsius[20m])",
    "delta(temperature_celsius[10m])", "deriv(temperature_celsius[10m])", "idelta(temperature_celsius[1m])",
    "predict_linear(temperature_celsius[30m], 600)", "holt_winters_missing or vector(1)",
    "avg_over_time(temperature_celsius[7m])", "min_over_time(temperature_celsius[1h])",
    "max_over_time(temperature_celsius[1h])", "quantile_over_time(0.9, temperature_celsius[30m])",
    "stddev_over_time(temperature_celsius[15m])", "count_over_time(sparse[1h])", "last_over_time(sparse[10m])",
    "present_over_time(short_lived[30m])", "absent(short_lived)", "absent_over_time(short_lived[5m])",
    "sum by (code) (rate(http_requests_total[5m]))", "avg without (instance) (temperature_celsius)",
    "topk(2, avg_over_time(temperature_celsius[1h] @ end()))", "bottomk(2, sum_over_time(http_requests_total[1h]))",
    "quantile(0.5, temperature_celsius)",
    'count_values("v", job:up:sum)', "group by (zone) (http_requests_total)", "stdvar(http_requests_total)",
    "histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[10m])))",
    "histogram_quantile(0.5, rate(latency_seconds_bucket[5m]))", "temperature_celsius offset 37m",
    f"temperature_celsius @ {START + 3000}", "http_requests_total @ end()", "temperature_celsius offset -10m",
    "max_over_time(rate(http_requests_total[5m])[30m:1m])", "avg_over_time(sum(temperature_celsius)[1h:5m])",
    'label_replace(sparse, "host", "$1", "instance", "(.*):.*")', 'label_join(sparse, "x", "-", "job", "zone")',
    "http_requests_total / on (instance, code) group_left sum by (instance, code) (http_requests_total)",
    "temperature_celsius > 20", "temperature_celsius == bool 20", "http_requests_total unless sparse",
    "timestamp(sparse)", "temperature_celsius and on (instance) sparse", "scalar(count(http_requests_total))",
    "sgn(temperature_celsius)", "clamp(temperature_celsius, 18, 22)", "sort_desc(http_requests_total)",
    "hour(timestamp(sparse))", "count({__name__=~\".+\"}) by (__name__)",
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("promql")
    data = series()
    with Gateway(folder / "gateway", tenants=TENANTS) as gateway:
        send(f"{gateway.url}/t/demo/api/v1/write", data)
        remote = {"remote_read": [{"url": f"{gateway.url}/t/demo/api/v1/read", "read_recent": True}]}
        with Prometheus("3", folder / "own", {}, "--web.enable-remote-write-receiver") as own:
            send(f"{own.url}/api/v1/write", data)
            with Prometheus("3", folder / "reads", remote) as reads:
                yield own, reads


def same(one, other):
    if one == other:
        return True
    left, right = float(one), float(other)
    # Sums are added up in the order in which series come.
    return math.isnan(left) and math.isnan(right) or math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-12)


def compare(expression, own, reads):
    (expected, _), (found, warnings) = own, reads
    assert not warnings, (expression, warnings)
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert [entry["metric"] for entry in found] == [entry["metric"] for entry in expected], expression
        for one, other in zip(expected, found):
            for left, right in zip(one.get("values", [one.get("value")]), other.get("values", [other.get("value")])):
                assert left[0] == right[0] and same(left[1], right[1]), (expression, one["metric"], left, right)
            assert len(one.get("values", [])) == len(other.get("values", [])), expression
    else:
        assert len(expected) == len(found) and all(map(same, map(str, expected), map(str, found))), expression


def test_instant_queries(servers):
    own, reads = servers
    for expression in EXPRESSIONS:
        for moment in (END, START + 4500, START + 4260.123, START + 100 * STEP):
            compare(expression, own.query(expression, moment), reads.query(expression, moment))


def test_range_queries(servers):
    own, reads = servers
    for expression in EXPRESSIONS:
        if not expression.startswith("sort"):
            for start, end, step in ((START, END, 60), (START + 4321, START + 5321, 7)):
                compare(
                    expression, own.query_range(expression, start, end, step),
                    reads.query_range(expression, start, end, step),
                )
