"""What the stack of deploy/lambda deploys, with Prometheus in front: its API's routes, the function, and the store."""

import re
import subprocess
import time

import boto3
import pytest
import requests

from support import lambda_runtime, protocol
from support.api_gateway import HttpApi, SigningProxy
from support.gateway import BINARY, READ_HEADERS, ROOT, WRITE_HEADERS
from support.process import Child, eventually, free_port
from support.prometheus import BINARIES, Prometheus
from support.stack import Stack

NOW = int(time.time() * 1000)
SENDER = ("AKIDSENDER", "secret+of/the=sender")
ROLE = ("ASIAFUNCTION", "secret-of-the-role")
# A caller of the API; unknown to the store.
CALLER = ("AKIDCALLER", "secret+of/the=caller")
DATABASE, TABLE = "PrometheusDatabase", "PrometheusMetricsTable"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("store"), free_port()
    command = [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data"]
    for name, secret in (SENDER, ROLE):
        command += ["--key", f"{name}:{secret}:{DATABASE}/{TABLE}"]
    child = Child(command, folder / "store.log", cwd=folder)
    child.url = f"http://127.0.0.1:{port}"
    eventually(lambda: "serving" in child.log(), what="the store is ready")
    keys = {"aws_access_key_id": SENDER[0], "aws_secret_access_key": SENDER[1], "region_name": "us-east-1"}
    write = boto3.client("timestream-write", endpoint_url=child.url, **keys)
    write.create_database(DatabaseName=DATABASE)
    write.create_table(DatabaseName=DATABASE, TableName=TABLE)
    child.query = boto3.client("timestream-query", endpoint_url=child.url, **keys)
    yield child
    child.stop()


class Deployed:
    """A stack, its function running with the variables that the stack gives it, and its API."""

    def __init__(self, folder, store, *, parameters=(), callers=(), **api):
        self.stack = Stack(**dict(parameters))
        variables = self.stack.variables | {
            # In AWS the endpoints are discovered, and the keys are the role's.
            "write_base_endpoint": store.url, "query_base_endpoint": store.url,
            "AWS_ACCESS_KEY_ID": ROLE[0], "AWS_SECRET_ACCESS_KEY": ROLE[1],
        }
        self.function = lambda_runtime.Function(folder, BINARY, variables)
        self.api = HttpApi(self.function, self.stack, callers, **api)

    def __enter__(self):
        self.function.__enter__()
        self.api.__enter__()
        return self

    def __exit__(self, *reason):
        self.api.__exit__(*reason)
        self.function.__exit__(*reason)

    def write(self, path, name, *, base=None, **options):
        body = protocol.encode(protocol.write_request([({"__name__": name, "path": path}, [(1.5, NOW)])]))
        return requests.post((base or self.api.base) + path, data=body, headers=WRITE_HEADERS, timeout=30, **options)

    def read(self, path, name, *, base=None, **options):
        message = protocol.read_request(NOW - 60_000, NOW + 60_000, (protocol.EQ, "__name__", name))
        return requests.post(
            (base or self.api.base) + path, data=protocol.encode(message), headers=READ_HEADERS, timeout=30, **options
        )

    def read_names(self, path, name, **options):
        answer = self.read(path, name, **options)
        assert answer.status_code == 200, answer.text
        (result,) = protocol.decode_read(answer.content)
        return {dict(labels)[b"__name__"].decode() for labels in result}


@pytest.fixture(scope="module")
def deployed(store, tmp_path_factory):
    with Deployed(tmp_path_factory.mktemp("default"), store) as running:
        yield running


@pytest.fixture(scope="module")
def signed(store, tmp_path_factory):
    parameters = {"EnableSigV4Auth": "true"}
    with Deployed(tmp_path_factory.mktemp("signed"), store, parameters=parameters, callers=[CALLER]) as running:
        yield running


def prometheus(folder, writes, reads):
    """A Prometheus that scrapes itself; what it has at an instant, from its own storage and read back."""
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "self", "static_configs": [{"targets": ["127.0.0.1:0"]}]}],
        "remote_write": [writes | {"queue_config": {"batch_send_deadline": "200ms"}}],
        "remote_read": [reads],
    }
    server = Prometheus("3", folder, config)
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{server.port}"]
    server.set_config(config)
    return server


