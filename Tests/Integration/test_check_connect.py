"""`check --connect` and `policy`: what an operator is told of every tenant's store, and that nothing is left in it."""

import json
import re
import subprocess

import pytest

from support.engine import Engine, Guard, denied
from support.faults import GOOD, Answer, FaultServer, error
from support.gateway import BINARY, Gateway
from support.process import free_port

COLUMNS = [
    "TENANT", "CREDENTIALS", "EXPIRES", "REGION", "CELL", "DATABASE", "TABLE", "MAGNETIC WRITES", "RETENTION",
    "DIMENSIONS", "READ", "WRITE",
]
KEYS = {
    name.upper(): (f"hush/{name}", "production", name)
    for name in ("good", "bare", "absent", "making", "reader", "writer")
}


def run(*arguments, env=None):
    result = subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert "hush" not in result.stdout + result.stderr
    return result.returncode, result.stdout, result.stderr


def table(output):
    """The lines of the table, by tenant."""
    lines = output.split("\n\n")[0].splitlines()
    heads = list(re.finditer(r"\S+(?: \S+)*", lines[0]))
    assert [head.group() for head in heads] == COLUMNS
    starts = [head.start() for head in heads] + [None]
    rows = {}
    for line in lines[1:]:
        cells = [line[start:end].strip() for start, end in zip(starts, starts[1:])]
        rows[cells[0]] = dict(zip(COLUMNS, cells))
    return rows


def entry(name, key=None, more="", database="production", table_name=None, endpoint=None):
    key = key or name.upper()
    secret = KEYS.get(key, ("hush/none",))[0]
    where = f"write_endpoint: \"{endpoint}\", query_endpoint: \"{endpoint}\", " if endpoint else ""
    return (
        f"{name}: {{database: {database}, table: {table_name or name}, {where}{more}"
        f"credentials: {{access_key_id: {key}, secret_access_key: {secret}}}, auth: none}}\n"
    )


def config(folder, tenants, store):
    url = getattr(store, "url", store)
    timestream = f'backend: aws, region: eu-west-1, write_endpoint: "{url}", query_endpoint: "{url}"'
    return Gateway(folder, tenants=tenants, timestream=timestream).config


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Engine(tmp_path_factory.mktemp("engine"), KEYS) as engine:
        engine.make_table(
            "GOOD",
            RetentionProperties={"MemoryStoreRetentionPeriodInHours": 12, "MagneticStoreRetentionPeriodInDays": 100},
            MagneticStoreWriteProperties={"EnableMagneticStoreWrites": True},
        )
        dimensions = [{"Name": f"d{number}", "Value": "v"} for number in range(7)]
        engine.client("GOOD").write_records(
            DatabaseName="production", TableName="good",
            Records=[{"Dimensions": dimensions, "MeasureName": "m", "MeasureValue": "1", "Time": "1760000000000"}],
        )
        engine.make_table("BARE")
        for key in ("READER", "WRITER"):
            engine.make_table(key)
        yield engine


def test_a_tenant_that_works_is_shown_with_all_there_is(engine, tmp_path):
    before = engine.rows("GOOD")
    code, output, error_text = run("check", "--connect", "--config", config(tmp_path, entry("good") + entry("bare"), engine))
    assert code == 0, output + error_text
    assert table(output) == {
        "good": {
            "TENANT": "good", "CREDENTIALS": "configuration", "EXPIRES": "never", "REGION": "eu-west-1",
            "CELL": f"127.0.0.1:{engine.port}", "DATABASE": "production", "TABLE": "good", "MAGNETIC WRITES": "on",
            "RETENTION": "12 h + 100 d", "DIMENSIONS": "7 of 128", "READ": "described", "WRITE": "ok",
        },
        "bare": {
            "TENANT": "bare", "CREDENTIALS": "configuration", "EXPIRES": "never", "REGION": "eu-west-1",
            "CELL": f"127.0.0.1:{engine.port}", "DATABASE": "production", "TABLE": "bare", "MAGNETIC WRITES": "off",
            "RETENTION": "6 h + 73000 d", "DIMENSIONS": "0 of 128", "READ": "described", "WRITE": "ok",
        },
    }
    assert output.rstrip().endswith("2 tenants, all work")
    assert "magnetic writes are off (bare)" in output and "add --select (good, bare)" in output
    # Nothing was left there.
    assert engine.rows("GOOD") == before and engine.rows("BARE") == []


