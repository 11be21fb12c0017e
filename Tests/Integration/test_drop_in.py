"""Started with the flags of AWS' Prometheus connector, the gateway takes its place: nothing else changes for its users."""

import subprocess
import time

import boto3
import pytest
import requests

from support import protocol
from support.gateway import BINARY, READ_HEADERS, WRITE_HEADERS
from support.faults import FaultServer, error
from support.process import Child, eventually, free_port, http_get
from support.prometheus import Prometheus

NOW = int(time.time() * 1000)
KEY = ("AKIDCONNECTOR", "secret-of-the/connector+user")
DATABASE, TABLE = "PrometheusDatabase", "PrometheusMetricsTable"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    port = free_port()
    child = Child(
        [BINARY, "local", "--listen", f"127.0.0.1:{port}", "--directory", folder / "data",
         "--key", f"{KEY[0]}:{KEY[1]}:{DATABASE}/{TABLE}"],
        folder / "store.log", cwd=folder,
    )
    child.url = f"http://127.0.0.1:{port}"
    eventually(lambda: "serving" in child.log(), what="the store is ready")
    keys = {"aws_access_key_id": KEY[0], "aws_secret_access_key": KEY[1], "region_name": "us-east-1"}
    child.write = boto3.client("timestream-write", endpoint_url=child.url, **keys)
    child.query = boto3.client("timestream-query", endpoint_url=child.url, **keys)
    child.write.create_database(DatabaseName=DATABASE)
    child.write.create_table(DatabaseName=DATABASE, TableName=TABLE)
    yield child
    child.stop()


class Connector:
    """The gateway, started with the connector's flags alone."""

    def __init__(self, folder, store_url, *flags, port=None, telemetry="/metrics", ca=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"{'https' if ca else 'http'}://localhost:{self.port}"
        self.telemetry = telemetry
        self.verify = str(ca) if ca else True
        command = [
            BINARY, f"--default-database={DATABASE}", f"--default-table={TABLE}",
            f"--write-base-endpoint={store_url}", f"--query-base-endpoint={store_url}", *flags,
        ]
        if port is None:
            command.append(f"--web.listen-address=:{self.port}")
        self.child = Child(command, folder / "connector.log", cwd=folder)

    def __enter__(self):
        def is_listening():
            assert self.child.is_running(), self.child.log()
            try:
                return requests.get(self.url + "/-/ready", timeout=5, verify=self.verify).status_code == 200
            except requests.ConnectionError:
                return False

        eventually(is_listening, what="it listens")
        return self

    def __exit__(self, *_):
        assert self.child.stop() == 0

    def send(self, series, path="/write", auth=KEY, **options):
        body = protocol.encode(protocol.write_request(series))
        return requests.post(self.url + path, data=body, headers=WRITE_HEADERS, auth=auth, timeout=30, **options)

    def read(self, *matchers, path="/read", auth=KEY, start=NOW - 60_000, end=NOW + 60_000):
        body = protocol.encode(protocol.read_request(start, end, *matchers))
        answer = requests.post(self.url + path, data=body, headers=READ_HEADERS, auth=auth, timeout=30)
        assert answer.status_code == 200, answer.text
        (result,) = protocol.decode_read(answer.content)
        return {tuple((str(n, "utf-8"), str(v, "utf-8")) for n, v in labels): found for labels, found in result.items()}

    def metric(self, name):
        status, text = http_get(self.url + self.telemetry)
        assert status == 200
        values = [line.split()[-1] for line in text.splitlines() if line.startswith((name + "{", name + " "))]
        return sum(map(float, values)) if values else None


def named(name, value, **labels):
    return [({"__name__": name, "job": "drop-in", **labels}, [(value, NOW)])]


def test_the_documented_command_line_writes_reads_counts_and_logs(store, tmp_path):
    with Connector(tmp_path, store.url) as connector:
        assert connector.send(named("documented", 1.5)).status_code == 204
        found = connector.read((protocol.EQ, "__name__", "documented"))
        assert found == {(("__name__", "documented"), ("job", "drop-in")): [(protocol.bits(1.5), NOW)]}
        # The connector's names, on its only port.
        for name, value in {
            "timestream_connector_received_samples_total": 1, "timestream_connector_ignored_samples_total": 0,
            "timestream_connector_write_requests_total": 1, "timestream_connector_read_requests_total": 1,
            "timestream_connector_write_duration_seconds_count": 1,
            "timestream_connector_read_duration_seconds_count": 1,
        }.items():
            assert connector.metric(name) == value, name
        log = connector.child.log()
    place = f"(Database: {DATABASE}, Table: {TABLE}, Region: us-east-1)"
    assert f'message="Timestream connection is initialized {place}"' in log
    assert "now ready to begin serving ingestion and query requests" in log
    assert KEY[1] not in log
    assert "AWS keys cross the network in the clear" in log


def test_real_prometheus_with_basic_auth(store, tmp_path):
    with Connector(tmp_path / "connector", store.url) as connector:
        remote = {"basic_auth": {"username": KEY[0], "password": KEY[1]}}
        config = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "connector", "static_configs": [{"targets": [f"localhost:{connector.port}"]}]}
            ],
            "remote_write": [
                remote | {"url": f"{connector.url}/write", "queue_config": {"batch_send_deadline": "1s"}}
            ],
        }
        prometheus = Prometheus("2.42", tmp_path / "prometheus", config)
        with prometheus:
            eventually(
                lambda: (connector.metric("timestream_connector_received_samples_total") or 0) > 500,
                within=30, what="samples arrive",
            )
            query = "timestream_connector_received_samples_total"
            eventually(lambda: prometheus.query(query, int(time.time()) - 3)[0], what="its own metrics are scraped")
            end = int(time.time()) - 3
            before = prometheus.query(query, end)
            assert before[0]
            eventually(
                lambda: (prometheus.metric("prometheus_remote_storage_queue_highest_sent_timestamp_seconds") or 0) > end,
                what="all up to then is sent",
            )
        prometheus.empty_storage()
        config["remote_read"] = [remote | {"url": f"{connector.url}/read", "read_recent": True}]
        config["scrape_configs"] = []
        del config["remote_write"]
        prometheus.set_config(config)
        with prometheus:
            assert prometheus.query(query, end) == before


