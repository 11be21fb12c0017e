"""Matchers choose the same series here as in Prometheus, which gets the same writes and the same read requests.

`GATEWAY_TEST_SEED` and `GATEWAY_TEST_PATTERNS` make other runs, and longer ones.
"""

import json
import os
import random
import time

import cramjam
import pytest
import urllib3

from support import protocol
from support.gateway import READ_HEADERS, WRITE_HEADERS, Gateway
from support.prometheus import Prometheus

SEED = int(os.environ.get("GATEWAY_TEST_SEED", "1"))
PATTERNS = int(os.environ.get("GATEWAY_TEST_PATTERNS", "2000"))
NOW = int(time.time() * 1000)

TENANTS = """
demo:
  database: matchers
  table: prometheus
  auth: none
  limits: {read_requests_per_second: unlimited, write_requests_per_second: unlimited}
overflow:
  database: matchers
  table: overflow
  auth: none
  limits: {read_requests_per_second: unlimited, write_requests_per_second: unlimited}
  mapping: {dimensions: [kind]}
"""

# Characters that Unicode 15 has already: each program knows a version of its own.
VALUES = [
    "a", "b", "ab", "abc", "aab", "aaa", "aaaa", "A", "AB", "ba", "c", "foo", "FOO", "Foo", "foobar", "xfoo", "foo-bar",
    "bar", "baz", "host-1", "host-17", "prod-eu-1", "0", "7", "10", "_", "-", ".", ",", "a.b", "a-b", "a b", "a_b", " ",
    "  ", "\t", "\v", "\f", "\r", "\n", "a\n", "\na", "a\nb", "foo\n", "\r\n", "a\n\nb", "\0", "\x01", "\x7f",
    "k", "K", "\u212a", "s", "S", "\u017f", "ss", "SS", "\u00df", "\u1e9e", "i", "I", "\u0130", "\u0131", "\u00b5",
    "\u03bc", "\u039c", "\u03c3", "\u03c2", "\u03a3", "\u03b9", "\u0399", "\u0345", "\u1fbe", "\u01c4", "\u01c5",
    "\u01c6", "\u00e9", "e\u0301", "\u00c9", "caf\u00e9", "CAF\u00c9", "\u03b1\u03b2", "\u00a0", "\u0085", "\u2003",
    "\u2028", "\ufeff", "\ufffd", "\u4e2d", "\u0661", "\uff11", "\u2160", "\U0001f600", "\U0001f600a", "\U0010ffff",
    "\ud7ff", "\ue000", "\U00010428", "\U00010400", "|", "(", ")", "(a)", "[", "]", "[a]", "{", "}", "a{2}", "a{,2}",
    "*", "+", "?", "^", "^a", "$", "a$", "\\", "\\Q", "\\n", "/", "'", '"', "%", "a%", "<", "&", "x" * 300, "ab" * 40,
]  # fmt: skip

ATOMS = [
    "a", "b", "c", "ab", "foo", "bar", "host-", "prod", "0", "1", "k", "K", "s", "S", "i", "\u00e9", "\u03c3", "\u017f",
    "\u212a", "\u00df", "\u1e9e", "\U0001f600", "\n", " ", "-", "_", ",", "\ufffd", ".", ".", ".", "[a-c]", "[^b]", "[ks]",
    "[^k]", "[]a]", "[[:alpha:]]", "[[:^alpha:]]", "[[:word:]-]", "[a-\u03c9]", "[\\d_]", "[^\\W\\n]", "[\\x00-\\x{10FFFF}]",
    "\\d", "\\D", "\\s", "\\S", "\\w", "\\W", "\\pL", "\\PL", "\\pN", "\\p{Lu}", "\\p{^Lu}", "\\p{Greek}", "\\P{Latin}",
    "\\p{Any}", "\\b", "\\B", "^", "$", "\\A", "\\z", "\\Qa.b\\E", "\\Q|\\E", "\\.", "\\|", "\\\\", "\\n", "\\x41",
    "\\x{212A}", "\\101", "\\0", "(?i)", "(?-i)", "(?s)", "(?-s)", "(?m)", "(?U)", "(?i:k)", "(?-s:.)", "()", "",
]  # fmt: skip
SOUP = [*ATOMS, *"|()[]{}*+?^$\\-:,<>=!&", "(?", "(?P<n>", "(?<n>", "(?P", "{2}", "{0,1}", "{1,}", "{,2}", "{1001}", "[:", ":]", "(?=", "\\p{", "\\Q",
        "\\E", "\\C", "\\Z", "\\1", "\\x", "\\8", "\\u0041", "(?i", "(?x)", "**", "+?", "??", "[z-a]", "\\pX", "\\p{Foo}"]  # fmt: skip
