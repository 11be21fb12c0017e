"""`create_missing`: the table is made by the first write, with the settings that the tenant has, and once."""

import concurrent.futures

import pytest

from support import protocol
from support.engine import Engine, Guard, denied
from support.gateway import Gateway
from support.process import eventually

NOW = 1_760_000_000_000
SERIES = [({"__name__": "up", "job": "node"}, [(1.0, NOW)])]
KEYS = {name.upper(): (f"hush/{name}", f"db-{name}", "prometheus") for name in ("fresh", "keyed", "twice", "plain", "barred")}


@pytest.fixture
def engine(tmp_path):
    with Engine(tmp_path, KEYS) as engine:
        yield engine


def gateway(folder, store, **settings):
    tenants = "".join(
        f"{name}:\n  database: {KEYS[name.upper()][1]}\n  table: prometheus\n"
        + (f"  create_missing: {{{made}}}\n" if made is not None else "")
        + f"  credentials: {{access_key_id: {name.upper()}, secret_access_key: hush/{name}}}\n  auth: none\n"
        for name, made in settings.items()
    )
    timestream = f'backend: aws, region: eu-west-1, write_endpoint: "{store.url}", query_endpoint: "{store.url}"'
    return Gateway(folder, tenants=tenants, timestream=timestream, defaults="limits: {request_deadline: 10s}")


def described(engine, key):
    _, database, table = KEYS[key]
    return engine.client(key).describe_table(DatabaseName=database, TableName=table)["Table"]


def test_tables_are_made_with_their_settings_and_take_what_was_sent(engine, tmp_path):
    keyed = "memory_store_hours: 48, magnetic_store_days: 30, magnetic_store_writes: false, partition_key: {dimension: job}"
    with gateway(tmp_path / "gateway", engine, fresh="", keyed=keyed) as running:
        for name in ("fresh", "keyed"):
            assert running.write(f"/t/{name}/write", SERIES).status_code == 204
            assert len(running.read(f"/t/{name}/read", NOW, NOW, (protocol.EQ, "__name__", "up"))) == 1
        fresh, table = described(engine, "FRESH"), described(engine, "KEYED")
        assert fresh["RetentionProperties"] == {
            "MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 365,
        }
        assert fresh["MagneticStoreWriteProperties"]["EnableMagneticStoreWrites"] is True
        assert fresh["Schema"]["CompositePartitionKey"] == [{"Type": "MEASURE"}]
        assert table["RetentionProperties"] == {
            "MemoryStoreRetentionPeriodInHours": 48, "MagneticStoreRetentionPeriodInDays": 30,
        }
        assert table["MagneticStoreWriteProperties"]["EnableMagneticStoreWrites"] is False
        assert table["Schema"]["CompositePartitionKey"] == [
            {"Type": "DIMENSION", "Name": "job", "EnforcementInRecord": "OPTIONAL"}
        ]
        assert running.metric("gateway_timestream_tables_created_total", tenant="keyed") == 1
        log = running.log()
        assert log.count("made the tenant's table") == 2 and log.count("made the tenant's database") == 2
        assert "hush" not in log


def test_writers_at_once_make_it_once_even_from_two_gateways(engine, tmp_path):
    with Guard(engine, lambda call: None) as guard:
        with gateway(tmp_path / "a", guard, twice="") as one, gateway(tmp_path / "b", guard, twice="") as other:

            def write(number):
                series = [({"__name__": "up", "job": f"node-{number}"}, [(1.0, NOW)])]
                return (one, other)[number % 2].write("/t/twice/write", series).status_code

            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                assert set(pool.map(write, range(32))) == {204}
            made = [g.metric("gateway_timestream_tables_created_total", tenant="twice") for g in (one, other)]
            assert sum(made) == 1
        # One of each gateway, and one more after the database was made.
        assert 2 <= guard.count("TWICE", "CreateTable") <= 4
        assert len(engine.rows("TWICE")) == 32


def test_without_it_and_without_permission_it_is_an_operators_fault_by_name(engine, tmp_path):
    def answer(call):
        if call.key_id == "BARRED" and call.operation == "CreateTable":
            return denied(call, "CreateTable")
        return None

    with Guard(engine, answer) as guard:
        with gateway(tmp_path / "gateway", guard, plain=None, barred="", fresh="") as running:
            for _ in range(3):
                for name in ("plain", "barred"):
                    answer = running.write(f"/t/{name}/write", SERIES)
                    assert answer.status_code == 503 and "operator" in answer.text and "Retry-After" in answer.headers
                assert running.write("/t/fresh/write", SERIES).status_code == 204
            # Not asked again at each write.
            assert guard.count("BARRED", "CreateTable") == 1 and guard.count("PLAIN", "CreateTable") == 0

            def told():
                lines = [line for line in running.log().splitlines() if "Timestream refuses this tenant" in line]
                barred = [line for line in lines if "tenant=barred" in line and "iam.action=timestream:CreateTable" in line]
                plain = [line for line in lines if "tenant=plain" in line and "create_missing" in line]
                return barred and plain

            eventually(told, what="the log names what is missing")
            # Somebody makes the table: no pause is in the way.
            engine.make_table("BARRED")
            assert running.write("/t/barred/write", SERIES).status_code == 204
