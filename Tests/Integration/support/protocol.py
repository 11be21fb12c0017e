"""Remote write and remote read messages, by the official protobuf and snappy libraries: nothing of the gateway's own."""

import struct

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    # A double whose bits must survive: Python's float would quieten a signalling NaN.
    "bits": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "sint32": descriptor_pb2.FieldDescriptorProto.TYPE_SINT32,
    "sint64": descriptor_pb2.FieldDescriptorProto.TYPE_SINT64,
}

# The same in both versions. The last column: `*` for lists, or the name of a `oneof`.
_HISTOGRAM = {
    "BucketSpan": [("offset", 1, "sint32", ""), ("length", 2, "uint32", "")],
    "Histogram": [
        ("count_int", 1, "uint64", "count"), ("count_float", 2, "bits", "count"), ("sum", 3, "bits", ""),
        ("schema", 4, "sint32", ""), ("zero_threshold", 5, "bits", ""),
        ("zero_count_int", 6, "uint64", "zero_count"), ("zero_count_float", 7, "bits", "zero_count"),
        ("negative_spans", 8, "BucketSpan", "*"), ("negative_deltas", 9, "sint64", "*"),
        ("negative_counts", 10, "bits", "*"),
        ("positive_spans", 11, "BucketSpan", "*"), ("positive_deltas", 12, "sint64", "*"),
        ("positive_counts", 13, "bits", "*"),
        ("reset_hint", 14, "int32", ""), ("timestamp", 15, "int64", ""), ("custom_values", 16, "bits", "*"),
        ("start_timestamp", 17, "int64", ""),
    ],
}

# Labels are bytes here, so that invalid UTF-8 can be sent too.
_MESSAGES = {
    "Label": [("name", 1, "bytes", ""), ("value", 2, "bytes", "")],
    "Sample": [("value", 1, "bits", ""), ("timestamp", 2, "int64", "")],
    "Exemplar": [("labels", 1, "Label", "*"), ("value", 2, "double", ""), ("timestamp", 3, "int64", "")],
    **_HISTOGRAM,
    "TimeSeries": [
        ("labels", 1, "Label", "*"), ("samples", 2, "Sample", "*"), ("exemplars", 3, "Exemplar", "*"),
        ("histograms", 4, "Histogram", "*"),
    ],
    "MetricMetadata": [("type", 1, "int32", ""), ("metric_family_name", 2, "string", ""), ("help", 4, "string", ""),
                       ("unit", 5, "string", "")],
    "WriteRequest": [("timeseries", 1, "TimeSeries", "*"), ("metadata", 3, "MetricMetadata", "*")],
    "LabelMatcher": [("type", 1, "int32", ""), ("name", 2, "bytes", ""), ("value", 3, "bytes", "")],
    "ReadHints": [("func", 2, "string", ""), ("start_ms", 3, "int64", ""), ("end_ms", 4, "int64", "")],
    "Query": [
        ("start_timestamp_ms", 1, "int64", ""), ("end_timestamp_ms", 2, "int64", ""),
        ("matchers", 3, "LabelMatcher", "*"), ("hints", 4, "ReadHints", ""),
    ],
    "ReadRequest": [("queries", 1, "Query", "*"), ("accepted_response_types", 2, "int32", "*")],
    "QueryResult": [("timeseries", 1, "TimeSeries", "*")],
    "ReadResponse": [("results", 1, "QueryResult", "*")],
    "Chunk": [
        ("min_time_ms", 1, "int64", ""), ("max_time_ms", 2, "int64", ""), ("type", 3, "int32", ""), ("data", 4, "bytes", ""),
    ],
    "ChunkedSeries": [("labels", 1, "Label", "*"), ("chunks", 2, "Chunk", "*")],
    "ChunkedReadResponse": [("chunked_series", 1, "ChunkedSeries", "*"), ("query_index", 2, "int64", "")],
}

# Remote write 2.0. The `unpacked` list is the same field in its other encoding, which a receiver must take too.
_MESSAGES_2 = {
    "Sample": [("value", 1, "bits", ""), ("timestamp", 2, "int64", ""), ("start_timestamp", 3, "int64", "")],
    "Exemplar": [("labels_refs", 1, "uint32", "*"), ("value", 2, "double", ""), ("timestamp", 3, "int64", "")],
    "Metadata": [("type", 1, "int32", ""), ("help_ref", 3, "uint32", ""), ("unit_ref", 4, "uint32", "")],
    **_HISTOGRAM,
    "TimeSeries": [
        ("labels_refs", 1, "uint32", "*"), ("samples", 2, "Sample", "*"), ("histograms", 3, "Histogram", "*"),
        ("exemplars", 4, "Exemplar", "*"), ("metadata", 5, "Metadata", ""), ("created_timestamp", 6, "int64", ""),
    ],
    "Request": [("symbols", 4, "bytes", "*"), ("timeseries", 5, "TimeSeries", "*")],
}


def _messages(package, messages):
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind, rule in fields:
            field = message.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if rule == "*" else field.LABEL_OPTIONAL
            if rule not in ("", "*"):
                choices = [choice.name for choice in message.oneof_decl]
                if rule not in choices:
                    message.oneof_decl.add(name=rule)
                    choices.append(rule)
                field.oneof_index = choices.index(rule)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type = field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages
    }


_classes = _messages("prometheus", _MESSAGES)
RequestV2 = _messages("io.prometheus.write.v2", _MESSAGES_2)["Request"]
WriteRequest = _classes["WriteRequest"]
Histogram = _classes["Histogram"]
ReadRequest = _classes["ReadRequest"]
ReadResponse = _classes["ReadResponse"]
ChunkedReadResponse = _classes["ChunkedReadResponse"]

