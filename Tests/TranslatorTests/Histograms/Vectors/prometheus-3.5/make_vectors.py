"""Makes chunks.json: what a real Prometheus streams for histograms that were written into it.

    python3 make_vectors.py /path/to/prometheus chunks.json

Starts that Prometheus on an empty folder and a free port of the loopback interface, sends histograms by remote write,
reads them back as STREAMED_XOR_CHUNKS, writes both down and ends it. Needs nothing but Python. Chunks follow from the
histograms alone: times are fixed and numbers come from a seeded generator.
"""

import json
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

T0 = 1_700_000_000_000
STALE = 0x7FF0000000000002
UNKNOWN, RESET, NO_RESET, GAUGE = range(4)


# Protobuf, written.

def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return (value << 1) ^ (value >> 63)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number(key, value):
    return varint(key << 3) + varint(value) if value else b""


def double(key, value):
    bits = value if isinstance(value, int) else struct.unpack("<Q", struct.pack("<d", value))[0]
    return varint(key << 3 | 1) + struct.pack("<Q", bits) if bits else b""


def doubles(values):
    return b"".join(struct.pack("<d", value) for value in values)


def histogram(t, *, positive=(), negative=(), zero=0, threshold=2.0**-128, schema=3, total=0.0, hint=UNKNOWN,
              bounds=(), is_float=False, extra=0):
    """`positive` and `negative`: (index, count) in order, in spans where they are neighbours; `total`: a float or bits."""
    count = sum(c for _, c in positive) + sum(c for _, c in negative) + zero + extra
    out = b""
    if is_float:
        out += varint(2 << 3 | 1) + struct.pack("<d", count)
    else:
        out += varint(1 << 3) + varint(count)
    out += double(3, total) + number(4, zigzag(schema)) + double(5, threshold)
    out += varint(7 << 3 | 1) + struct.pack("<d", zero) if is_float else varint(6 << 3) + varint(zero)
    for buckets, first in ((negative, 8), (positive, 11)):
        spans = []
        following = 0
        for index, _ in buckets:
            if spans and index == following:
                spans[-1][1] += 1
            else:
                spans.append([index - following, 1])
            following = index + 1
        for offset, length in spans:
            out += field(first, number(1, zigzag(offset)) + number(2, length))
        counts = [c for _, c in buckets]
        if counts and is_float:
            out += field(first + 2, doubles(counts))
        elif counts:
            deltas = [c - before for c, before in zip(counts, [0] + counts)]
            out += field(first + 1, b"".join(varint(zigzag(delta)) for delta in deltas))
    out += number(14, hint) + number(15, t)
    if bounds:
        out += field(16, doubles(bounds))
    return t, out


def stale(t, is_float=False, hint=UNKNOWN):
    head = varint(2 << 3 | 1) + bytes(8) if is_float else varint(1 << 3) + b"\0"
    return t, head + double(3, STALE) + number(14, hint) + number(15, t)


# Series.

def growing(seed, count, indices, *, negatives=(), step=15_000, jitter=0, growth=20, is_float=False, **fixed):
    """A counter's histograms: every bucket grows now and then, the layout stays."""
    rng = random.Random(seed)
    amount = (lambda: rng.randrange(4) and rng.random() * growth) if is_float else (lambda: rng.randrange(growth + 1))
    positive = [[index, amount()] for index in indices]
    negative = [[index, amount()] for index in negatives]
    zero = 0 if fixed.get("schema") == -53 else amount()
    total = rng.random() * 100
    t = T0
    result = []
    for _ in range(count):
        result.append(histogram(t, positive=[tuple(b) for b in positive], negative=[tuple(b) for b in negative], zero=zero,
                                total=total, is_float=is_float, **fixed))
        t += step + (rng.randrange(-jitter, jitter + 1) if jitter else 0)
        for bucket in positive + negative:
            bucket[1] += amount()
        if fixed.get("schema") != -53:
            zero += amount()
        total += rng.choice([0, rng.random() * 50, rng.randrange(10)])
    return result


def rows(*makers, is_float=False):
    """Histograms 15 s apart; each maker is keyword arguments for `histogram`, or STALE."""
    out = []
    for place, arguments in enumerate(makers):
        t = T0 + place * 15_000
        if arguments is STALE:
            out.append(stale(t, is_float))
        else:
            out.append(histogram(t, is_float=is_float, **arguments))
    return out


