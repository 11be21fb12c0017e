"""What is read back equals what was written, bit for bit and byte for byte."""

import random
import struct

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
    with Gateway(tmp_path_factory.mktemp("exact"), tenants=TENANTS) as gateway:
        yield gateway


def round_trip(gateway, series, *matchers):
    answer = gateway.write("/t/demo/api/v1/write", series)
    assert answer.status_code == 204, answer.text
    return gateway.read("/t/demo/api/v1/read", 0, NOW * 2, *matchers)


VALUES = [
    5e-324, 1.7976931348623157e308, -0.0, 0.0, 0.1, 9007199254740993.0, 9007199254740992.0, 1e-7, 9.999999e-8, 1e21,
    1e20, 123456789.123456789, -1.5e-310, 2.2250738585072014e-308, 1 / 3, float("inf"), float("-inf"),
    protocol.STALE, 0x7FF8000000000001, 0x7FF8000000000000, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF,
]


def test_values_keep_every_bit(gateway):
    samples = [(value, NOW + index) for index, value in enumerate(VALUES)]
    found = round_trip(gateway, [({"__name__": "values", "l": "x"}, samples)], (protocol.EQ, "__name__", "values"))
    expected = [(protocol.bits(value), time) for value, time in samples]
    assert found == {protocol.key({"__name__": "values", "l": "x"}): expected}


def test_random_bit_patterns_keep_every_bit(gateway):
    generator = random.Random(7)
    samples = [(generator.getrandbits(64), NOW + index) for index in range(5000)]
    found = round_trip(gateway, [({"__name__": "random_bits"}, samples)], (protocol.EQ, "__name__", "random_bits"))
    assert list(found.values()) == [[(protocol.bits(value), time) for value, time in samples]]


LABEL_VALUES = [
    'quote"', "apostrophe'", "back\\slash", "new\nline", "tab\t", "nul\0nul", "emoji 🦊", "\u00e9", "e\u0301", "%", "_",
    "a%b_c", "'; DROP TABLE x; --", " ", "  leading", "trailing  ", "\u2028", "\ufeff", "\u007f", "NULL", "null", "true",
    "x" * 1500, "\U0010ffff", "{\"Name\":1}", "$1", "]]", "-- comment", "/* c */",
]


def test_label_values_keep_every_byte(gateway):
    series = [
        ({"__name__": "label_values", "value": value}, [(float(index), NOW)])
        for index, value in enumerate(LABEL_VALUES)
    ]
    found = round_trip(gateway, series, (protocol.EQ, "__name__", "label_values"))
    assert found == {protocol.key(labels): [(protocol.bits(v), t) for v, t in samples] for labels, samples in series}
    for index, value in enumerate(LABEL_VALUES):
        one = gateway.read(
            "/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "label_values"), (protocol.EQ, "value", value)
        )
        assert list(one.values()) == [[(protocol.bits(float(index)), NOW)]], value
        rest = gateway.read(
            "/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "label_values"), (protocol.NEQ, "value", value)
        )
        assert len(rest) == len(LABEL_VALUES) - 1, value


NAMES = [
    "time", "measure_name", "measure_value::double", "ts_x", "__replica__", "trailing_", "_leading", "9digit",
    "http.route", "with blank", "emoji🦊", "é", "e\u0301", 'quote"name', "promx_x", "promx_metric", "MixedCase",
    "mixedcase", "select", "a" * 60,
]


def test_label_names_that_timestream_refuses_come_back(gateway):
    labels = {"__name__": "label_names"} | {name: f"v{index}" for index, name in enumerate(NAMES)}
    found = round_trip(gateway, [(labels, [(1.0, NOW)])], (protocol.EQ, "__name__", "label_names"))
    assert found == {protocol.key(labels): [(protocol.bits(1.0), NOW)]}
    for index, name in enumerate(NAMES):
        one = gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "label_names"), (protocol.EQ, name, f"v{index}"))
        assert len(one) == 1, name
        none = gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "label_names"), (protocol.EQ, name, "other"))
        assert not none, name


@pytest.mark.parametrize("name", ["job:rate:5m", "a.b-c", "time", "measure_value", "promx_special", "metric é", "9"])
def test_metric_names_come_back(gateway, name):
    series = [({"__name__": name, "of": "names"}, [(1.0, NOW), (protocol.STALE, NOW + 1)])]
    found = round_trip(gateway, series, (protocol.EQ, "__name__", name), (protocol.EQ, "of", "names"))
    assert found == {protocol.key(series[0][0]): [(protocol.bits(1.0), NOW), (protocol.STALE, NOW + 1)]}


def test_a_series_without_other_labels_and_an_empty_value(gateway):
    series = [({"__name__": "lonely"}, [(1.0, NOW)]), ({"__name__": "lonely2", "empty": ""}, [(float("nan"), NOW)])]
    found = round_trip(gateway, series, (protocol.RE, "__name__", "lonely2?"))
    assert set(found) == {protocol.key({"__name__": "lonely"}), protocol.key({"__name__": "lonely2"})}


