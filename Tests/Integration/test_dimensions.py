"""Labels beyond the dimensions that a table takes: all are kept, and found again."""

import random

import boto3
import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
TENANTS = """
few:
  database: PrometheusDatabase
  table: Few
  auth: none
  credentials: {access_key_id: AKIDTEST, secret_access_key: test}
  mapping: {max_dimensions: 6}
  limits: {max_labels_per_series: 128}
listed:
  database: PrometheusDatabase
  table: Listed
  auth: none
  credentials: {access_key_id: AKIDTEST, secret_access_key: test}
  mapping: {dimensions: [job, instance]}
shared:
  database: PrometheusDatabase
  table: Shared
  auth: none
  credentials: {access_key_id: AKIDTEST, secret_access_key: test}
full:
  database: PrometheusDatabase
  table: Full
  auth: none
  credentials: {access_key_id: AKIDTEST, secret_access_key: test}
default:
  database: PrometheusDatabase
  table: Default
  auth: none
  credentials: {access_key_id: AKIDTEST, secret_access_key: test}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("dimensions"), tenants=TENANTS) as gateway:
        yield gateway


def client(gateway, service):
    return boto3.client(
        service, endpoint_url=gateway.engine_url, region_name="us-east-1", aws_access_key_id="AKIDTEST",
        aws_secret_access_key="test",
    )


def query(gateway, statement):
    answer = client(gateway, "timestream-query").query(QueryString=statement)
    return [[cell.get("ScalarValue") for cell in row["Data"]] for row in answer["Rows"]]


def columns(gateway, table):
    """The dimensions of a table, as the local engine describes them."""
    answer = query(gateway, f'DESCRIBE "PrometheusDatabase"."{table}"')
    return {row[0] for row in answer if row[2] == "DIMENSION"}


def fill(gateway, table, count):
    """Another writer takes up dimensions."""
    dimensions = [{"Name": f"other{number}", "Value": "x"} for number in range(count)]
    client(gateway, "timestream-write").write_records(
        DatabaseName="PrometheusDatabase",
        TableName=table,
        Records=[
            {
                "Dimensions": dimensions, "MeasureName": "m", "MeasureValue": "1", "MeasureValueType": "DOUBLE",
                "Time": str(NOW),
            }
        ],
    )


def check(gateway, tenant, expected, *matchers):
    found = gateway.read(f"/t/{tenant}/read", 0, NOW * 2, *matchers)
    assert found == {protocol.key(labels): [(protocol.bits(value), time)] for labels, value, time in expected}


def send(gateway, tenant, series):
    answer = gateway.write(f"/t/{tenant}/write", [(labels, [(value, time)]) for labels, value, time in series])
    assert answer.status_code == 204, answer.text


def test_300_label_names_round_trip_through_6_columns(gateway):
    generator = random.Random(11)
    values = ["a", "b", "a,b", "x=y", "1:a", "ü🦊", '"', "\\", "new\nline", "%2C", ""]
    series = []
    for number in range(150):
        labels = {"__name__": f"m{number % 4}", "number": str(number)}
        for name in generator.sample(range(300), generator.randint(0, 30)):
            label = f"l{name}" if name % 7 else f"odd.name,{name}=ü"
            if value := generator.choice(values):
                labels[label] = value
        series.append((labels, float(number), NOW + number))
    send(gateway, "few", series)
    names = columns(gateway, "Few")
    assert len(names - {"promx_metric", "promx_empty", "promx_overflow"}) == 6 and "promx_overflow" in names

    def chosen(keep):
        return [entry for entry in series if keep(entry[0])]

    check(gateway, "few", series, (protocol.RE, "__name__", "m.*"))
    for label in ("l1", "l2", "l150", "l299", "odd.name,7=ü", "odd.name,294=ü", "number", "nowhere"):
        metric = (protocol.EQ, "__name__", "m1")
        of_metric = lambda keep: chosen(lambda labels: labels["__name__"] == "m1" and keep(labels.get(label, "")))
        check(gateway, "few", of_metric(lambda value: value == "a"), metric, (protocol.EQ, label, "a"))
        check(gateway, "few", of_metric(lambda value: value == ""), metric, (protocol.EQ, label, ""))
        check(gateway, "few", of_metric(lambda value: value != "a,b"), metric, (protocol.NEQ, label, "a,b"))
        check(gateway, "few", of_metric(lambda value: value != ""), metric, (protocol.NEQ, label, ""))
        check(gateway, "few", of_metric(lambda value: value in ("a", "b")), metric, (protocol.RE, label, "a|b"))
        check(gateway, "few", of_metric(lambda value: value.startswith("a")), metric, (protocol.RE, label, "a.*"))
        check(gateway, "few", of_metric(lambda value: not value.startswith("a")), metric, (protocol.NRE, label, "a.*"))


def test_a_name_that_has_a_column_keeps_it(gateway):
    fill(gateway, "Default", 100)
    labels = {"__name__": "kept", "other5": "mine"} | {f"new{number}": "1" for number in range(40)}
    send(gateway, "default", [(labels, 1.0, NOW)])
    names = columns(gateway, "Default")
    assert len([name for name in names if name.startswith("new")]) == 20
    check(gateway, "default", [(labels, 1.0, NOW)], (protocol.EQ, "other5", "mine"), (protocol.EQ, "new39", "1"))


def test_only_listed_names_become_columns(gateway):
    labels = {"__name__": "up", "job": "j", "instance": "i", "pod": "p", "zone": "z"}
    send(gateway, "listed", [(labels, 1.0, NOW), (labels | {"pod": "q"}, 2.0, NOW)])
    assert columns(gateway, "Listed") == {"job", "instance", "promx_overflow"}
    check(gateway, "listed", [(labels | {"pod": "q"}, 2.0, NOW)], (protocol.EQ, "pod", "q"), (protocol.EQ, "job", "j"))
    rows = query(gateway, 'SELECT promx_overflow FROM "PrometheusDatabase"."Listed" ORDER BY promx_overflow')
    assert rows == [["3:pod=1:p,4:zone=1:z"], ["3:pod=1:q,4:zone=1:z"]]


def test_another_writer_uses_the_room_up(gateway):
    send(gateway, "shared", [({"__name__": "before", "a": "1"}, 1.0, NOW)])
    fill(gateway, "Shared", 126)
    # What the gateway knows is out of date now: the table has room for one more dimension only.
    series = [({"__name__": "after", "a": "1", f"b{number}": "2", "c": "3"}, 1.0, NOW) for number in range(250)]
    send(gateway, "shared", series)
    assert "promx_overflow" in columns(gateway, "Shared") and len(columns(gateway, "Shared")) == 128
    check(gateway, "shared", series, (protocol.EQ, "__name__", "after"))
    check(gateway, "shared", series[77:78], (protocol.EQ, "b77", "2"))
    special = [({"__name__": "after", "a": "1"}, 1.0, NOW), ({"__name__": "after", "a": "1"}, float("nan"), NOW + 1)]
    answer = gateway.write("/t/shared/write", [(labels, [(value, time)]) for labels, value, time in special])
    # There is no room for the column of special values' metrics.
    assert answer.status_code == 400 and "too_many_dimensions=1" in answer.text, answer.text


def test_a_table_without_any_room(gateway):
    fill(gateway, "Full", 128)
    good = {"__name__": "full", "other1": "1"}
    answer = gateway.write(
        "/t/full/write", [(good, [(1.0, NOW)]), ({"__name__": "full", "late": "1"}, [(1.0, NOW)])]
    )
    assert answer.status_code == 400 and "stored 1 of 2 samples" in answer.text, answer.text
    assert "too_many_dimensions=1" in answer.text and "other" not in answer.text
    check(gateway, "full", [(good, 1.0, NOW)], (protocol.EQ, "__name__", "full"))


def test_streamed_reads_have_the_labels_too(gateway):
    labels = {"__name__": "streamed", "job": "j", "pod": "p", "zone": "z"}
    send(gateway, "listed", [(labels | {"pod": str(number)}, float(number), NOW) for number in range(20)])
    request = protocol.read_request(0, NOW * 2, (protocol.EQ, "__name__", "streamed"), (protocol.RE, "pod", "1."))
    request.accepted_response_types.append(1)
    answer = gateway.read_raw("/t/listed/read", request)
    (series,) = protocol.decode_stream(answer.content)
    assert [dict(key)[b"pod"] for key in series] == [str(number).encode() for number in range(10, 20)]