def all_series():
    series = {
        "integer": growing(1, 40, [-3, -2, 0, 1, 2, 7]),
        "integer_both_signs": growing(2, 30, [1, 2, 3], negatives=[-1, 0, 4], jitter=700),
        "integer_large_numbers": growing(3, 9, range(12), growth=1 << 45, jitter=14_000, step=400_000),
        "integer_medium_numbers": growing(4, 20, range(5), growth=3000, jitter=5000),
        "integer_tiny": growing(5, 119, [0], growth=2, step=1000),
        "integer_far_apart": growing(6, 8, [-900, 5, 40_000, 2_000_000]),
        "float": growing(7, 20, [-3, -2, 0, 1, 2, 7], is_float=True),
        "float_both_signs": growing(8, 9, [1, 2, 3, 9], negatives=[0, 1], is_float=True, jitter=900),
        "float_tiny": growing(9, 119, [0], is_float=True, step=1000),
        "custom": growing(10, 30, [0, 1, 2, 5], schema=-53, threshold=0.0,
                          bounds=(0.005, 0.01, 0.25, 1.0, 33554.43, 33554.431, 1e300)),
        "custom_negative_bounds": growing(11, 9, [1], schema=-53, threshold=0.0, bounds=(-5.5, 0.0, 1 / 3, 12345.678)),
        "custom_float": growing(12, 9, [0, 3], schema=-53, threshold=0.0, is_float=True, bounds=(0.1, 0.2, 0.3)),
        "gauge": [histogram(t, positive=[(0, 5), (1, 9 if place % 2 else 3)], total=1.5, hint=GAUGE)
                  for place, t in enumerate(range(T0, T0 + 300_000, 15_000))],
        "gauge_float": [histogram(t, positive=[(0, 5), (1, 9.5 if place % 2 else 3.25)], total=1.5, hint=GAUGE,
                                  is_float=True)
                        for place, t in enumerate(range(T0, T0 + 300_000, 15_000))],
        "empty": rows({}, {}, {}),
    }
    for place, threshold in enumerate((0.0, 0.001, 2.0**-243, 2.0**-244, 2.0**10, 2.0**11, 5e-324, 1.5)):
        series[f"threshold_{place}"] = rows(*[dict(zero=zero, threshold=threshold) for zero in (1, 2, 4)])
    for schema in range(-4, 9):
        series[f"schema_{schema + 4}"] = rows(*[dict(positive=[(0, c)], schema=schema) for c in (1, 2, 4)])
    for kind, is_float in (("", False), ("_float", True)):
        # The last one is in a chunk of its own: of the chunk that is still open Prometheus serves a copy without its head.
        def make(*makers):
            return rows(*makers, dict(positive=[(3, 1)], schema=7), is_float=is_float)

        a, b, c = (dict(positive=[(0, n), (1, n)], total=float(n)) for n in (5, 7, 9))
        series |= {
            f"count_falls{kind}": make(b, c, a, b, c),
            f"bucket_falls{kind}": make(a, dict(positive=[(0, 4), (1, 9)]), c),
            f"zero_bucket_falls{kind}": make(dict(zero=5, **a), dict(zero=3, **c)),
            f"bucket_vanishes{kind}": make(a, dict(positive=[(0, 30)]), dict(positive=[(0, 31)])),
            f"reset_told{kind}": make(a, b, dict(hint=RESET, **c), c, dict(hint=RESET, **c)),
            f"reset_told_first{kind}": make(dict(hint=RESET, **a), b),
            f"no_reset_told{kind}": make(dict(hint=NO_RESET, **a), dict(hint=NO_RESET, **b)),
            f"schema_changes{kind}": make(a, b, dict(schema=2, **b), dict(schema=2, **c)),
            f"threshold_changes{kind}": make(a, dict(threshold=0.5, **b), dict(threshold=0.5, **c)),
            f"stale_between{kind}": make(a, b, STALE, STALE, c, STALE),
            f"stale_first{kind}": make(STALE, STALE, a, b),
            f"stale_gauge{kind}": make(dict(hint=GAUGE, **a), STALE, dict(hint=GAUGE, **b)),
            f"gauge_and_back{kind}": make(a, dict(hint=GAUGE, **a), dict(hint=GAUGE, **b), b, c),
            f"special_sums{kind}": make(
                dict(positive=[(0, 1)], total=float("nan"), extra=3), dict(positive=[(0, 1)], total=float("inf"), extra=3),
                dict(positive=[(0, 2)], total=float("-inf"), extra=3), dict(positive=[(0, 2)], total=-0.0, extra=3),
                dict(positive=[(0, 2)], total=0.0, extra=3)) if is_float else make(
                dict(positive=[(0, 1)], total=float("nan"), extra=3), dict(positive=[(0, 4)], total=float("inf")),
                dict(positive=[(0, 5)], total=float("-inf")), dict(positive=[(0, 5)], total=-0.0),
                dict(positive=[(0, 5)], total=0.0)),
            f"bounds_change{kind}": make(
                dict(positive=[(0, 1)], schema=-53, threshold=0.0, bounds=(1.0, 2.0)),
                dict(positive=[(0, 2)], schema=-53, threshold=0.0, bounds=(1.0, 2.5)),
                dict(positive=[(0, 3)], schema=-53, threshold=0.0, bounds=(1.0, 2.5))),
            # Prometheus puts empty buckets into these, so that they stay one chunk.
            f"layout_grows{kind}": make(a, dict(positive=[(0, 6), (1, 7), (5, 1)]), dict(positive=[(0, 6), (1, 7), (5, 2)])),
            f"layout_shrinks{kind}": make(dict(positive=[(0, 6), (1, 0)]), dict(positive=[(0, 7)]), dict(positive=[(0, 8)])),
        }
    series["kind_changes"] = (
        rows(dict(positive=[(0, 1)]), dict(positive=[(0, 2)]))
        + [histogram(T0 + 40_000 + n, positive=[(0, 3.0 + n)], is_float=True) for n in range(2)]
        + [histogram(T0 + 60_000 + n, positive=[(0, 9 + n)]) for n in range(2)])
    return series


