"""Tenants without credentials of their own: the AWS keys in basic authentication sign the calls, as with AWS' connector."""

import threading

import boto3
import pytest

from support import protocol
from support.gateway import BINARY, Gateway, check
from support.process import Child, eventually, free_port

NOW = 1_760_000_000_000
KEYS = {f"AKIDCALLER{number}": f"secret-of-caller-{number}" for number in range(4)}
FOREIGN = ("AKIDFOREIGN", "secret-of-a-foreign-table")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store in which every caller's key is good for the table of all, and the foreign one for another."""
    folder = tmp_path_factory.mktemp("store")
    port = free_port()
    command = [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data"]
    for name, secret in KEYS.items():
        command += ["--key", f"{name}:{secret}:shared/prometheus"]
    command += ["--key", f"{FOREIGN[0]}:{FOREIGN[1]}:foreign/prometheus"]
    child = Child(command, folder / "store.log", cwd=folder)
    child.url = f"http://127.0.0.1:{port}"
    eventually(lambda: "serving" in child.log(), what="the store is ready")
    name, secret = next(iter(KEYS.items()))
    client = boto3.client(
        "timestream-write", region_name="us-east-1", endpoint_url=child.url, aws_access_key_id=name,
        aws_secret_access_key=secret,
    )
    client.create_database(DatabaseName="shared")
    client.create_table(DatabaseName="shared", TableName="prometheus")
    yield child
    child.stop()


@pytest.fixture(scope="module")
def gateway(store, tmp_path_factory):
    tenants = """
    shared:
      database: shared
      table: prometheus
      credentials: {from: basic_auth}
    listed:
      database: shared2
      table: prometheus
      credentials: {from: basic_auth}
      auth: {aws_keys: {access_key_ids: [AKIDCALLER0, AKIDCALLER1]}}
    absent:
      database: nowhere
      table: prometheus
      credentials: {from: basic_auth}
    """
    timestream = (
        f"backend: aws, region: us-east-1, write_endpoint: {store.url}, query_endpoint: {store.url}"
    )
    with Gateway(tmp_path_factory.mktemp("gateway"), tenants=tenants, timestream=timestream) as running:
        yield running


def series(caller, value):
    return [({"__name__": "m", "caller": caller}, [(value, NOW)])]


def test_each_caller_writes_and_reads_with_its_own_keys(gateway, store):
    answers = []

    def send(name, secret, number):
        answers.append(gateway.write("/t/shared/api/v1/write", series(f"{name}-{number}", number), auth=(name, secret)))

    threads = [threading.Thread(target=send, args=(*pair, n)) for n in range(25) for pair in KEYS.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {204}
    for pair in KEYS.items():
        found = gateway.read("/t/shared/api/v1/read", NOW - 1, NOW + 1, (protocol.EQ, "__name__", "m"), auth=pair)
        assert len(found) == 100
    # Who signed which call is in the store's own log: as many writes with each key as its caller sent.
    log = [line for line in store.log().splitlines() if "WriteRecords" in line]
    for name in KEYS:
        assert sum(name in line for line in log) == 25


def test_without_keys_nothing_is_asked_of_aws(gateway):
    before = gateway.metric("gateway_timestream_calls_total", tenant="shared", operation="WriteRecords", error="none")
    for options in ({}, {"headers": {"Authorization": "Bearer token"}}, {"auth": ("AKID/CALLER", "x")}):
        answer = gateway.write("/t/shared/api/v1/write", series("none", 1), **options)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="timestream-gateway"'
        unknown = gateway.write("/t/unknown/api/v1/write", series("none", 1), **options)
        assert (unknown.status_code, unknown.text.split("request")[0]) == (401, answer.text.split("request")[0])
    after = gateway.metric("gateway_timestream_calls_total", tenant="shared", operation="WriteRecords", error="none")
    assert after == before


def test_keys_that_are_not_listed_are_not_taken(gateway):
    refused = gateway.write("/t/listed/api/v1/write", series("x", 1), auth=("AKIDCALLER2", KEYS["AKIDCALLER2"]))
    assert refused.status_code == 401


@pytest.mark.parametrize("auth", [("AKIDUNKNOWN", "secret-of-nobody"), ("AKIDCALLER0", "not-its-secret")])
def test_keys_that_aws_does_not_know_are_forbidden_and_trip_nobody(gateway, auth):
    for _ in range(30):
        answer = gateway.write("/t/shared/api/v1/write", series("bad", 1), auth=auth)
        assert answer.status_code == 403, answer.text
        assert "AWS does not take the keys" in answer.text
        assert auth[1] not in answer.text
    query = protocol.read_request(NOW - 1, NOW + 1, (protocol.EQ, "__name__", "m"))
    read = gateway.read_raw("/t/shared/api/v1/read", query, auth=auth)
    assert read.status_code == 403
    pair = ("AKIDCALLER0", KEYS["AKIDCALLER0"])
    assert gateway.write("/t/shared/api/v1/write", series("good", 1), auth=pair).status_code == 204
    assert auth[1] not in gateway.log()


def test_keys_without_permission_are_for_a_person_to_mend(gateway):
    answer = gateway.write("/t/shared/api/v1/write", series("foreign", 1), auth=FOREIGN)
    assert answer.status_code == 503
    assert "may not do this" in answer.text
    assert int(answer.headers["Retry-After"]) >= 1


def test_more_callers_than_are_remembered(gateway):
    for number in range(300):
        answer = gateway.write("/t/shared/api/v1/write", series("x", 1), auth=(f"AKID{number}", "x"))
        assert answer.status_code == 403
    pair = ("AKIDCALLER1", KEYS["AKIDCALLER1"])
    assert gateway.write("/t/shared/api/v1/write", series("many", 2), auth=pair).status_code == 204


def test_what_cannot_stand_beside_the_callers_keys(tmp_path):
    config = tmp_path / "tenants.yaml"
    config.write_text(
        """
version: 1
timestream: {backend: aws, region: us-east-1}
tenants:
  open: {database: one, table: prometheus, credentials: {from: basic_auth}, auth: none}
  bearer: {database: two, table: prometheus, credentials: {from: basic_auth}, auth: {bearer: [{token_sha256: "%s"}]}}
  keys: {database: three, table: prometheus, credentials: {access_key_id: AKIA, secret_access_key: x},
         auth: {aws_keys: {access_key_ids: any}}}
  nobody: {database: four, table: prometheus, credentials: {from: basic_auth}, auth: {aws_keys: {access_key_ids: []}}}
"""
        % ("0" * 64)
    )
    code, output = check(config)
    assert code != 0
    assert output.count("a caller shows AWS keys, where this asks for something else") == 2
    assert "tenants.keys.auth.aws_keys: the keys that a caller shows are checked by AWS alone" in output
    assert "tenants.nobody.auth.aws_keys.access_key_ids: expected a list of access key ids, found an empty one" in output
    assert "4 problems" in output
