"""Remote write 2.0: what a sender is told is written, and what it wrote is read back."""

import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
WRITE = "/t/demo/api/v1/write"
READ = "/t/demo/api/v1/read"
TENANTS = """
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  auth: none
drop:
  database: PrometheusDatabase
  table: Other
  auth: none
  mapping: {special_values: drop}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("version2"), tenants=TENANTS) as gateway:
        yield gateway


class Request:
    """A request of remote write 2.0 under construction, with its table of symbols."""

    def __init__(self):
        self.message = protocol.RequestV2(symbols=[b""])
        self.numbers = {b"": 0}

    def symbol(self, text):
        text = protocol.as_bytes(text)
        if text not in self.numbers:
            self.numbers[text] = len(self.message.symbols)
            self.message.symbols.append(text)
        return self.numbers[text]

    def series(self, labels, samples=(), exemplars=0):
        entry = self.message.timeseries.add()
        for name, value in labels.items() if isinstance(labels, dict) else labels:
            entry.labels_refs.extend([self.symbol(name), self.symbol(value)])
        for value, time, *start in samples:
            entry.samples.add(value=protocol.bits(value), timestamp=time, start_timestamp=start[0] if start else 0)
        for _ in range(exemplars):
            entry.exemplars.add(labels_refs=[self.symbol("trace_id"), self.symbol("abc")], value=1, timestamp=NOW)
        return entry


def send(gateway, request, path=WRITE):
    return gateway.write(path, request.message, headers=protocol.VERSION_2)


def written(answer):
    """The three counts, or None if the answer has none of them."""
    names = [f"X-Prometheus-Remote-Write-{kind}-Written" for kind in ("Samples", "Histograms", "Exemplars")]
    found = [answer.headers.get(name) for name in names]
    return None if found == [None] * 3 else tuple(int(count) for count in found)


def test_what_is_written_is_told_and_read_back(gateway):
    request = Request()
    request.series({"__name__": "v2", "job": "a", "instance": "one"}, [(0.1, NOW), (protocol.STALE, NOW + 1)])
    request.series({"__name__": "v2", "job": "a", "instance": "two"}, [(2.0, NOW, NOW - 1000)], exemplars=2)
    answer = send(gateway, request)
    assert (answer.status_code, written(answer)) == (204, (3, 0, 2))
    found = gateway.read(READ, NOW, NOW + 10, (protocol.EQ, "__name__", "v2"))
    assert found == {
        protocol.key({"__name__": "v2", "job": "a", "instance": "one"}):
            [(protocol.bits(0.1), NOW), (protocol.STALE, NOW + 1)],
        protocol.key({"__name__": "v2", "job": "a", "instance": "two"}): [(protocol.bits(2.0), NOW)],
    }
    assert gateway.metric("gateway_start_timestamps_received_total", tenant="demo") >= 1
    assert gateway.metric("gateway_exemplars_received_total", tenant="demo") >= 2


def test_version_1_gets_no_counts(gateway):
    for series in ([({"__name__": "v1"}, [(1.0, NOW)])], [({"no": "name"}, [(1.0, NOW)])]):
        assert written(gateway.write(WRITE, series)) is None


def test_bad_references_cost_only_their_series(gateway):
    request = Request()
    request.series({"__name__": "refs", "i": "good"}, [(1.0, NOW)])
    request.series({"__name__": "refs", "i": "far"}, [(1.0, NOW)]).labels_refs[3] = 4_000_000_000
    del request.series({"__name__": "refs", "i": "odd"}, [(1.0, NOW)]).labels_refs[3]
    request.series({"__name__": "refs", "i": "exemplar"}, [(1.0, NOW)], exemplars=2).exemplars[0].labels_refs[0] = 99
    request.series({"__name__": "refs", "i": "help"}, [(1.0, NOW)]).metadata.help_ref = 77
    answer = send(gateway, request)
    assert (answer.status_code, written(answer)) == (400, (3, 0, 1)), answer.text
    assert "timeseries[1]: label references that are not pairs of symbols" in answer.text
    assert "invalid_reference=2" in answer.text
    found = gateway.read(READ, NOW, NOW, (protocol.EQ, "__name__", "refs"))
    assert {dict(labels)[b"i"] for labels in found} == {b"good", b"exemplar", b"help"}


@pytest.mark.parametrize("labels", [[], {"job": "x"}, {"__name__": "", "job": "x"}, [("__name__", "a"), ("a", "1"), ("a", "2")]])
def test_a_series_that_cannot_be_stored(gateway, labels):
    request = Request()
    request.series({"__name__": "beside"}, [(1.0, NOW)])
    request.series(labels, [(1.0, NOW)])
    answer = send(gateway, request)
    assert (answer.status_code, written(answer)) == (400, (1, 0, 0)), answer.text


def test_names_and_labels_in_any_order_and_any_utf8(gateway):
    request = Request()
    labels = [("zone", "ü"), ("__name__", "a metric.with blanks"), ("app.kubernetes.io/name", "x\ny"), ("B", "1")]
    request.series(labels, [(1.0, NOW)])
    request.series(list(reversed(labels)), [(2.0, NOW + 1)])
    assert send(gateway, request).status_code == 204
    found = gateway.read(READ, NOW, NOW + 1, (protocol.EQ, "__name__", "a metric.with blanks"))
    assert found == {protocol.key(dict(labels)): [(protocol.bits(1.0), NOW), (protocol.bits(2.0), NOW + 1)]}


def test_a_table_after_its_series_and_references_one_by_one(gateway):
    def field(number, kind, payload):
        length = bytes([len(payload)]) if kind == 2 else b""
        return bytes([number << 3 | kind]) + length + payload

    sample = field(1, 1, (1).to_bytes(8, "little")) + field(2, 0, b"\x80\xc0\xd6\xed\x9c\x33")
    # Packed, then a name and its value each alone, then one pair over two packed fields.
    series = field(1, 2, bytes([1, 2])) + field(1, 0, b"\x03") + field(1, 0, b"\x04") + field(1, 2, b"\x05") \
        + field(1, 2, b"\x06") + field(2, 2, sample)
    symbols = [b"", b"__name__", b"unpacked", b"a", b"b", b"c", b"d"]
    body = field(5, 2, series) + field(5, 2, series) + b"".join(field(4, 2, symbol) for symbol in symbols)
    answer = gateway.write(WRITE, None, raw=protocol.encode(body), headers=protocol.VERSION_2)
    assert (answer.status_code, written(answer)) == (204, (2, 0, 0)), answer.text
    found = gateway.read(READ, 0, NOW * 2, (protocol.EQ, "__name__", "unpacked"))
    assert list(found) == [protocol.key({"__name__": "unpacked", "a": "b", "c": "d"})]


def test_what_the_tenant_leaves_out_counts_as_written(gateway):
    request = Request()
    request.series({"__name__": "special"}, [(1.0, NOW), (protocol.STALE, NOW + 1)])
    answer = send(gateway, request, "/t/drop/api/v1/write")
    assert (answer.status_code, written(answer)) == (204, (2, 0, 0))
    assert list(gateway.read("/t/drop/api/v1/read", NOW, NOW + 1, (protocol.EQ, "__name__", "special")).values()) == [
        [(protocol.bits(1.0), NOW)]
    ]


def test_an_unreadable_body_writes_nothing(gateway):
    for raw in (b"", b"not snappy", protocol.encode(b"\xff\xff\xff")):
        answer = gateway.write(WRITE, None, raw=raw, headers=protocol.VERSION_2)
        assert (answer.status_code, written(answer)) == (400, (0, 0, 0)), answer.text


def test_a_body_of_the_other_version_is_not_taken_for_an_empty_one(gateway):
    request = Request()
    request.series({"__name__": "other"}, [(1.0, NOW)])
    as_version_1 = gateway.write(WRITE, request.message)
    as_version_2 = gateway.write(WRITE, [({"__name__": "other"}, [(1.0, NOW)])], headers=protocol.VERSION_2)
    for answer in (as_version_1, as_version_2):
        assert answer.status_code == 400 and "Content-Type" in answer.text, answer.text
    assert written(as_version_1) is None and written(as_version_2) == (0, 0, 0)


def test_every_truncation_of_a_request_is_refused_or_harmless(gateway):
    request = Request()
    request.series({"__name__": "cut", "a": "b"}, [(1.0, NOW)], exemplars=1).metadata.help_ref = 1
    whole = request.message.SerializeToString()
    for length in range(1, len(whole)):
        answer = gateway.write(WRITE, None, raw=protocol.encode(whole[:length]), headers=protocol.VERSION_2)
        assert answer.status_code in (204, 400), (length, answer.text)
    assert gateway.read(READ, NOW, NOW, (protocol.EQ, "__name__", "cut")) == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"},
        {"Content-Type": "application/json"},
        {"Content-Type": "image/png"},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "deflate"},
    ],
)
def test_other_types_and_encodings(gateway, headers):
    request = Request()
    request.series({"__name__": "type"}, [(1.0, NOW)])
    answer = gateway.write(WRITE, request.message, headers=protocol.VERSION_2 | headers)
    assert (answer.status_code, written(answer)) == (415, None)