# How a sender says that a body is of remote write 2.0.
VERSION_2 = {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "X-Prometheus-Remote-Write-Version": "2.0.0",
}

EQ, NEQ, RE, NRE = range(4)
STALE = 0x7FF0000000000002


def bits(value):
    """The bit pattern of a float; an int is taken as a bit pattern already."""
    return value if isinstance(value, int) else struct.unpack("<Q", struct.pack("<d", value))[0]


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def write_request(series):
    """`series`: pairs of labels (a dict or a list of pairs) and samples [(value, milliseconds)]."""
    request = WriteRequest()
    for labels, samples in series:
        entry = request.timeseries.add()
        for name, value in labels.items() if isinstance(labels, dict) else labels:
            entry.labels.add(name=as_bytes(name), value=as_bytes(value))
        for value, milliseconds in samples:
            entry.samples.add(value=bits(value), timestamp=milliseconds)
    return request


SAMPLES, STREAMED_XOR_CHUNKS = range(2)
STREAM_TYPE = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


def read_request(start, end, *matchers, accept=(), function=None):
    """`matchers`: triples of type, name and value; one query."""
    request = ReadRequest(accepted_response_types=accept)
    query = request.queries.add(start_timestamp_ms=start, end_timestamp_ms=end)
    for kind, name, value in matchers:
        query.matchers.add(type=kind, name=as_bytes(name), value=as_bytes(value))
    if function:
        query.hints.func = function
    return request


def encode(message):
    raw = message if isinstance(message, bytes) else message.SerializeToString()
    return bytes(cramjam.snappy.compress_raw(raw))


def decode_read(body):
    """For each query, a dict from the label set (a sorted tuple of pairs) to its samples [(bits, milliseconds)]."""
    response = ReadResponse()
    response.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    results = []
    for result in response.results:
        series = {}
        for entry in result.timeseries:
            key = tuple((label.name, label.value) for label in entry.labels)
            assert key == tuple(sorted(key)), f"labels are not sorted: {key}"
            assert key not in series, f"the same series twice: {key}"
            series[key] = [(sample.value, sample.timestamp) for sample in entry.samples]
        assert list(series) == sorted(series), "series are not sorted"
        results.append(series)
    return results


def decode_histograms(body):
    """Of the one query's answer, a dict from the label set to its `Histogram` messages."""
    response = ReadResponse()
    response.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
    (result,) = response.results
    return {
        tuple((label.name, label.value) for label in entry.labels): list(entry.histograms)
        for entry in result.timeseries
    }


def _crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    state = 0xFFFFFFFF
    for byte in data:
        state = _CRC32C[(state ^ byte) & 0xFF] ^ state >> 8
    return state ^ 0xFFFFFFFF


class _Bits:
    """The bits of an XOR chunk, the most significant one of each byte first."""

    def __init__(self, data):
        self.number, self.left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, count):
        assert count <= self.left, "the chunk is cut off"
        self.left -= count
        return self.number >> self.left & (1 << count) - 1

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(8)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7


def decode_chunk(data):
    """The samples [(bits, milliseconds)] of an XOR chunk, by Prometheus' description of the format."""
    stream = _Bits(data)
    samples, delta, leading, significant = [], 0, 0, 0
    for number in range(stream.take(16)):
        if number == 0:
            zigzag = stream.varint()
            samples.append((stream.take(64), zigzag >> 1 ^ -(zigzag & 1)))
            continue
        value, time = samples[-1]
        if number == 1:
            delta = stream.varint()
        else:
            change = 0
            for size in (0, 14, 17, 20, 64):
                if size == 64 or not stream.take(1):
                    change = stream.take(size)
                    if size and change > 1 << size - 1:
                        change -= 1 << size
                    break
            delta += change
        if stream.take(1):
            if stream.take(1):
                leading, significant = stream.take(5), stream.take(6) or 64
            value ^= stream.take(significant) << 64 - leading - significant
        samples.append((value, time + delta))
    assert stream.left < 8 and not stream.take(stream.left), "more than the chunk"
    return samples


def frames(body):
    """The messages of a streamed answer; fails if it does not end with a frame."""
    position = 0
    while position < len(body):
        length, shift = 0, 0
        while True:
            byte = body[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        checksum = int.from_bytes(body[position : position + 4], "big")
        data = body[position + 4 : position + 4 + length]
        assert length > 0 and len(data) == length, "a frame is cut off"
        assert crc32c(data) == checksum, "a wrong checksum"
        position += 4 + length
        message = ChunkedReadResponse()
        message.ParseFromString(data)
        yield message


def decode_stream(body, queries=1):
    """As `decode_read`, of frames: one series each, as Prometheus' client takes them."""
    results = [{} for _ in range(queries)]
    for message in frames(body):
        (entry,) = message.chunked_series
        key = tuple((label.name, label.value) for label in entry.labels)
        assert key == tuple(sorted(key)), f"labels are not sorted: {key}"
        series = results[message.query_index]
        assert key not in series, f"the same series twice: {key}"
        series[key] = []
        for chunk in entry.chunks:
            samples = decode_chunk(chunk.data)
            assert chunk.type == 1 and len(samples) <= 120
            assert (samples[0][1], samples[-1][1]) == (chunk.min_time_ms, chunk.max_time_ms)
            series[key] += samples
    for series in results:
        assert list(series) == sorted(series), "series are not sorted"
    return results


def key(labels):
    return tuple(sorted((as_bytes(name), as_bytes(value)) for name, value in labels.items()))
