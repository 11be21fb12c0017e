"""AWS' own clients read the local engine, and botocore verifies what the gateway signs."""

import datetime
import http.server
import json
import os
import subprocess
import sys
import threading

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.validate
import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TENANTS = f"""
demo:
  database: PrometheusDatabase
  table: PrometheusMetricsTable
  credentials: {{access_key_id: {KEY[0]}, secret_access_key: "{KEY[1]}"}}
  auth: none
other:
  database: OtherDatabase
  table: other-table
  auth: none
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("aws"), tenants=TENANTS) as gateway:
        series = [({"__name__": "up", "job": "node", "instance": f"host-{n}:9100"}, [(n / 3, NOW)]) for n in range(250)]
        assert gateway.write("/t/demo/write", series).status_code == 204
        assert gateway.write("/t/other/write", [({"__name__": "theirs"}, [(1.0, NOW)])]).status_code == 204
        yield gateway


def client(gateway, service, key=KEY):
    return boto3.client(
        service, endpoint_url=gateway.engine_url, region_name="us-east-1", aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )


def test_boto3_reads_what_prometheus_wrote(gateway):
    query = client(gateway, "timestream-query")
    pages = query.get_paginator("query").paginate(
        QueryString='SELECT * FROM "PrometheusDatabase"."PrometheusMetricsTable" WHERE measure_name = \'up\''
    )
    rows, columns = [], None
    for page in pages:
        columns = [column["Name"] for column in page["ColumnInfo"]]
        rows += page["Rows"]
    assert set(columns) >= {"instance", "job", "measure_name", "time", "measure_value::double"}
    values = {}
    for row in rows:
        cells = dict(zip(columns, row["Data"]))
        assert cells["time"]["ScalarValue"] == "2025-10-09 08:53:20.000000000"
        values[cells["instance"]["ScalarValue"]] = float(cells["measure_value::double"]["ScalarValue"])
    assert values == {f"host-{n}:9100": n / 3 for n in range(250)}


def test_boto3_describes_and_lists(gateway):
    write = client(gateway, "timestream-write")
    table = write.describe_table(DatabaseName="PrometheusDatabase", TableName="PrometheusMetricsTable")["Table"]
    assert table["TableStatus"] == "ACTIVE" and isinstance(table["CreationTime"], datetime.datetime)
    assert write.describe_endpoints()["Endpoints"][0]["Address"].endswith(str(gateway.engine_port))


def test_a_key_reaches_its_own_table_only(gateway):
    query = client(gateway, "timestream-query")
    with pytest.raises(query.exceptions.AccessDeniedException):
        query.query(QueryString='SELECT * FROM "OtherDatabase"."other-table"')
    for key in (("AKIDNOBODY", KEY[1]), (KEY[0], "wrong")):
        stranger = client(gateway, "timestream-query", key)
        with pytest.raises(botocore.exceptions.ClientError) as refusal:
            stranger.query(QueryString="SELECT 1")
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_boto3_writes_and_sees_rejections(gateway):
    write = client(gateway, "timestream-write")
    record = {
        "Dimensions": [{"Name": "d", "Value": "1"}], "MeasureName": "boto", "MeasureValue": "1.5",
        "MeasureValueType": "DOUBLE", "Time": str(NOW),
    }
    place = {"DatabaseName": "PrometheusDatabase", "TableName": "PrometheusMetricsTable"}
    assert write.write_records(Records=[record], **place)["RecordsIngested"]["Total"] == 1
    with pytest.raises(write.exceptions.RejectedRecordsException) as refusal:
        write.write_records(Records=[record | {"MeasureValue": "2"}, record | {"Time": str(NOW + 1)}], **place)
    assert [r["RecordIndex"] for r in refusal.value.response["RejectedRecords"]] == [0]
    with pytest.raises(write.exceptions.ValidationException):
        write.write_records(Records=[record | {"MeasureValue": "NaN"}], **place)


def test_awscli_counts_the_samples(gateway):
    environment = os.environ | {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1]}
    aws = os.path.join(os.path.dirname(sys.executable), "aws")
    result = subprocess.run(
        [
            aws, "timestream-query", "query", "--endpoint-url", gateway.engine_url, "--region", "us-east-1",
            "--query-string", "SELECT COUNT() FROM PrometheusDatabase.PrometheusMetricsTable WHERE measure_name = 'up'",
        ],
        capture_output=True, text=True, env=environment, timeout=60, check=False,
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["Rows"] == [{"Data": [{"ScalarValue": "250"}]}]
    assert answer["ColumnInfo"] == [{"Name": "_col0", "Type": {"ScalarType": "BIGINT"}}]


class Verifier(http.server.BaseHTTPRequestHandler):
    """A Timestream that checks signature and shape of every request by botocore."""

    protocol_version = "HTTP/1.1"
    requests = []
    faults = []

    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        try:
            self.check_signature(body)
            self.check_shape(operation, json.loads(body))
        except Exception as error:  # noqa: BLE001
            Verifier.faults.append(repr(error))
        Verifier.requests.append((operation, json.loads(body)))
        answer = (
            {"RecordsIngested": {"Total": 1, "MemoryStore": 1, "MagneticStore": 0}}
            if operation == "WriteRecords"
            else {"QueryId": "A1", "Rows": [], "ColumnInfo": [{"Name": "time", "Type": {"ScalarType": "TIMESTAMP"}}]}
        )
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def check_signature(self, body):
        sent = self.headers["Authorization"]
        signed = sent.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"content-type", "host", "x-amz-date", "x-amz-target"} <= set(signed)
        request = botocore.awsrequest.AWSRequest(
            "POST", f"http://{self.headers['Host']}{self.path}", data=body,
            headers={name: self.headers[name] for name in signed if name not in ("host", "x-amz-date")},
        )
        signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*KEY), "timestream", "eu-west-1")
        request.context["timestamp"] = self.headers["X-Amz-Date"]
        request.headers["X-Amz-Date"] = self.headers["X-Amz-Date"]
        canonical = signer.canonical_request(request)
        signature = signer.signature(signer.string_to_sign(request, canonical), request)
        assert sent.endswith(f"Signature={signature}"), "the signature differs from botocore's"

    @staticmethod
    def check_shape(operation, message):
        service = "timestream-query" if operation == "Query" else "timestream-write"
        model = botocore.session.get_session().get_service_model(service)
        shape = model.operation_model(operation).input_shape
        report = botocore.validate.ParamValidator().validate(message, shape)
        assert not report.has_errors(), report.generate_report()
        unknown = set(message) - set(shape.members)
        assert not unknown, unknown

    def log_message(self, *_):
        pass


def test_botocore_verifies_every_call(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Verifier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    tenants = f"""
    aws:
      database: production
      table: prometheus
      region: eu-west-1
      write_endpoint: "{endpoint}"
      query_endpoint: "{endpoint}"
      credentials: {{access_key_id: {KEY[0]}, secret_access_key: "{KEY[1]}"}}
      auth: none
    """
    with Gateway(tmp_path, tenants=tenants, timestream="backend: aws, region: eu-west-1") as gateway:
        series = [
            ({"__name__": f"m{n % 5}", "job": "jöb", "n": str(n), "quote": '"\\\n'}, [(n / 7, NOW), (protocol.STALE, NOW + 1)])
            for n in range(333)
        ]
        assert gateway.write("/t/aws/write", series).status_code == 204
        assert gateway.read("/t/aws/read", NOW, NOW + 5, (protocol.EQ, "__name__", "it's"), (protocol.NEQ, "ö", "ü")) == {}
    server.shutdown()
    assert Verifier.faults == []
    operations = [operation for operation, _ in Verifier.requests]
    assert operations.count("WriteRecords") == 8, "333 samples and 333 special values, 100 a call"
    assert "Query" in operations
    sent = sum(len(message["Records"]) for operation, message in Verifier.requests if operation == "WriteRecords")
    assert sent == 666