def test_tables_of_the_connector_are_readable_and_ours_by_it(store, tmp_path):
    # As the connector writes: one DOUBLE measure a record, every label a dimension, milliseconds.
    record = {
        "Dimensions": [{"Name": "instance", "Value": "a:9090"}, {"Name": "job", "Value": "old"}],
        "MeasureName": "written_before", "MeasureValue": "2.5", "MeasureValueType": "DOUBLE", "Time": str(NOW),
        "TimeUnit": "MILLISECONDS",
    }
    store.write.write_records(DatabaseName=DATABASE, TableName=TABLE, Records=[record])
    with Connector(tmp_path, store.url) as connector:
        found = connector.read((protocol.EQ, "__name__", "written_before"))
        labels = (("__name__", "written_before"), ("instance", "a:9090"), ("job", "old"))
        assert found == {labels: [(protocol.bits(2.5), NOW)]}
        assert connector.send(named("written_after", 3.25, instance="b:9090")).status_code == 204
    # As the connector reads: all columns, by name, value and time from their own.
    seconds = NOW // 1000
    answer = store.query.query(
        QueryString=f'SELECT * FROM "{DATABASE}"."{TABLE}" WHERE measure_name = \'written_after\' '
        f"AND job = 'drop-in' AND time BETWEEN FROM_UNIXTIME({seconds - 1}) AND FROM_UNIXTIME({seconds + 1})"
    )
    (row,) = answer["Rows"]
    cells = {
        column["Name"]: cell["ScalarValue"]
        for column, cell in zip(answer["ColumnInfo"], row["Data"], strict=True)
        if not cell.get("NullValue")
    }
    assert cells.pop("time").startswith("20")
    assert cells == {
        "measure_name": "written_after", "measure_value::double": "3.25", "instance": "b:9090", "job": "drop-in",
    }