COUNTS = ["*", "+", "?", "*?", "+?", "??", "{0}", "{1}", "{2}", "{0,1}", "{1,}", "{1,3}", "{2,2}?", "{0,}", "{3}"]


def pattern(generator, depth=3):
    """Mostly valid, of the shapes that people write and that engines have shortcuts for, and of others."""
    kind = generator.randrange(12) if depth else 0
    if kind == 11 and depth == 3:
        return "".join(generator.choice(SOUP) for _ in range(generator.randint(1, 7)))
    if kind == 10 and depth == 3:
        literals = [generator.choice(VALUES) for _ in range(generator.choice([2, 3, 5, 20]))]
        escaped = "|".join("".join("\\" + c if c in "\\|()[]{}*+?^$." else c for c in text) for text in literals)
        return generator.choice(["", "", "(?i)", "foo|"]) + escaped
    if kind == 9:
        return generator.choice([".*", ".+", ""]) + generator.choice(ATOMS[:17]) + generator.choice([".*", ".+", ".?", ""])
    if kind >= 7:
        parts = [pattern(generator, depth - 1) for _ in range(generator.randint(2, 4))]
        return generator.choice(["(?:{})", "({})", "(?i:{})", "(?s-i:{})", "(?P<n>{})", "{}"]).format("|".join(parts))
    if kind >= 5:
        return "(?:" + pattern(generator, depth - 1) + ")" + generator.choice(COUNTS)
    if kind >= 2:
        return "".join(pattern(generator, depth - 1) for _ in range(generator.randint(1, 3)))
    return generator.choice(ATOMS) + (generator.choice(COUNTS) if generator.randrange(4) == 0 else "")


def series():
    found = [({"__name__": "truth", "v": value}, [(1.0, NOW)]) for value in VALUES]
    found.append(({"__name__": "truth"}, [(1.0, NOW)]))
    for index, name in enumerate(["truth", "truth:rule", "other", "Other", "m\u00e9trique", "time", "with blank"]):
        for v in ["", "a", "ab", "\n"]:
            for w in ["", "a", "b"]:
                # A label that Timestream cannot hold by its name, on some.
                labels = {"__name__": name, "kind": "mixed", "n": str(index), "v": v, "w": w, "time": v if index % 2 else ""}
                found.append(({key: value for key, value in labels.items() if value}, [(2.0, NOW)]))
    return found


class Pair:
    """The two that must agree."""

    # Prometheus means the same by it: it is what its handler answers to a bad pattern.
    REFUSED = {"gateway": 400, "overflow": 400, "Prometheus": 500}
    # The gateway twice: with a column for each label, and with nearly all labels in one.
    PREFIX = {"gateway": "/t/demo", "overflow": "/t/overflow", "Prometheus": ""}

    def __init__(self, gateway, prometheus):
        # Thousands of small requests: requests itself would take longer than both servers.
        servers = {"gateway": gateway.port, "overflow": gateway.port, "Prometheus": prometheus.port}
        self.pools = {who: urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=30) for who, port in servers.items()}

    def post(self, who, path, message, headers):
        path = f"{self.PREFIX[who]}/api/v1/{path}"
        return self.pools[who].urlopen("POST", path, body=protocol.encode(message), headers=headers)

    def write(self, message):
        for who in self.pools:
            answer = self.post(who, "write", message, WRITE_HEADERS)
            assert answer.status == 204, (who, answer.data)

    def ask(self, who, *queries):
        """The label sets that each query finds, or the text of a refusal."""
        request = protocol.ReadRequest()
        for matchers in queries:
            query = request.queries.add(start_timestamp_ms=NOW, end_timestamp_ms=NOW)
            for kind, name, value in matchers:
                query.matchers.add(type=kind, name=protocol.as_bytes(name), value=protocol.as_bytes(value))
        answer = self.post(who, "read", request, READ_HEADERS)
        if answer.status != 200:
            assert answer.status == self.REFUSED[who], (who, answer.data)
            return answer.data.decode()
        response = protocol.ReadResponse.FromString(bytes(cramjam.snappy.decompress_raw(answer.data)))
        return [
            {tuple((label.name, label.value) for label in entry.labels) for entry in result.timeseries}
            for result in response.results
        ]

    def chosen_by_expression(self, name, text):
        """The label sets of which Go's regular expression itself matches a label's value."""
        query = f'label_replace({{__name__=~".+"}}, "hit", "yes", "{name}", {json.dumps(text, ensure_ascii=False)})'
        fields = {"query": query, "time": str(NOW / 1000)}
        url = "/api/v1/query"
        answer = self.pools["Prometheus"].request("POST", url, fields=fields, encode_multipart=False)
        result = json.loads(answer.data)["data"]["result"]
        labels = [entry["metric"] for entry in result if entry["metric"].pop("hit", None)]
        return {protocol.key(entry) for entry in labels}