# No summaries: with variables in place of a file NaN is left out, as the connector does.
QUERIES = ["up", 'prometheus_build_info{job="self"}', 'count({__name__=~"prometheus_.+_total"}) > 50']


def test_the_articles_flow_with_a_real_prometheus(deployed, store, tmp_path):
    (tmp_path / "secret").write_text(SENDER[1])
    login = {"basic_auth": {"username": SENDER[0], "password_file": str(tmp_path / "secret")}}
    # The stack's outputs, on the double's host.
    writes, reads = (
        {"url": deployed.stack.outputs[name].replace("https://", "").partition("/")[2]}
        for name in ("InvokeWriteURL", "InvokeReadURL")
    )
    for remote in (writes, reads):
        remote["url"] = f"{deployed.api.url}/{remote['url']}"
    assert reads["url"].endswith("/dev/read")
    server = prometheus(tmp_path / "prometheus", writes | login, reads | login)
    stores_and_reads_back(server, store)
    assert {event["routeKey"] for event in deployed.api.events} >= {"POST /write", "POST /read"}


def stores_and_reads_back(server, store):
    with server:
        sent = "prometheus_remote_storage_samples_total"
        eventually(lambda: (server.metric(sent) or 0) > 1000, within=40, what="samples are sent")
        # An instant whose samples have all been sent.
        moment = time.time() - 1
        highest = "prometheus_remote_storage_queue_highest_sent_timestamp_seconds"
        eventually(lambda: (server.metric(highest) or 0) > moment, within=20, what="they are sent up to an instant")
        before = [server.query(query, moment) for query in QUERIES]
        assert all(result for result, _ in before)
        assert not server.metric("prometheus_remote_storage_samples_failed_total")
    server.empty_storage()
    rows = store.query.query(QueryString=f"SELECT COUNT(*) FROM {DATABASE}.{TABLE} WHERE measure_name = 'up'")["Rows"]
    assert int(rows[0]["Data"][0]["ScalarValue"]) > 0
    with server:
        assert [server.query(query, moment) for query in QUERIES] == before


def test_every_route_of_the_stack_is_one_of_the_gateways(deployed):
    routes = [key.removeprefix("POST ") for key in deployed.api.routes]
    writes = [route for route in routes if not route.endswith("read")]
    assert len(writes) == 6 and len(routes) == 10
    for number, route in enumerate(routes):
        # With variables in place of a file there is one tenant, and none has a path.
        expected = 404 if "{tenant}" in route else 204 if route in writes else 200
        path = route.replace("{tenant}", "payments")
        send = deployed.write if route in writes else deployed.read
        assert send(path, f"route_{number}", auth=SENDER).status_code == expected, route
    for path in ("/nowhere", "/write/", "/t/a/b/write"):
        answer = deployed.write(path, "nowhere", auth=SENDER)
        assert answer.status_code == 404 and answer.json() == {"message": "Not Found"}, path


def test_tenants_have_paths_of_their_own_with_a_file(store, tmp_path):
    (tmp_path / "function").mkdir()
    (tmp_path / "function" / "tenants.yaml").write_text(
        f"""
version: 1
timestream: {{backend: aws, region: us-east-1, write_endpoint: {store.url}, query_endpoint: {store.url}}}
tenants:
  payments: {{database: {DATABASE}, table: {TABLE}, shared_table: true, credentials: {{from: basic_auth}}}}
  search: {{database: {DATABASE}, table: {TABLE}, shared_table: true, credentials: {{from: environment}}, auth: none}}
"""
    )
    with Deployed(tmp_path / "function", store, parameters={"TenantsFile": "tenants.yaml"}) as running:
        assert "default_database" not in running.stack.variables
        for number, key in enumerate(running.api.routes):
            route = key.removeprefix("POST ")
            if "{tenant}" not in route:
                continue
            for tenant, auth in (("payments", SENDER), ("search", None)):
                path = route.replace("{tenant}", tenant)
                if route.endswith("read"):
                    assert running.read(path, f"by_{number}", auth=auth).status_code == 200, path
                else:
                    assert running.write(path, f"by_{number}_{tenant}", auth=auth).status_code == 204, path
            assert running.write("/t/payments/write", "by_nobody").status_code == 401


