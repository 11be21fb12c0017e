"""The gateway as a function of AWS Lambda, behind API Gateway and function URLs."""

import asyncio
import base64
import os
import random
import signal
import time

import boto3
import pytest

from support import lambda_runtime, protocol
from support.faults import FaultServer, error
from support.gateway import BINARY, READ_HEADERS, WRITE_HEADERS
from support.process import Child, eventually, free_port

NOW = int(time.time() * 1000)
CALLER = ("AKIDCALLER", "secret-of-the-caller")
ROLE = ("ASIAFUNCTION", "secret-of-the-role")
DATABASE, TABLE = "PrometheusDatabase", "PrometheusMetricsTable"
SHAPES = ["http-api-2.0", "http-api-2.0-default-stage", "http-api-1.0", "rest", "function-url"]
SIGNED = ["http-api-2.0-iam", "rest-iam", "function-url-iam"]


def start_store(folder, port):
    folder.mkdir(exist_ok=True)
    command = [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data"]
    for name, secret in (CALLER, ROLE):
        command += ["--key", f"{name}:{secret}:{DATABASE}/{TABLE}"]
    command += ["--key", "AKIDPAYMENTS:secret-of-payments:payments/prometheus"]
    child = Child(command, folder / "store.log", cwd=folder)
    child.url = f"http://127.0.0.1:{port}"
    eventually(lambda: "serving" in child.log(), what="the store is ready")
    return child


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    child = start_store(tmp_path_factory.mktemp("store"), free_port())
    make_tables(child.url)
    yield child
    child.stop()


def make_tables(url):
    for database, table, (name, secret) in (
        (DATABASE, TABLE, CALLER), ("payments", "prometheus", ("AKIDPAYMENTS", "secret-of-payments")),
    ):
        client = boto3.client(
            "timestream-write", region_name="us-east-1", endpoint_url=url, aws_access_key_id=name,
            aws_secret_access_key=secret,
        )
        client.create_database(DatabaseName=database)
        client.create_table(DatabaseName=database, TableName=table)


def connector(url, **more):
    return {
        "default_database": DATABASE, "default_table": TABLE, "write_base_endpoint": url, "query_base_endpoint": url,
        "AWS_ACCESS_KEY_ID": ROLE[0], "AWS_SECRET_ACCESS_KEY": ROLE[1], **more,
    }


@pytest.fixture(scope="module")
def function(store, tmp_path_factory):
    with lambda_runtime.Function(tmp_path_factory.mktemp("function"), BINARY, connector(store.url)) as running:
        yield running


def request(shape, path, body, headers, *, auth=None, pem=None):
    """An event of this shape with our own request in it."""
    event = lambda_runtime.event(shape)
    context = event["requestContext"]
    fields = dict(headers)
    if auth:
        fields["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    if event.get("version") == "2.0":
        stage = event["rawPath"].removesuffix("/write")
        event["rawPath"] = context["http"]["path"] = stage + path
        if event["routeKey"] != "$default":
            event["routeKey"] = context["routeKey"] = f"POST {path}"
        kept = {k: v for k, v in event["headers"].items() if k.startswith(("host", "x-amz")) or shape in SIGNED}
        event["headers"] = kept | {name.lower(): value for name, value in fields.items()}
        if pem:
            context["authentication"]["clientCert"]["clientCertPem"] = pem
    else:
        event["path"] = event["path"].removesuffix("/write") + path
        event["resource"] = path
        kept = dict(event["headers"]) if shape in SIGNED else {}
        event["headers"] = kept | fields
        event["multiValueHeaders"] = {name: [value] for name, value in event["headers"].items()}
        if pem:
            context["identity"]["clientCert"]["clientCertPem"] = pem
    event["body"] = base64.b64encode(body).decode()
    event["isBase64Encoded"] = True
    return event


def write(function, shape, series, *, path="/write", headers=(), timeout=30.0, **options):
    body = protocol.encode(protocol.write_request(series))
    kind, answer = function.invoke(
        request(shape, path, body, WRITE_HEADERS | dict(headers), **options), timeout=timeout
    )
    assert kind == "response", answer
    return answer


def read(function, shape, *matchers, path="/read", **options):
    message = protocol.read_request(NOW - 60_000, NOW + 60_000, *matchers)
    kind, answer = function.invoke(request(shape, path, protocol.encode(message), READ_HEADERS, **options))
    assert kind == "response", answer
    return answer


def samples(name, value):
    return [({"__name__": name, "job": "lambda"}, [(value, NOW)])]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_write_and_a_read_through_each_kind_of_event(function, shape):
    name = "through_" + shape.replace("-", "_").replace(".", "_")
    written = write(function, shape, samples(name, 2.5), auth=CALLER)
    assert (written["statusCode"], written["body"]) == (204, "")
    answer = read(function, shape, (protocol.EQ, "__name__", name), auth=CALLER)
    assert answer["statusCode"] == 200 and answer["isBase64Encoded"] is True
    headers = {key.lower(): value for key, value in answer["headers"].items()}
    assert headers["content-type"].startswith("application/x-protobuf") and headers["content-encoding"] == "snappy"
    (result,) = protocol.decode_read(base64.b64decode(answer["body"]))
    labels = ((b"__name__", name.encode()), (b"job", b"lambda"))
    assert result == {labels: [(protocol.bits(2.5), NOW)]}


@pytest.mark.parametrize("shape", SIGNED)
def test_signed_callers_use_the_functions_role(function, store, shape):
    before = store.log().count(ROLE[0])
    assert write(function, shape, samples("signed", 1))["statusCode"] == 204
    assert store.log().count(ROLE[0]) > before


@pytest.mark.parametrize("shape", SHAPES)
def test_the_functions_role_is_for_nobody_else(function, store, shape):
    before = store.log().count(ROLE[0])
    refused = write(function, shape, samples("unsigned", 1))
    assert refused["statusCode"] == 401 and refused["isBase64Encoded"] is False
    # What a caller writes into a header is no signature.
    forged = {"Authorization": "AWS4-HMAC-SHA256 Credential=ASIAFUNCTION/x, SignedHeaders=host, Signature=0"}
    assert write(function, shape, samples("unsigned", 1), headers=forged)["statusCode"] == 401
    assert write(function, shape, samples("unsigned", 1), auth=("AKIDUNKNOWN", "x"))["statusCode"] == 403
    assert store.log().count(ROLE[0]) == before


def test_without_sigv4_a_signature_gives_nothing(store, tmp_path):
    with lambda_runtime.Function(tmp_path, BINARY, connector(store.url, enable_sigv4_auth="false")) as function:
        assert write(function, "http-api-2.0-iam", samples("x", 1))["statusCode"] == 401
        assert write(function, "http-api-2.0", samples("x", 1), auth=CALLER)["statusCode"] == 204


def test_start_lines_are_the_connectors(function):
    write(function, "http-api-2.0", samples("logged", 1), auth=CALLER)
    place = f"(Database: {DATABASE}, Table: {TABLE}, Region: us-east-1)"
    log = function.child.log()
    assert f"Timestream write connection is initialized {place}" in log
    assert f"Timestream query connection is initialized {place}" in log
    assert CALLER[1] not in log and ROLE[1] not in log


@pytest.mark.parametrize(
    "broken",
    [b"", b"[]", b"{}", b'{"source": "aws.events"}', b'{"requestContext": {"http": {"method": "POST"}}}', b"not json",
     b'{"version": "2.0", "rawPath": "/write", "requestContext": {"http": {"method": "POST"}}, "body": "?", '
     b'"isBase64Encoded": true}'],
)
def test_what_is_no_request_is_an_error_never_a_success(function, broken):
    kind, answer = function.invoke(broken)
    assert kind == "error"
    assert answer["errorType"] == "Gateway.InvalidEvent"
    # And the next request is served.
    assert write(function, "http-api-2.0", samples("after_error", 1), auth=CALLER)["statusCode"] == 204


def test_bad_bodies_are_the_senders_fault(function):
    event = request("http-api-2.0", "/write", b"no snappy", WRITE_HEADERS, auth=CALLER)
    kind, answer = function.invoke(event)
    assert (kind, answer["statusCode"]) == ("response", 400)
    kind, answer = function.invoke(request("http-api-2.0", "/nowhere", b"", WRITE_HEADERS, auth=CALLER))
    assert (kind, answer["statusCode"]) == ("response", 404)


def test_a_store_that_fails_or_hangs_is_never_a_success(tmp_path):
    async def hang(_):
        await asyncio.sleep(60)

    with FaultServer(hang) as hanging:
        with lambda_runtime.Function(tmp_path / "hanging", BINARY, connector(hanging.url)) as function:
            started = time.monotonic()
            answer = write(function, "http-api-2.0", samples("x", 1), auth=CALLER, timeout=3)
            assert answer["statusCode"] == 503 and time.monotonic() - started < 3
            assert "Retry-After" in answer["headers"] or "retry-after" in answer["headers"]
    with FaultServer(lambda _: error(500, "InternalServerException")) as failing:
        variables = connector(failing.url, max_write_retries="1")
        with lambda_runtime.Function(tmp_path / "failing", BINARY, variables) as function:
            assert write(function, "http-api-2.0", samples("x", 1), auth=CALLER)["statusCode"] == 503
            assert failing.count(CALLER[0]) == 2


def test_an_answer_beyond_lambdas_limit_is_told(function):
    # Labels that do not compress: 4.7 MB of them do not fit once they are base64.
    randomness = random.Random(1)
    for batch in range(10):
        series = [
            ({"__name__": "large", "text": randomness.randbytes(700).hex(), "n": f"{batch}-{n}"}, [(1, NOW)])
            for n in range(800)
        ]
        assert write(function, "http-api-2.0", series, auth=CALLER)["statusCode"] == 204
    answer = read(function, "http-api-2.0", (protocol.EQ, "__name__", "large"), auth=CALLER)
    assert answer["statusCode"] == 413 and "shorter time" in answer["body"]


def test_many_tenants_from_a_file_by_path_header_and_certificate(store, tmp_path, pki):
    (tmp_path / "tenants.yaml").write_text(
        f"""
version: 1
timestream: {{backend: aws, region: us-east-1, write_endpoint: {store.url}, query_endpoint: {store.url}}}
tenants:
  payments:
    database: payments
    table: prometheus
    credentials: {{access_key_id: AKIDPAYMENTS, secret_access_key: "${{PAYMENTS_SECRET}}"}}
    auth: {{client_certificate: {{san_uri: ["spiffe://test/payments"], ca: {pki.ca}}}}}
  callers:
    database: {DATABASE}
    table: {TABLE}
    credentials: {{from: basic_auth}}
"""
    )
    variables = {"PAYMENTS_SECRET": "secret-of-payments"}
    certificate, stranger, foreign = (
        open(pair[0]).read() for pair in (pki.payments, pki.stranger, pki.foreign)
    )
    with lambda_runtime.Function(tmp_path, BINARY, variables) as function:
        for path, headers in (("/t/callers/write", {}), ("/write", {"X-Scope-OrgID": "callers"})):
            answer = write(
                function, "http-api-2.0", samples("tenant", 1), path=path, headers=headers, auth=CALLER
            )
            assert answer["statusCode"] == 204, answer
        for shape in ("http-api-2.0-mtls", "rest-mtls"):
            assert write(function, shape, samples("paid", 1), pem=certificate)["statusCode"] == 204
            both = write(function, shape, samples("paid", 1), path="/t/payments/write", pem=certificate)
            assert both["statusCode"] == 204
            wrong = write(function, shape, samples("paid", 1), path="/t/callers/write", pem=certificate, auth=CALLER)
            assert wrong["statusCode"] == 403
            for pem in (stranger, foreign, "no certificate"):
                refused = write(function, shape, samples("paid", 1), path="/t/payments/write", pem=pem)
                assert refused["statusCode"] == 401, refused
        # Without the certificate the path alone proves nothing.
        assert write(function, "http-api-2.0", samples("paid", 1), path="/t/payments/write")["statusCode"] == 401


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "default_database"),
        ({"default_database": "db1"}, "default_table"),
        ({"default_database": "db1", "default_table": "t01", "enable_logging": "yes"}, "enable_logging"),
        ({"default_database": "db1", "default_table": "t01", "log_level": "loud"}, "log_level"),
        ({"default_database": "db1", "default_table": "t01", "TENANTS_FILE": "x.yaml"}, "exclude each other"),
        ({"TENANTS_FILE": "missing.yaml"}, "no such file"),
    ],
)
def test_what_cannot_be_served_is_told_at_the_start(tmp_path, variables, message):
    with lambda_runtime.Function(tmp_path, BINARY, variables) as function:
        kind, answer = function.api.init_errors.get(timeout=20)
        assert kind == answer["errorType"] == "Gateway.ConfigurationInvalid"
        assert message in answer["errorMessage"]
        assert function.child.process.wait(10) == 78


def test_connections_that_died_in_the_freeze_fail_no_request(tmp_path):
    port = free_port()
    store = start_store(tmp_path / "store", port)
    make_tables(store.url)
    with lambda_runtime.Function(tmp_path / "function", BINARY, connector(store.url)) as function:
        assert write(function, "http-api-2.0", samples("frozen", 1), auth=CALLER)["statusCode"] == 204
        # As AWS freezes an environment: the process stands still while the far side gives its connections up.
        os.kill(function.child.process.pid, signal.SIGSTOP)
        store.stop()
        store = start_store(tmp_path / "store", port)
        os.kill(function.child.process.pid, signal.SIGCONT)
        assert write(function, "http-api-2.0", samples("thawed", 2), auth=CALLER)["statusCode"] == 204
        assert read(function, "http-api-2.0", (protocol.EQ, "__name__", "thawed"), auth=CALLER)["statusCode"] == 200
    store.stop()