def differences(queries, ours, theirs):
    """Nothing, or in words where the gateway's answer is another one than Prometheus'."""
    if isinstance(ours, str) and isinstance(theirs, str):
        reason = theirs.strip().removeprefix("error parsing regexp: ").partition(": `")[0]
        return [] if reason in ours else [f"refused, but as {ours!r} and not as {theirs!r}"]
    if isinstance(ours, str) or isinstance(theirs, str):
        return [f"only one refuses it; the gateway: {str(ours)[:200]}, Prometheus: {str(theirs)[:200]}"]
    return [
        f"{query}: too many {sorted(found - expected)[:3]}, missing {sorted(expected - found)[:3]}"
        for query, found, expected in zip(queries, ours, theirs, strict=True)
        if found != expected
    ]


def pattern_differences(pair, text, who="gateway"):
    """Of a pattern on a label of one metric, and alone on the metric name."""
    truth = (protocol.EQ, "__name__", "truth")
    queries = [[truth, (protocol.RE, "v", text)], [(protocol.RE, "__name__", text)]]
    ours, theirs = pair.ask(who, *queries), pair.ask("Prometheus", *queries)
    if ours != theirs and isinstance(theirs, list):
        # Prometheus goes around its regular expressions where it can, and then `(?i:k).*` passes over the Kelvin sign.
        # Where that tells, the expression itself is the oracle.
        of_truth = {labels for labels in pair.chosen_by_expression("v", text) if (b"__name__", b"truth") in labels}
        theirs = [of_truth, pair.chosen_by_expression("__name__", text)]
    return differences([text[:80] + " on v", text[:80] + " on __name__"], ours, theirs)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matchers")
    prometheus = Prometheus("3", folder / "prometheus", {"scrape_configs": []}, "--web.enable-remote-write-receiver")
    with prometheus, Gateway(folder / "gateway", tenants=TENANTS, log_level="warning") as gateway:
        both = Pair(gateway, prometheus)
        both.write(protocol.write_request(series()))
        everything = [both.ask(who, [(protocol.RE, "__name__", ".*")]) for who in both.pools]
        assert everything[0] == everything[1] == everything[2]
        assert len(everything[0][0]) == len({protocol.key(labels) for labels, _ in series()})
        yield both