def test_select_proves_reading(engine, tmp_path):
    with Guard(engine, lambda call: None) as guard:
        code, output, _ = run("check", "--connect", "--select", "--config", config(tmp_path, entry("good"), guard))
        assert code == 0 and table(output)["good"]["READ"] == "ok" and "--select" not in output
        statements = [call.message["QueryString"] for call in guard.calls if call.operation == "Query"]
        assert [text.split()[0] for text in statements] == ["DESCRIBE", "SELECT"]


def test_the_three_permissions_of_the_article_are_enough(engine, tmp_path):
    def only_three(call):
        if call.operation == "DescribeTable" or call.operation == "Query" and "SELECT" not in call.message["QueryString"]:
            return denied(call, "DescribeTable")
        return None

    with Guard(engine, only_three) as guard:
        code, output, _ = run("check", "--connect", "--config", config(tmp_path, entry("good") + entry("bare"), guard))
    assert code == 0, output
    row = table(output)["good"]
    assert (row["READ"], row["WRITE"], row["RETENTION"], row["MAGNETIC WRITES"]) == ("ok", "ok", "?", "?")
    assert row["DIMENSIONS"] == "at most 7 of 128"
    assert output.count("timestream:DescribeTable is not allowed") == 1
    assert "(good, bare)" in output


def test_each_missing_permission_is_named_with_its_statement(engine, tmp_path):
    def answer(call):
        if call.key_id == "READER" and call.operation == "WriteRecords":
            return denied(call, "WriteRecords")
        if call.key_id == "WRITER" and call.operation == "Query":
            return denied(call, "Select" if "SELECT" in call.message["QueryString"] else "DescribeTable")
        return None

    with Guard(engine, answer) as guard:
        tenants = entry("reader") + entry("writer") + entry("good")
        code, output, _ = run("check", "--connect", "--config", config(tmp_path, tenants, guard))
    assert code == 1
    rows = table(output)
    assert {name: (row["READ"], row["WRITE"]) for name, row in rows.items()} == {
        "reader": ("described", "fails"), "writer": ("fails", "ok"), "good": ("described", "ok"),
    }
    assert "\nreader: writing: AccessDeniedException" in output and "\nwriter: reading: AccessDeniedException" in output
    for action in ("WriteRecords", "Select"):
        assert f'{{"Effect": "Allow", "Action": "timestream:{action}"' in output
    assert "3 tenants, 2 to be mended" in output


def test_a_missing_table_is_a_fault_unless_it_is_made(engine, tmp_path):
    tenants = entry("absent") + entry("making", more="create_missing: {}, ")
    code, output, _ = run("check", "--connect", "--config", config(tmp_path, tenants, engine))
    assert code == 1
    rows = table(output)
    for name in ("absent", "making"):
        assert (rows[name]["READ"], rows[name]["WRITE"]) == ("no table", "no table"), output
    assert "\nabsent: table: production.absent does not exist in eu-west-1\n  fix: make" in output
    assert "create_missing: {}" in output and "made at the first write" in output and "(making)" in output
    # A look makes nothing.
    client = engine.client("MAKING")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(DatabaseName="production", TableName="making")
    assert run("check", "--connect", "--tenant", "making", "--config", config(tmp_path, tenants, engine))[0] == 0


def test_wrong_keys_and_an_unreachable_store_are_told_and_harm_no_other(engine, tmp_path):
    nowhere = f"http://127.0.0.1:{free_port()}"
    tenants = (
        entry("good") + entry("stranger", key="NOBODY") + entry("unreachable", key="GOOD", endpoint=nowhere)
        + "profiled: {database: production, table: profiled, credentials: {profile: nonesuch}, auth: none}\n"
    )
    code, output, _ = run(
        "check", "--connect", "--config", config(tmp_path, tenants, engine), env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )
    assert code == 1
    rows = table(output)
    assert (rows["good"]["READ"], rows["good"]["WRITE"]) == ("described", "ok")
    assert "stranger: describing the table, reading, writing: UnrecognizedClientException" in output
    assert "fix: mend the tenant's keys" in output
    assert "unreachable: describing the table, reading, writing: " in output
    assert rows["profiled"]["WRITE"] == "?" and "profiled: credentials: " in output and "nonesuch" in output
    assert "4 tenants, 3 to be mended" in output


