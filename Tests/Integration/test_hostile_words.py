"""What peers write into heads, paths and labels: no second request, no other tenant, no forged log line, no metric of theirs."""

import json
import re
import threading

import pytest

from support import protocol
from support.gateway import Gateway
from support.hostile import (
    END_STREAM, DATA, NOW, Honest, Http2, connect, frame, head, receive, request_fields, send, tenants,
)
from support.process import http_get

SERVER = """
limits: {max_bytes_in_flight: 67108864}
timeouts: {handshake: 5s, header: 2s, body: 2s, idle: 4s}
"""
BODY = protocol.encode(protocol.write_request([({"__name__": "smuggled"}, [(1.0, NOW)])]))
FORGED = "level=error ts=2026-01-01T00:00:00.000Z caller=gateway message=forged"


@pytest.fixture(scope="module", params=["logfmt", "json"])
def gateway(request, tmp_path_factory, pki):
    folder = tmp_path_factory.mktemp("words")
    with Gateway(
        folder, tenants=tenants(folder), tls=pki.tls, server=SERVER, log_level="trace", log_format=request.param
    ) as gateway:
        yield gateway


@pytest.fixture(scope="module", autouse=True)
def honest(gateway, pki):
    """Beside all of this an honest tenant writes; at the end the whole log is read."""
    with Honest(gateway, ca=pki.ca) as honest:
        yield
    lines = gateway.log().split("\n")
    assert lines.pop() == "" and len(lines) > 100
    for line in lines:
        check_line(line, gateway.log_format)
    assert len(honest.seconds) > 10


# A value is plain or a JSON text.
LOGFMT = re.compile(r'[a-z_.]+=(?:[!#-<>-\[\]-~]+|"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\.)*")(?: |$)')


def check_line(line, form):
    """A line has our fields first and each field once, and nothing that a terminal acts on."""
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", line), line
    if form == "json":
        pairs = json.loads(line, object_pairs_hook=list)
        names = [name for name, _ in pairs]
        values = dict(pairs)
    else:
        position, names, values = 0, [], {}
        while position < len(line):
            match = LOGFMT.match(line, position)
            assert match, f"{position} of {line}"
            name, _, value = match.group().strip().partition("=")
            names.append(name)
            values[name] = value
            position = match.end()
    assert names[:4] == ["level", "ts", "caller", "message"], line
    assert len(names) == len(set(names)), line
    assert values["message"] != "forged", line


def exchange(gateway, data):
    peer = connect(gateway)
    send(peer, data)
    answer = receive(peer)
    peer.close()
    return answer


def statuses(answer):
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d+)", answer, re.MULTILINE)]


# One request is one request

HIDDEN = head(f"Content-Length: {len(BODY)}") + BODY
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