MATCHERS = [
    (protocol.EQ, "a", ""), (protocol.EQ, "a", "x"), (protocol.NEQ, "a", "x"), (protocol.NEQ, "a", ""),
    (protocol.RE, "a", "x|"), (protocol.RE, "a", ".*"), (protocol.RE, "a", "x?"), (protocol.RE, "a", ".+"),
    (protocol.NRE, "a", "x"), (protocol.NRE, "a", ".*"), (protocol.NRE, "a", ".+"), (protocol.RE, "a", "x"),
    (protocol.RE, "a", "(?i)X"), (protocol.RE, "a", "x.y"), (protocol.RE, "a", "[xy]+"), (protocol.NRE, "a", "x.*"),
    (protocol.EQ, "never", ""), (protocol.EQ, "never", "x"), (protocol.NEQ, "never", "x"), (protocol.RE, "never", ".*"),
    (protocol.RE, "never", ".+"), (protocol.NRE, "never", "x"), (protocol.RE, "a", "x\\ny"), (protocol.RE, "a", "𝒳|x%|x_"),
]


def test_matchers_follow_prometheus_rules(gateway):
    """Against Python's own regular expressions, on which both agree for these patterns."""
    import re

    values = ["", "x", "y", "X", "xy", "x\ny", "x%", "x_", "xx", "xyx", "z"]
    series = [({"__name__": "truth", "a": value, "n": str(i)}, [(1.0, NOW)]) for i, value in enumerate(values)]
    assert gateway.write("/t/demo/write", series).status_code == 204
    for kind, name, pattern in MATCHERS:
        def matches(value):
            if kind in (protocol.EQ, protocol.NEQ):
                return (value == pattern) == (kind == protocol.EQ)
            found = re.fullmatch(pattern, value, re.DOTALL) is not None
            return found == (kind == protocol.RE)

        expected = {str(i) for i, value in enumerate(values) if matches(value if name == "a" else "")}
        found = gateway.read("/t/demo/read", NOW, NOW, (protocol.EQ, "__name__", "truth"), (kind, name, pattern))
        assert {dict(labels)[b"n"].decode() for labels in found} == expected, (kind, name, pattern)


def test_bounds_are_inclusive_to_the_millisecond(gateway):
    samples = [(float(n), NOW + n) for n in range(10)]
    round_trip(gateway, [({"__name__": "bounds"}, samples)], (protocol.EQ, "__name__", "bounds"))
    for start, end in [(0, 9), (3, 3), (4, 7), (-5, 2), (10, 20), (7, 3)]:
        found = gateway.read("/t/demo/read", NOW + start, NOW + end, (protocol.EQ, "__name__", "bounds"))
        times = [time for series in found.values() for _, time in series]
        assert times == [NOW + n for n in range(10) if start <= n <= end]


def test_several_queries_are_answered_in_order(gateway):
    gateway.write("/t/demo/write", [({"__name__": f"query_{n}"}, [(float(n), NOW)]) for n in range(3)])
    request = protocol.ReadRequest()
    for name in ("query_2", "nothing", "query_0", "query_1"):
        query = request.queries.add(start_timestamp_ms=NOW, end_timestamp_ms=NOW)
        query.matchers.add(type=protocol.EQ, name=b"__name__", value=name.encode())
    results = protocol.decode_read(gateway.read_raw("/t/demo/read", request).content)
    found = [[struct.unpack("<d", struct.pack("<Q", s[0][0]))[0] for s in result.values()] for result in results]
    assert found == [[2.0], [], [0.0], [1.0]]


def test_the_same_request_again_is_accepted(gateway):
    series = [({"__name__": "repeat", "l": str(n)}, [(n / 7, NOW), (protocol.STALE, NOW + 1)]) for n in range(250)]
    for _ in range(3):
        assert gateway.write("/t/demo/write", series).status_code == 204


def test_another_value_for_a_stored_sample_is_told(gateway):
    assert gateway.write("/t/demo/write", [({"__name__": "once"}, [(1.0, NOW)])]).status_code == 204
    answer = gateway.write(
        "/t/demo/write", [({"__name__": "once"}, [(2.0, NOW)]), ({"__name__": "beside"}, [(3.0, NOW)])]
    )
    assert answer.status_code == 400
    assert "stored 1 of 2" in answer.text and "rejected_by_store=1" in answer.text, answer.text
    found = gateway.read("/t/demo/read", NOW, NOW, (protocol.RE, "__name__", "once|beside"))
    assert sorted(samples[0][0] for samples in found.values()) == [protocol.bits(1.0), protocol.bits(3.0)]


def test_colons_of_recording_rules_are_found_escaped_or_not(tmp_path):
    tenants = """
raw: {database: PrometheusDatabase, table: Rules, auth: none, shared_table: true}
escape: {database: PrometheusDatabase, table: Rules, auth: none, shared_table: true, mapping: {colons: escape}}
"""
    with Gateway(tmp_path, tenants=tenants) as gateway:
        for number, tenant in enumerate(("raw", "escape")):
            series = [({"__name__": "job:up:sum", "from": tenant}, [(float(number), NOW)])]
            assert gateway.write(f"/t/{tenant}/write", series).status_code == 204
        for tenant in ("raw", "escape"):
            for matcher in ((protocol.EQ, "job:up:sum"), (protocol.RE, "job:.*"), (protocol.RE, ".+:sum")):
                found = gateway.read(f"/t/{tenant}/read", NOW, NOW, (matcher[0], "__name__", matcher[1]))
                assert [dict(key)[b"from"] for key in found] == [b"escape", b"raw"], (tenant, matcher)
            assert not gateway.read(f"/t/{tenant}/read", NOW, NOW, (protocol.NEQ, "__name__", "job:up:sum"))