def test_endpoints_are_discovered_and_the_cell_is_shown(engine, tmp_path):
    """Discovery goes to AWS' own hosts, which are a proxy's affair here; see test_discovery.py."""
    from support.faults import ConnectProxy, tls_context
    from support.pki import Authority

    hosts = ("ingest.timestream", "query.timestream", "ingest-cell7.timestream", "query-cell7.timestream")
    authority = Authority(tmp_path / "aws", "Double")
    names = ",".join(f"DNS:{host}.eu-west-1.amazonaws.com" for host in hosts)
    certificate = authority.issue("server", san=names, usage="serverAuth")

    def answer(call):
        host = call.header("host").split(".")[0]
        if call.operation == "DescribeEndpoints":
            if call.key_id == "BARE":
                return denied(call, "DescribeEndpoints", "*")
            if call.key_id == "AKIAIOSFODNN7EXAMPLE":
                return error(403, "UnrecognizedClientException")
            address = f"{host}-cell7.timestream.eu-west-1.amazonaws.com"
            return Answer(200, {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]})
        assert host.endswith("-cell7")
        return Answer(200, GOOD)

    tenants = entry("good") + entry("bare") + (
        "callers: {database: production, table: callers, credentials: {from: basic_auth}}\n"
    )
    with FaultServer(answer, tls=tls_context(*certificate)) as server, ConnectProxy(server.port) as proxy:
        timestream = f'backend: aws, region: eu-west-1, proxy: "{proxy.url}", ca_bundle: {authority.certificate}'
        gateway = Gateway(tmp_path / "gateway", tenants=tenants, timestream=timestream)
        code, output, _ = run("check", "--connect", "--config", gateway.config)
    rows = table(output)
    assert code == 1
    assert rows["good"]["CELL"] == "cell7" and rows["bare"]["CELL"] == "?"
    assert '"Action": "timestream:DescribeEndpoints", "Resource": "*"' in output
    assert "bare: discovering the write endpoint, discovering the query endpoint: AccessDenied" in output
    # What takes everything is no Timestream.
    assert "good: writing: a record without dimensions was taken" in output
    assert "callers: " not in output and "(callers)" in output and rows["callers"]["CREDENTIALS"] == "caller's own"


def test_a_store_that_does_not_answer_costs_a_bounded_time(tmp_path):
    async def never(_):
        import asyncio

        await asyncio.sleep(60)

    with FaultServer(never) as server:
        code, output, _ = run("check", "--connect", "--config", config(tmp_path, entry("good"), server))
    assert code == 1 and "good: describing the table, reading, writing: " in output


def test_callers_with_keys_of_their_own_and_the_embedded_engine(engine, tmp_path):
    tenants = "callers: {database: production, table: callers, credentials: {from: basic_auth}}\n"
    code, output, _ = run("check", "--connect", "--config", config(tmp_path / "a", tenants, engine))
    assert code == 0 and "only that Timestream answers was checked (callers)" in output
    code, output, _ = run("check", "--connect", "--config", config(tmp_path / "b", tenants, f"http://127.0.0.1:{free_port()}"))
    assert code == 1 and "reaching the write endpoint, reaching the query endpoint" in output
    local = Gateway(tmp_path / "c", tenants="demo: {database: metrics, table: prometheus, auth: none}")
    code, output, _ = run("check", "--connect", "--config", local.config)
    assert code == 0 and "nothing to connect to" in output


def test_wrong_arguments(engine, tmp_path):
    file = config(tmp_path, entry("good"), engine)
    code, _, text = run("check", "--tenant", "good", "--config", file)
    assert code == 64 and "--connect" in text
    for command in (("check", "--connect"), ("policy",)):
        code, _, text = run(*command, "--tenant", "nonesuch", "--config", file)
        assert code == 64 and "nonesuch" in text and "good" in text
    code, _, text = run("policy", "--account", "12", "--config", file)
    assert code == 64 and "12 digits" in text
    code, _, text = run("policy", "--assume", "--config", file)
    assert code == 64 and "role_arn" in text


def test_policy_is_json_alone_and_warns_when_it_is_too_long(engine, tmp_path):
    file = config(tmp_path / "a", entry("good") + entry("making", more="create_missing: {}, "), engine)
    code, output, text = run("policy", "--account", "111122223333", "--config", file)
    statements = {statement["Sid"]: statement for statement in json.loads(output)["Statement"]}
    assert code == 0 and text == ""
    arn = "arn:aws:timestream:eu-west-1:111122223333:database/production"
    assert statements["RequiredData"]["Resource"] == [f"{arn}/table/good", f"{arn}/table/making"]
    assert statements["RequiredMakingTables"]["Resource"] == f"{arn}/table/making"
    code, output, _ = run("policy", "--tenant", "good", "--config", file)
    assert code == 0 and "making" not in output and "timestream:CreateTable" not in output
    many = "".join(entry(f"tenant-number-{number}", key="GOOD") for number in range(80))
    code, output, text = run("policy", "--config", config(tmp_path / "b", many, engine))
    assert code == 0 and len(json.loads(output)["Statement"]) >= 3 and "6144" in text