AMBIGUOUS = [
    head("Content-Length: 5", "Content-Length: 6") + b"12345",
    head("Content-Length: 5", "Content-Length: 5") + b"12345",
    head("Content-Length: 5, 5") + b"12345",
    head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n",
    head("Content-Length: -1"),
    head("Content-Length: 5x") + b"12345",
    head("Content-Length: +5") + b"12345",
    head("Content-Length: 0x5") + b"12345",
    head("Content-Length: 5 5") + b"12345",
    head("Content-Length:") + b"12345",
    head("Content-Length: 18446744073709551621") + b"12345",
    head("Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    head("Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
    head("Transfer-Encoding: identity, chunked") + b"0\r\n\r\n",
    head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    head("Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n",
    head("Transfer-Encoding : chunked") + b"0\r\n\r\n",
    head("Transfer-Encoding:\n chunked") + b"0\r\n\r\n",
    head("Transfer\x00-Encoding: chunked") + b"0\r\n\r\n",
    head("Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"-1\r\n",
    head("Transfer-Encoding: chunked") + b"0x1\r\na\r\n0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"1 \r\na\r\n0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"fffffffffffffffff\r\na\r\n0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"1\na\n0\n\n",
    head("Transfer-Encoding: chunked") + b"1\r\naa\r\n0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"1;a\n\r\nb\r\n0\r\n\r\n",
    head("Transfer-Encoding: chunked") + b"0\r\nContent Length : 5\r\n\r\n",
    head("Content-Length: 0").replace(b"\r\n", b"\n"),
    head("Content-Length: 0").replace(b"\r\n", b"\r"),
    head("A: b\r\n folded: c", "Content-Length: 0"),
    head("A: b\r\n\tfolded: c", "Content-Length: 0"),
    head("Bad Header : x", "Content-Length: 0"),
    head(" Leading: x", "Content-Length: 0"),
    head(": x", "Content-Length: 0"),
    head("no colon", "Content-Length: 0"),
    head("X: a\x00b", "Content-Length: 0"),
    head("X: a\rb", "Content-Length: 0"),
    head("X\xe9: b", "Content-Length: 0"),
    head("Host: elsewhere", "Content-Length: 0"),
    head("Content-Length: 0").replace(b"Host: localhost\r\n", b""),
    head("Content-Length: 0").replace(b"Host: localhost", b"Host: user@localhost"),
    head("Content-Length: 0").replace(b"HTTP/1.1", b"HTTP/1.2"),
    head("Content-Length: 0").replace(b"HTTP/1.1", b"HTTP/2.0"),
    head("Content-Length: 0").replace(b"HTTP/1.1", b"http/1.1"),
    head("Content-Length: 0").replace(b"POST ", b"POST\t"),
    head("Content-Length: 0").replace(b" HTTP/1.1", b""),
    head("Content-Length: 0").replace(b" HTTP/1.1", b" x HTTP/1.1"),
    head("Content-Length: 0", method="P\x00ST"),
    head("Content-Length: 0", path="/t/open/write\x0b"),
    head("Content-Length: 0", path="ftp://localhost/t/open/write"),
    head("Content-Length: 0", path="t/open/write"),
    head("Content-Length: 0", path="/t/open/write#x"),
    head("Content-Length: 0", method="CONNECT", path="localhost:443"),
    b"\0" + head("Content-Length: 0"),
]


@pytest.mark.parametrize("request_bytes", AMBIGUOUS, ids=range(len(AMBIGUOUS)))
def test_ambiguous_requests_hide_no_other(gateway, request_bytes):
    """The connection ends with the refusal, so that whatever follows is no request, whoever counts the bytes."""
    stored = gateway.metric("gateway_samples_stored_total", tenant="open")
    answer = exchange(gateway, request_bytes + HIDDEN)
    found = statuses(answer)
    assert len(found) <= 1 and all(400 <= status <= 501 and status != 408 for status in found), answer[:300]
    assert gateway.metric("gateway_samples_stored_total", tenant="open") == stored


UNUSUAL = [
    (head("Transfer-Encoding: chunked") + b"%x;ext=\"a;b\"\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY), 204),
    (head("Transfer-Encoding: CHUNKED") + CHUNKED, 204),
    (head("Transfer-Encoding: chunked") + CHUNKED[:-2] + b"X-Scope-OrgID: honest\r\n\r\n", 204),
    (head(f"Content-Length: 00{len(BODY)}") + BODY, 204),
    (head(f"Content-Length: {len(BODY)}", path="https://localhost/t/open/write") + BODY, 204),
    (head(f"Content-Length: {len(BODY)}", path="https://elsewhere/t/open/write") + BODY, 204),
    (b"\r\n" + head(f"Content-Length: {len(BODY)}") + BODY, 204),
    (head(f"Content-Length: {len(BODY)}", path="/t/open/write?tenant=honest&x=/t/honest/write") + BODY, 204),
    (head(f"Content-Length: {len(BODY)}", "X-HTTP-Method-Override: GET", "X-Original-URL: /t/honest/write") + BODY, 204),
    (head(f"Content-Length: {len(BODY)}", "X-Scope-OrgID: honest") + BODY, 403),
    (head(f"Content-Length: {len(BODY)}", "X-Scope-OrgID: open", "X-Scope-OrgID: open") + BODY, 400),
    (head(f"Content-Length: {len(BODY)}", "X-Scope-OrgID: open, honest") + BODY, 400),
    (head(f"Content-Length: {len(BODY)}", "X-Scope-OrgID: open|honest") + BODY, 400),
    (head(f"Content-Length: {len(BODY)}", "X-Scope-OrgID:") + BODY, 400),
    (head(f"Content-Length: {len(BODY)}", "X_Scope_OrgID: honest") + BODY, 204),
]


@pytest.mark.parametrize(("request_bytes", "status"), UNUSUAL, ids=range(len(UNUSUAL)))
def test_what_is_unusual_and_clear_is_served_as_what_it_is(gateway, request_bytes, status):
    answer = exchange(gateway, request_bytes + b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert statuses(answer)[0] == status, answer[:300]
    assert statuses(answer)[1:] in ([200], []), answer[:600]


def test_a_request_in_an_unread_body_is_none(gateway):
    """A refusal comes before the body is read, which must not be taken for the next request then."""
    hidden = HIDDEN.replace(b"/t/open/", b"/t/open/api/v1/")
    for path in ("/t/nobody/write", "/nowhere"):
        stored = gateway.metric("gateway_samples_stored_total", tenant="open")
        answer = exchange(gateway, head(f"Content-Length: {len(hidden)}", "Connection: close", path=path) + hidden)
        assert len(statuses(answer)) == 1 and b" 204 " not in answer, answer
        assert gateway.metric("gateway_samples_stored_total", tenant="open") == stored


# Paths that could mean somebody else


PATHS = [
    "/t/%2e%2e/write", "/t/../t/open/write", "/t/open/../open/write", "/t/open%2fwrite", "/t/open%2f..%2fopen/write",
    "/t/%252e%252e/write", "/t/%256fpen/write", "//t/open/write", "/t//open/write", "/t/open//write", "/t/open/write/",
    "/t/open/./write", "/t/open;x/write", "/t/open/write;x", "/t/%c0%ae%c0%ae/write", "/t/op%c3%a9n/write",
    "/t/%00open/write", "/t/open%00/write", "/t/open%0d%0aX-Scope-OrgID:%20honest/write", "/t/open%20/write",
    "/t/open%/write", "/t/open%4/write", "/t/open%zz/write", "/t/%uff0fopen/write", "/T/open/write", "/t/OPEN/write",
    "/%74/open/write", "/t/open/%77rite", "/t/open/write%3fx", "/t/open\\write", "/t/./write", "/t/" + "a" * 65 + "/write",
    "/t/" + "%61" * 5_000 + "/write", "/t/open/t/honest/write", "/t/open/-/healthy", "/t/open", "/t/", "/t",
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
@pytest.mark.parametrize("version", [1, 2])
def test_paths_name_nobody_else(gateway, path, version):
    for tenant in ("open", "honest"):
        target = path.replace("open", tenant)
        stored = gateway.metric("gateway_samples_stored_total", tenant="open")
        if version == 1:
            answer = exchange(gateway, head(f"Content-Length: {len(BODY)}", "Connection: close", path=target) + BODY)
            (status,) = statuses(answer)
            assert b"\r\nx:" not in answer.lower() and len(answer) < 2048
        else:
            with Http2(gateway) as peer:
                peer.send(peer.request(1, request_fields(target), ends=False) + frame(DATA, 1, BODY, END_STREAM))
                status = int(peer.outcome(1))
        assert status in (400, 401, 404, 405, 431), status
        assert gateway.metric("gateway_samples_stored_total", tenant="open") == stored


def test_one_escape_is_undone_once(gateway):
    """The same id in another spelling is the same tenant, which is asked for its proof as ever."""
    for path, status in [("/t/%6fpen/write", 204), ("/t/%68onest/write", 401)]:
        answer = exchange(gateway, head(f"Content-Length: {len(BODY)}", "Connection: close", path=path) + BODY)
        assert statuses(answer) == [status], answer


# Words of peers in logs and metrics

WORDS = [
    f"x\n{FORGED}", f"x\r\n{FORGED}", f'x" {FORGED}', f'x\\" message=forged "', "\x1b[2J\x1b]0;owned\x07", "a\u2028b\u0085c",
    '","message":"forged","x":"', "\x00", "%n%s%x", "${jndi:ldap://x/a}", "{{7*7}}", "<script>alert(1)</script>",
    "\u202eforged\u202c", "e" * 5000, "' OR 1=1 --", '"; DROP TABLE "honest"; --',
]


@pytest.mark.parametrize("word", WORDS, ids=range(len(WORDS)))
def test_words_in_logs(gateway, pki, word):
    """Wherever a peer can put a word; the log is looked at when all are done."""
    # As they can be in a field at all; the others are refused and make their line all the same.
    plain = re.sub("[\x00-\x1f\x7f-\x9f]", "", word).encode().decode("latin-1")[:1000]
    escaped = "".join(f"%{byte:02x}" for byte in word.encode())[:3000]
    for text in (plain, word.encode().decode("latin-1")):
        for field in ("X-Scope-OrgID", "User-Agent", "Authorization", "Content-Type", "Content-Encoding", "X-Forwarded-For",
                      "X-Request-Id", "Traceparent", "Expect", "Host", "X-Prometheus-Remote-Write-Version"):
            exchange(gateway, head(f"{field}: {text}", "Content-Length: 0", "Connection: close"))
    exchange(gateway, head("Content-Length: 0", "Connection: close", path=f"/t/{escaped}/write"))
    exchange(gateway, head("Content-Length: 0", "Connection: close", method=plain.split(" ")[0] or "X"))
    with Http2(gateway) as peer:
        peer.send(peer.request(1, request_fields() + [("x", word), (word, "x")]))
        peer.outcome(1)
    labels = [("__name__", word), ("a", word), (word[:60], "b")]
    answers = [gateway.write("/t/open/write", [(labels, [(1.0, NOW)])], verify=pki.ca)]
    answers.append(gateway.write("/t/open/write", [([("__name__", "m"), (word, "x"), (word, "y")], [(1.0, NOW)])], verify=pki.ca))
    for kind in (protocol.EQ, protocol.RE):
        request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", word), (kind, "a", word), (kind, word[:60], "("))
        answers.append(gateway.read_raw("/t/open/read", request, verify=pki.ca))
    for answer in answers:
        if answer.status_code >= 400:
            assert len(answer.content) <= 1024 and answer.text.count("\n") == 1, answer.text
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", answer.text), answer.text


def test_the_metrics_hold_no_word_of_a_peer(gateway, pki):
    """Neither their text nor their number grows with what peers send."""

    def series():
        _, text = http_get(f"http://127.0.0.1:{gateway.admin_port}/metrics")
        return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

    def once(number):
        word = f"evil{number}"
        exchange(gateway, head("Content-Length: 0", "Connection: close", path=f"/t/{word}/write"))
        exchange(gateway, head("Content-Length: 0", "Connection: close", path=f"/{word}"))
        exchange(gateway, head(f"X-Scope-OrgID: {word}", "Content-Length: 0", "Connection: close", path="/write"))
        exchange(gateway, head("Content-Length: 0", "Connection: close", method=f"EVIL{number}"))
        exchange(gateway, head(f"Authorization: Bearer {word}", "Content-Length: 0", "Connection: close", path="/t/honest/write"))
        exchange(gateway, head(f"Content-Type: {word}", "Content-Length: 0", "Connection: close"))
        gateway.write("/t/open/write", [([("__name__", word), (word, word), (word, word)], [(1.0, NOW)])], verify=pki.ca)
        gateway.write("/t/open/write", [({"__name__": word, word: word}, [(1.0, NOW)])], verify=pki.ca)

    once(0)
    before = series()
    threads = [threading.Thread(target=once, args=[number]) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert series() == before
    assert not [name for name in before if "evil" in name.lower()]