@pytest.mark.parametrize(("who", "share"), [("gateway", 1), ("overflow", 4)])
def test_patterns_choose_the_same_series(pair, who, share):
    generator = random.Random(SEED)
    wrong = [words for _ in range(PATTERNS // share) for words in pattern_differences(pair, pattern(generator), who)]
    assert not wrong, f"seed {SEED}: {len(wrong)} differences: " + "\n".join(wrong[:10])


def test_negated_patterns_choose_the_others(pair):
    """Of each pattern, the series that it does not choose; by the store's own answer, and Prometheus'."""
    generator = random.Random(SEED + 2)
    truth = (protocol.EQ, "__name__", "truth")
    for _ in range(PATTERNS // 8):
        text = pattern(generator)
        queries = [[truth, (protocol.NRE, "v", text)], [(protocol.NRE, "__name__", text)]]
        answers = {who: pair.ask(who, *queries) for who in pair.pools}
        if isinstance(answers["Prometheus"], list) and answers["gateway"] != answers["Prometheus"]:
            # As above: the expression itself is the oracle.
            everything = pair.ask("Prometheus", [truth], [(protocol.RE, "__name__", ".*")])
            answers["Prometheus"] = [
                found - pair.chosen_by_expression(name, text) for found, name in zip(everything, ["v", "__name__"], strict=True)
            ]
        for who in ("gateway", "overflow"):
            wrong = differences([text[:80]] * 2, answers[who], answers["Prometheus"])
            assert not wrong, f"seed {SEED}: {who}: " + "\n".join(wrong)


def test_a_query_without_matchers_is_refused(pair):
    """Prometheus answers it with nothing; the gateway would have to read the whole table."""
    assert "queries[1] has no matcher" in pair.ask("gateway", [(protocol.EQ, "__name__", "truth")], [])
    assert pair.ask("Prometheus", []) == [set()]


def test_matchers_together_choose_the_same_series(pair):
    generator = random.Random(SEED + 1)
    names = ["__name__", "v", "w", "n", "kind", "absent", "time"]
    texts = ["", "a", "ab", "b", "\n", "truth", "truth:rule", "mixed", "other", "m\u00e9trique", "time", "0", "3", "a|b", "a|", "|",
             ".*", ".+", ".", "a.*", "(?i)OTHER", "t.+", "[^t].*", "()", "a?", "^$", "$^", "x{0}", "\\d", "(?s).", "[^\\n]*"]  # fmt: skip
    for _ in range(PATTERNS // 8):
        queries = [
            [
                (generator.randrange(4), generator.choice(names[: generator.choice([3, 8])]), generator.choice(texts))
                for _ in range(generator.choice([1, 1, 2, 2, 3, 4]))
            ]
            for _ in range(4)
        ]
        wrong = differences(queries, pair.ask("gateway", *queries), pair.ask("Prometheus", *queries))
        assert not wrong, f"seed {SEED}: " + "\n".join(wrong)


def nested(opening, closing, count):
    return opening * count + "a" + closing * count


LIMITS = [
    "a{1000}", "a{1001}", "a{0,1000}", "a{1000,}", "a{2,1}", "a{1001,}", "(a{500}){2}", "(a{501}){2}", "((a{10}){10}){10}",
    "((a{10}){10}){11}", "(a{1000}|b){1}", "(a{2,}){500}", "(a{2,}){501}", "(a*){1000}", "((a{2}){0}){1000}", "a{01}",
    "a{1,01}", "a{99999999999999999999}", "a{1}{2}", "a{,1000}", "(|a){1000}", "()*", "(?:a{3}|b{400}){2}",
    nested("(", ")", 400), nested("(", ")", 990), nested("(", ")", 1001), nested("(?:", ")", 5000), nested("(?:", ")*", 990),
    nested("(?:", ")*", 1001), nested("(?i:", ")?", 1001), nested("(a|", ")", 490), nested("(a|", ")", 1001),
    nested("(?:b", ")", 480), nested("(?:b", "c)*", 990), nested("(?:b", "c)*", 1100), "(" * 1001, "[" * 3000, "a|" * 20000,
    "[a-z]" * 5000, "\\pL" * 200, "(?i)" * 20000, "x" * 100_000, "(?i)" + "k" * 20_000, "((\\pL{100}){10}){1}", "\\pL{1000}",
    "(\\pL{100}){10}", "(?:" + "a{500}" * 400 + ")", "(?:(?:" + "a" * 1000 + "){100}){10}",
    "(?:(?:" + "a" * 3500 + "){100}){10}", "\\Q" + "(" * 2000,
    "|".join(f"host-{n}" for n in range(3000)), "|".join(f"host-{n}.*" for n in range(3000)),
    "(?i:" + "|".join(f"host-{n}" for n in range(200)) + ")",
]  # fmt: skip

# Not here: names such as `\\p{greek}`, which Go takes since 1.25 and Prometheus' copy of its parser does not, and
# `\\x{d800}` alone, which Go by a slip takes for U+FFFD.
SYNTAX = [
    "(?P<n>a)", "(?<n>a)", "(?P<n>a)(?P<n>b)", "(?P<n>a)(?<n>b)", "(?P<1>a)", "(?P<>a)", "(?<>a)", "(?P<n-m>a)", "(?P<\u00e9>a)",
    "(?P=n)", "(?P>n)", "(?'n'a)", "(?P<n", "(?<n", "(?P<", "(?<", "(?P", "(?", "(", "(?<n>", "(?<=a)b", "(?<!a)b", "(?<a!>b)",
    "(?i-s:a)", "(?i-:a)", "(?-:a)", "(?-)", "(?--i)", "(?)", "(?:)", "(?i)(?-i)K", "(?ismU)a", "(?iiii)a", "(?i-i)a", "(?-i-s)a",
    "(?u)a", "(?x)a", "(?a)a", "(?^i)a", "(?i:a", "(?i", "(?i:(?-i)K)k", "(?i)a|B", "a(?i)b|C", "(a(?i)b)C",
    "\\Q", "\\E", "\\Qa", "\\Qa\\", "\\Qa\\E*", "\\Qab\\E+", "\\Q\\E*", "a\\Q\\E*", "\\Q\\Q\\E", "\\Q\\E\\E", "[\\Qa\\E]", "\\Qa\\Eb\\Qc\\E",
    "\\C", "[\\C]", "\\Z", "\\z", "\\A", "[\\A]", "[\\b]", "\\h", "\\R", "\\X", "\\K", "\\G", "\\N", "\\e", "\\ca", "\\a", "\\f", "\\v", "[\\v]",
    "\\1", "\\8", "\\08", "\\00", "\\000", "\\0000", "\\123", "\\400", "\\777", "\\x4", "\\x4g", "\\x{}", "\\x{41", "\\x{ 41}", "\\x{0041}",
    "\\x{110000}", "\\x{10FFFF}", "\\x{FFFFFFFFFFFFFFFFFFF}", "\\x{d7ff}", "\\-", "\\_", "\\<", "\\ ", "\\\n", "\\\u00e9", "\\q", "\\y", "\\",
    "[a-\\d]", "[\\d-a]", "[\\d-z]", "[a-b-c]", "[--a]", "[a-]", "[-a]", "[]", "[^]", "[]]", "[^]]", "[]-a]", "[a", "[", "[^", "[a-", "[\\", "[\\]",
    "[z-a]", "[\\n-\\r]", "[[:alpha:]", "[[:foo:]]", "[[:^foo:]]", "[[:alpha]]", "[:alpha:]", "[[.a.]]", "[[=a=]]", "[[:word:]]",
    "[[:ascii:]]", "[[:^ascii:]]", "[[:print:]]", "[[:blank:]]", "[[:space:]]", "[[:xdigit:]]", "[a&&b]", "[a[b]]", "[^\\n]", "[^\\D\\d]",
    "\\pL", "\\p", "\\p{", "\\p{}", "\\p{L", "\\p{^L}", "\\P{^L}", "\\p{^}", "\\p^L", "\\pLu", "\\p{Greek}", "\\p{Grek}",
    "\\p{Any}", "\\P{Any}", "\\p{IsGreek}", "\\p{Script=Greek}", "\\p{L&}", "\\pN", "\\pC", "\\p{Zs}", "\\p{Co}", "\\p{Cs}", "\\p{Han}", "[\\pL\\d]",
    "[^\\pL]", "[\\p{^L}]", "(?i)\\p{Lu}", "(?i)\\p{Greek}", "(?i)\\P{Lu}", "(?i)[^\\p{Lu}]", "(?i)[[:upper:]]", "(?i)[[:^upper:]]", "(?i)[^k]",
    "(?i)\\W", "(?i)[^\\W]", "(?i)\\x{212a}", "(?i)[\\x{2129}-\\x{212b}]", "(?i)\u00df", "(?i)\u0130", "(?i)\u0131", "(?i)\u0345", "(?i)\u01c5",
    "(?i)SS", "(?i)caf\u00e9", "(?i)(k|foo)", "(?i)k|s", "(?i:k).*", ".*(?i:k)", "(?i)foo.*", "(?i).*foo", "(?i).*o.*",
    "a**", "a*+", "a*?*", "a+?+", "a???", "a{2}{3}", "a{2}*", "a{2}?", "a{2}??", "*", "+", "?", "|*", "(*)", "(?:*)", "^*", "$+", "\\b+", "(^)*", "(?i)*",
    "a|*", "a||b", "|", "||", "(|)", "()", "a{", "a{1", "a{1,", "a{1,2", "a{a}", "a{,}", "a{ 1}", "{", "{1}", "}", "]", "a]", "(a", "a)", "((a)", ")", ")(",
    "^", "$", "^$", "$^", "^^a$$", "a^", "$a", "(?m)^", "(?m)a$", "(?m)a$\\n^b", "(?m:^)a", "(?-m)^a", "(^a|b$)", "(?:^|,)a(?:,|$)", "\\b", "\\B", "\\ba\\b",
    ".", "(?s).", "(?-s).", "(?-s:.)*", "(?-s).*", "(?-s)a.+b", "a.b", ".*\\n.*", ".+", ".?", "..", "(?-s)foo.*", "foo(?-s:.*)", "(?s:.*)", "[^a]*",
    "\ufffd", "[\ufffd]", "[^\ufffd]", "\\x{fffd}", "\\x{dfff}a", "[\\x{d800}-\\x{dfff}]", "\0", "\\x00", "\n", "a\nb",
]  # fmt: skip


@pytest.mark.parametrize("patterns", [LIMITS, SYNTAX], ids=["limits", "syntax"])
def test_the_same_patterns_are_refused(pair, patterns):
    wrong = [words for text in patterns for words in pattern_differences(pair, text)]
    assert not wrong, "\n".join(wrong)
