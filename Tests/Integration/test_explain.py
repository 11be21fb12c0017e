"""`explain`: the SQL that a selector becomes, which the store takes, and nothing that is sent."""

import datetime
import re
import subprocess

import boto3
import pytest

from support import protocol
from support.gateway import BINARY, Gateway

NOW = 1_760_000_000_000
KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TENANTS = f"""
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  credentials: {{access_key_id: {KEY[0]}, secret_access_key: "{KEY[1]}"}}
  auth: none
other: {{database: Other, table: metrics, auth: none}}
"""
SERIES = [
    ({"__name__": name, "job": job, "url.path": path}, [(1.0, NOW), (protocol.STALE, NOW + 1)])
    for name in ("up", "http.requests", "it's")
    for job in ("api-1", "api-2", "web", "")
    for path in ("/", "/a\nb")
]


def explain(config, *arguments):
    result = subprocess.run(
        [BINARY, "explain", "--config", config, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    return result.returncode, result.stdout, result.stderr


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("explain"), tenants=TENANTS) as gateway:
        assert gateway.write("/t/demo/write", SERIES).status_code == 204
        yield gateway


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration that nobody serves."""
    return Gateway(tmp_path_factory.mktemp("unserved"), tenants=TENANTS).config


@pytest.mark.parametrize(
    ("query", "parts", "rows"),
    [
        ("up", ["exact"], 16),
        ('up{job="web"}', ["exact", "exact"], 4),
        ('{"http.requests",job=~"api-.+","url.path"="/"}', ["exact", "exact", "exact"], 4),
        (r'up{job=~"api-\\b.*"}', ["exact", "wider"], 8),
        ('{"it\'s",job!=""}', ["exact", "exact"], 12),
        ("{__name__=\"up\",`url.path`='/a\\nb'}", ["exact", "exact"], 8),
        # Wider: the special values of the other metrics come too.
        ('{__name__!="up",job="web"}', ["wider", "exact"], 10),
        ('up{job!~".*1"}', ["exact", "exact"], 12),
        ('up{job=~"web|"}', ["exact", "exact"], 8),
        # As regular expressions: with and without the label, negated, a line feed in the value.
        ('up{job=~"api-[0-9]"}', ["exact", "exact"], 8),
        ('up{job!~"api-[2-9]+"}', ["exact", "exact"], 12),
        ('up{job=~"(w[a-z]+)?"}', ["exact", "exact"], 8),
        ('up{job!~"(w[a-z]+)?"}', ["exact", "exact"], 8),
        (r'up{"url.path"=~"/[a]\\n.+"}', ["exact", "exact"], 8),
        (r'up{"url.path"=~"(?-s)/a.+"}', ["exact", "exact"], 0),
        # Wider: names that are stored escaped pass as well.
        ('{__name__=~"u[p]+",job="web"}', ["wider", "exact"], 8),
        ('{__name__!~"(up)+",job="web"}', ["wider", "exact"], 8),
        (r'{__name__=~"http[.].+",job!~"([a-z]+-)*x"}', ["wider", "not in SQL"], 32),
    ],
)
def test_the_store_takes_the_statement(gateway, query, parts, rows):
    start = datetime.datetime.fromtimestamp(NOW // 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    code, output, error = explain(
        gateway.config, "--tenant", "demo", "--query", query, "--from", start, "--to", str(NOW // 1000 + 1)
    )
    assert (code, error) == (0, "")
    assert re.findall(r"^  (?:SQL, )?(exact|wider|not in SQL): ", output, re.MULTILINE) == parts, output
    statement = output[output.index("SELECT"):output.index("\n\n", output.index("SELECT"))]
    store = boto3.client(
        "timestream-query", endpoint_url=gateway.engine_url, region_name="us-east-1", aws_access_key_id=KEY[0],
        aws_secret_access_key=KEY[1],
    )
    found = [row for page in store.get_paginator("query").paginate(QueryString=statement) for row in page["Rows"]]
    assert len(found) == rows, statement


def test_nothing_has_to_run(config):
    code, output, error = explain(config, "--tenant", "other", "--query", "up", "--from", "-2h", "--to", "-1h")
    assert (code, error) == (0, "")
    start, end = map(int, re.findall(r"from_milliseconds\((\d+)\)", output))
    assert end - start == 3_600_000 and '"Other"."metrics"' in output
    age = datetime.datetime.now(datetime.UTC).timestamp() - end / 1000
    assert 3_590 < age < 3_700
    assert "The gateway checks all matchers again" in output


def test_the_last_hour_is_the_default(config):
    _, output, _ = explain(config, "--tenant", "demo", "--query", "up")
    start, end = map(int, re.findall(r"from_milliseconds\((\d+)\)", output))
    assert end - start == 3_600_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tenant", "demo", "--query", "up{job=}"], "--query: column 8: expected a value in quotes"),
        (["--tenant", "demo", "--query", "rate(up[5m])"], "--query: column 5: functions"),
        (["--tenant", "demo", "--query", 'up{job=~"("}'], "missing closing"),
        (["--tenant", "demo", "--query", "{}"], "the selector has no matcher"),
        (["--tenant", "nonesuch", "--query", "up"], 'no tenant "nonesuch"; it has demo, other'),
        (["--tenant", "demo", "--query", "up", "--from", "yesterday"], "--from: expected a time"),
        (["--tenant", "demo", "--query", "up", "--to", "-2h"], "is after --to"),
        (["--tenant", "demo"], "--query"),
        (["--query", "up"], "--tenant"),
    ],
)
def test_wrong_arguments_are_told(config, arguments, words):
    code, output, error = explain(config, *arguments)
    assert (code, output) == (64, "") and words in error, error


def test_a_bad_file_is_told_as_by_check(tmp_path):
    config = tmp_path / "tenants.yaml"
    config.write_text("version: 1\ntenants: {a: {databse: x}}\n")
    code, _, error = explain(config, "--tenant", "a", "--query", "up")
    assert code == 78 and "databse" in error