def test_every_flag_at_once_with_tls(store, tmp_path, pki):
    certificate, key = pki.server
    flags = [
        "--region=eu-west-1", f"--tls-certificate={certificate}", f"--tls-key={key}",
        "--web.telemetry-path=/timestream-metrics", "--enable-logging=T", "--fail-on-long-label=1",
        "--fail-on-invalid-sample-value", "TRUE", "--max-read-retries=5", "--max-write-retries=2", "--log.level=debug",
        "--log.format=json", "--enable-sigv4-auth=False",
    ]
    with Connector(tmp_path, store.url, *flags, ca=pki.ca) as connector:
        answer = connector.send(named("over_tls", 1), verify=str(pki.ca))
        assert answer.status_code == 204, answer.text
        page = requests.get(connector.url + "/timestream-metrics", verify=str(pki.ca), timeout=5)
        assert "timestream_connector_received_samples_total" in page.text
        assert requests.get(connector.url + "/metrics", verify=str(pki.ca), timeout=5).status_code == 404
        refused = connector.send(named("over_tls", float("nan")), verify=str(pki.ca))
        assert refused.status_code == 400 and "special_value=1" in refused.text
        refused = connector.send(named("m" * 300, 1), verify=str(pki.ca))
        assert refused.status_code == 400 and "name_too_long=1" in refused.text
        # A sender cannot stop it.
        assert connector.send(named("over_tls", 2, after="refusals"), verify=str(pki.ca)).status_code == 204
        log = connector.child.log()
        assert '"level":"debug"' in log and "Region: eu-west-1" in log


def test_by_default_what_timestream_cannot_hold_is_left_out_and_counted(store, tmp_path):
    with Connector(tmp_path, store.url) as connector:
        series = named("mixed", float("inf")) + named("m" * 300, 1) + named("mixed", 4.0, which="good")
        assert connector.send(series).status_code == 204
        assert connector.metric("timestream_connector_ignored_samples_total") == 2
        found = connector.read((protocol.EQ, "__name__", "mixed"))
        assert list(found.values()) == [[(protocol.bits(4.0), NOW)]]


def test_keys_are_asked_for_and_passed_through(store, tmp_path):
    with Connector(tmp_path, store.url) as connector:
        assert connector.send(named("x", 1), auth=None).status_code == 401
        assert connector.send(named("x", 1), auth=("AKIDUNKNOWN", "x")).status_code == 403
        # Names of tenants have no meaning here.
        body = protocol.encode(protocol.write_request(named("with_header", 1)))
        headers = WRITE_HEADERS | {"X-Scope-OrgID": "somebody"}
        answer = requests.post(connector.url + "/write", data=body, headers=headers, auth=KEY, timeout=30)
        assert answer.status_code == 204
        assert connector.send(named("x", 1), path="/t/default/write").status_code == 404


def test_logging_can_be_switched_off(store, tmp_path):
    with Connector(tmp_path, store.url, "--enable-logging=false") as connector:
        assert connector.send(named("silent", 1)).status_code == 204
        assert connector.child.log() == ""


@pytest.mark.parametrize(("flag", "tries"), [("--max-write-retries=2", 3), ("--max-write-retries=0", 1)])
def test_writes_are_tried_as_often_as_told(tmp_path, flag, tries):
    with FaultServer(lambda request: error(500, "InternalServerException")) as failing:
        with Connector(tmp_path, failing.url, flag) as connector:
            assert connector.send(named("failing", 1)).status_code == 503
        assert failing.count(KEY[0]) == tries


@pytest.mark.parametrize(("flag", "tries"), [("--max-retries=1", 2), ("--max-read-retries=0", 1)])
def test_queries_are_tried_as_often_as_told(tmp_path, flag, tries):
    with FaultServer(lambda request: error(500, "InternalServerException")) as failing:
        with Connector(tmp_path, failing.url, flag) as connector:
            body = protocol.encode(protocol.read_request(NOW - 1, NOW, (protocol.EQ, "__name__", "x")))
            answer = requests.post(connector.url + "/read", data=body, headers=READ_HEADERS, auth=KEY, timeout=30)
            assert answer.status_code == 503
        assert failing.count(KEY[0], "Query") == tries


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--default-database=db1"], 78, "--default-table: missing"),
        (["--default-table=t01"], 78, "must be set through the flag --default-database"),
        (["--enable-logging=yes"], 78, "--enable-logging: expected true or false, found \"yes\""),
        (["--fail-on-long-label=maybe"], 78, "--fail-on-long-label: expected true or false"),
        (["--max-read-retries=many"], 78, "--max-read-retries: expected an integer"),
        (["--tls-certificate=server.crt"], 78, "without --tls-key"),
        (["--log.level=loud"], 64, "--log.level"),
        (["--no-such-flag=1"], 64, "--no-such-flag"),
        (["--config", "tenants.yaml", "--region=us-east-1"], 64, "exclude each other"),
    ],
)
def test_a_wrong_command_line_starts_nothing(tmp_path, arguments, code, message):
    result = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