def test_prometheus_signs_its_writes_and_a_proxy_its_reads(signed, store, tmp_path):
    sigv4 = {"region": "us-east-1", "access_key": CALLER[0], "secret_key": CALLER[1], "service_name": "execute-api"}
    before = len(signed.api.events)
    with SigningProxy(signed.api.url, *CALLER) as proxy:
        server = prometheus(
            tmp_path / "prometheus", {"url": f"{signed.api.base}/write", "sigv4": sigv4},
            {"url": f"{proxy.url}/dev/read"},
        )
        stores_and_reads_back(server, store)
    events = signed.api.events[before:]
    assert {event["routeKey"] for event in events} == {"POST /write", "POST /read"}
    assert {event["requestContext"]["authorizer"]["iam"]["accessKey"] for event in events} == {CALLER[0]}
    # The caller's key is the API's affair; the store sees the role's alone.
    assert CALLER[0] not in store.log() and ROLE[0] in store.log()


def test_prometheus_own_default_service_is_not_the_apis(signed, tmp_path):
    sigv4 = {"region": "us-east-1", "access_key": CALLER[0], "secret_key": CALLER[1]}
    writes = {"url": f"{signed.api.base}/write", "sigv4": sigv4}
    with prometheus(tmp_path / "prometheus", writes, {"url": f"{signed.api.base}/read"}) as server:
        failed = "prometheus_remote_storage_samples_failed_total"
        eventually(lambda: server.metric(failed), within=30, what="the API refuses")
        assert "signed for aps in us-east-1" in signed.api.refused


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (("AKIDUNKNOWN", CALLER[1]), "nobody has the key"), ((CALLER[0], "another secret"), "the signature is wrong"),
    ],
)
def test_a_wrong_signature_does_not_reach_the_function(signed, key, reason):
    before = len(signed.api.events)
    with SigningProxy(signed.api.url, *key) as proxy:
        for path in ("/dev/write", "/dev/t/payments/api/v1/push"):
            answer = signed.write(path, "forged", base=proxy.url)
            assert answer.status_code == 403 and answer.json() == {"message": "Forbidden"}
    assert reason in signed.api.refused[-1]
    # Neither do AWS keys in basic authentication, nor nothing at all.
    assert signed.write("/write", "forged", auth=SENDER).status_code == 403
    assert signed.read("/read", "forged").status_code == 403
    assert len(signed.api.events) == before


def test_with_mutual_tls_and_one_domain_for_several_apis_the_base_path_is_no_part_of_the_route(store, tmp_path):
    parameters = {
        "DomainName": "metrics.example.com", "TruststoreUri": "s3://trust/ca.pem",
        "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
    }
    mappings = [("", False), ("prometheus", False), ("prometheus", True), ("a/t", True)]
    for number, (mapping, keeps) in enumerate(mappings):
        with Deployed(
            tmp_path / str(number), store, parameters=parameters, domain=True, mapping=mapping, keeps_mapping=keeps
        ) as running:
            name = f"mapped_{number}"
            for path in ("/write", "/api/v1/push"):
                assert running.write(path, name, auth=SENDER).status_code == 204, (mapping, path)
            assert running.read_names("/api/v1/read", name, auth=SENDER) == {name}


def test_prometheus_takes_the_documents_samples(tmp_path):
    text = (ROOT / "docs" / "lambda.md").read_text()
    samples = [sample for sample in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "remote_write:" in sample]
    assert len(samples) == 4
    for sample in samples:
        (tmp_path / "prometheus.yml").write_text(sample)
        command = [BINARIES["3"].with_name("promtool"), "check", "config", "--syntax-only", tmp_path / "prometheus.yml"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert result.returncode == 0, sample + result.stdout + result.stderr