# The exchange.

def label(name, value):
    return field(1, field(1, name.encode()) + field(2, value.encode()))


def snappy(raw):
    """A block of literals only."""
    out = varint(len(raw))
    for start in range(0, len(raw), 65536):
        piece = raw[start:start + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return out


def post(url, body, headers):
    request = urllib.request.Request(url, snappy(body), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{url}: {error.code} {error.read().decode()}")


def read_varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def fields(data):
    position = 0
    while position < len(data):
        key, position = read_varint(data, position)
        if key & 7 == 0:
            value, position = read_varint(data, position)
        elif key & 7 == 2:
            size, position = read_varint(data, position)
            value = data[position:position + size]
            position += size
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def chunks(body):
    """The chunks of each series, by its name, in the order in which they came."""
    result = {}
    position = 0
    while position < len(body):
        size, position = read_varint(body, position)
        frame = body[position + 4:position + 4 + size]
        position += 4 + size
        for key, series in fields(frame):
            if key != 1:
                continue
            name = None
            for part, value in fields(series):
                if part == 1:
                    pair = dict(fields(value))
                    if pair[1] == b"__name__":
                        name = pair[2].decode()
                elif part == 2:
                    chunk = {1: 0, 2: 0, 3: 0, 4: b""} | dict(fields(value))
                    result.setdefault(name, []).append(
                        {"min": chunk[1], "max": chunk[2], "type": chunk[3], "data": chunk[4].hex()})
    return result


def main(binary, output):
    series = all_series()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "prometheus.yml")
        config.write_text("{}\n")
        process = subprocess.Popen([
            binary, f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver", "--enable-feature=native-histograms", "--log.level=error"])
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{url}/-/ready", timeout=1)
                    break
                except OSError:
                    time.sleep(0.1)
            version = json.load(urllib.request.urlopen(f"{url}/api/v1/status/buildinfo", timeout=5))["data"]["version"]
            for name, histograms in series.items():
                # Of one request, Prometheus stores the integer histograms before the float ones.
                pieces = [[one] for one in histograms] if name == "kind_changes" else [histograms]
                for piece in pieces:
                    message = label("__name__", name) + b"".join(field(4, data) for _, data in piece)
                    post(f"{url}/api/v1/write", field(1, message), {
                        "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                        "X-Prometheus-Remote-Write-Version": "0.1.0"})
            matcher = number(1, 2) + field(2, b"__name__") + field(3, b".+")
            query = number(1, T0 - 1) + number(2, T0 + 7_000_000) + field(3, matcher)
            body = post(f"{url}/api/v1/read", field(1, query) + field(2, b"\1"), {
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
                "X-Prometheus-Remote-Read-Version": "0.1.0"})
        finally:
            process.terminate()
            process.wait(60)
    found = chunks(body)
    assert sorted(found) == sorted(series), set(series) ^ set(found)
    vectors = [
        {"name": name, "histograms": [[t, data.hex()] for t, data in series[name]], "chunks": found[name]}
        for name in series
    ]
    with open(output, "w") as file:
        file.write('{"prometheus": "%s", "series": [\n' % version)
        file.write(",\n".join(json.dumps(vector, separators=(",", ":")) for vector in vectors))
        file.write("\n]}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
