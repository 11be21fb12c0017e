"""What senders tell of their metrics, and what the admin listener shows of it."""

import json

import pytest
import requests

from support import protocol
from support.gateway import Gateway
from support.process import eventually, http_get
from support.prometheus import Prometheus

NOW = 1_760_000_000_000
WRITE = "/t/{}/api/v1/write"
TENANTS = """
demo: {database: PrometheusDatabase, table: PrometheusMetricsTable, auth: none}
other: {database: PrometheusDatabase, table: Other, auth: none}
"""
COUNTER, GAUGE = 1, 2


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("metadata"), tenants=TENANTS) as gateway:
        yield gateway


def shown(gateway, **parameters):
    """The status and the document of the page."""
    answer = requests.get(
        f"http://127.0.0.1:{gateway.admin_port}/api/v1/status/metadata", params=parameters, timeout=10
    )
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json()


def kept(gateway, **parameters):
    status, document = shown(gateway, **parameters)
    assert (status, document["status"]) == (200, "success"), document
    return document["data"]


def told(*entries):
    request = protocol.WriteRequest()
    for kind, name, help_text, unit in entries:
        request.metadata.add(type=kind, metric_family_name=name, help=help_text, unit=unit)
    return request


def test_the_latest_of_each_metric_is_shown_to_its_tenant_alone(gateway):
    first = told((COUNTER, "requests_total", "Requests.", ""), (GAUGE, "load", 'Says "é\\\n🦊".', "seconds"))
    assert gateway.write(WRITE.format("demo"), first).status_code == 204
    assert gateway.write(WRITE.format("other"), told((99, "theirs", "", ""))).status_code == 204
    load = [{"type": "gauge", "help": 'Says "é\\\n🦊".', "unit": "seconds"}]
    assert kept(gateway, tenant="demo") == {
        "load": load, "requests_total": [{"type": "counter", "help": "Requests.", "unit": ""}],
    }
    assert kept(gateway, tenant="other") == {"theirs": [{"type": "unknown", "help": "", "unit": ""}]}

    assert gateway.write(WRITE.format("demo"), told((GAUGE, "requests_total", "Now.", ""))).status_code == 204
    assert kept(gateway, tenant="demo", metric="requests_total") == {
        "requests_total": [{"type": "gauge", "help": "Now.", "unit": ""}]
    }
    assert kept(gateway, tenant="demo", limit=1) == {"load": load}
    assert kept(gateway, tenant="demo", metric="theirs") == {}
    assert gateway.metric("gateway_metadata_entries", tenant="demo") == 2
    assert gateway.metric("gateway_metadata_entries", tenant="other") == 1


def test_of_too_many_the_oldest_go(tmp_path):
    with Gateway(tmp_path, tenants=TENANTS) as gateway:
        for start in range(0, 12_000, 2_000):
            request = told(*((GAUGE, f"m{number:05}", "Help.", "") for number in range(start, start + 2_000)))
            assert gateway.write(WRITE.format("demo"), request).status_code == 204
        assert sorted(kept(gateway, tenant="demo")) == [f"m{number:05}" for number in range(2_000, 12_000)]
        assert gateway.metric("gateway_metadata_dropped_total", tenant="demo", reason="displaced") == 2_000


def test_bad_entries_are_counted_and_cost_only_themselves(gateway):
    def field(number, payload):
        return bytes([number << 3 | 2, len(payload)]) + payload

    bad = field(3, field(2, b"bad\xff")) + field(3, field(2, b"bad") + field(4, b"\xc3")) + field(3, field(4, b"nameless"))
    body = protocol.encode(bad + field(3, field(2, b"good")))
    assert gateway.write(WRITE.format("demo"), None, raw=body).status_code == 204
    assert "good" in kept(gateway, tenant="demo") and "bad" not in kept(gateway, tenant="demo")
    assert gateway.metric("gateway_metadata_dropped_total", tenant="demo", reason="invalid_utf8") == 2
    assert gateway.metric("gateway_metadata_dropped_total", tenant="demo", reason="no_name") == 1
    truncated = protocol.encode(field(3, field(2, b"whole")) + field(3, field(2, b"cut"))[:-1])
    assert gateway.write(WRITE.format("demo"), None, raw=truncated).status_code == 400
    assert kept(gateway, tenant="demo", metric="whole") == {}


def test_metadata_of_remote_write_2(gateway):
    request = protocol.RequestV2(symbols=[b"", b"__name__", b"v2_metric", b"Its help.", b"bytes", b"v2_silent"])
    for name in (2, 2, 5):
        entry = request.timeseries.add(labels_refs=[1, name])
        entry.samples.add(value=protocol.bits(1.0), timestamp=NOW + len(request.timeseries))
        if name == 2:
            entry.metadata.type, entry.metadata.help_ref, entry.metadata.unit_ref = COUNTER, 3, 4
    answer = gateway.write(WRITE.format("other"), request, headers=protocol.VERSION_2)
    assert answer.status_code == 204, answer.text
    found = kept(gateway, tenant="other")
    assert found["v2_metric"] == [{"type": "counter", "help": "Its help.", "unit": "bytes"}]
    assert "v2_silent" not in found


@pytest.mark.parametrize(
    ("parameters", "status", "kind"),
    [({}, 400, "bad_data"), ({"tenant": "demo", "limit": "x"}, 400, "bad_data"), ({"tenant": "nonesuch"}, 404, "not_found")],
)
def test_what_is_wrong_with_a_question_is_told(gateway, parameters, status, kind):
    found, document = shown(gateway, **parameters)
    assert (found, document["status"], document["errorType"]) == (status, "error", kind) and document["error"]


def test_it_is_not_on_the_data_listener(gateway):
    assert http_get(f"{gateway.url}/api/v1/status/metadata?tenant=demo")[0] == 404
    assert http_get(f"{gateway.url}/t/demo/api/v1/status/metadata")[0] == 404


@pytest.mark.parametrize("version", [1, 2])
def test_what_a_real_prometheus_tells(tmp_path, version):
    with Gateway(tmp_path / "gateway", tenants=TENANTS) as gateway:
        write = {
            "url": gateway.url + WRITE.format("demo"),
            "queue_config": {"batch_send_deadline": "1s"},
            "metadata_config": {"send_interval": "1s"},
        }
        arguments = []
        if version == 2:
            write["protobuf_message"] = "io.prometheus.write.v2.Request"
            arguments = ["--enable-feature=metadata-wal-records"]
        prometheus = Prometheus("3", tmp_path / "prometheus", {}, *arguments)
        target = {"targets": [f"127.0.0.1:{prometheus.port}"]}
        prometheus.set_config(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [{"job_name": "self", "static_configs": [target]}],
                "remote_write": [write],
            }
        )
        with prometheus:
            wanted = "prometheus_tsdb_head_samples_appended_total"
            eventually(lambda: wanted in kept(gateway, tenant="demo"), within=30, what="metadata arrives")
            theirs = json.loads(http_get(f"{prometheus.url}/api/v1/metadata")[1])["data"]
            ours = kept(gateway, tenant="demo")
        same = {name: entries for name, entries in ours.items() if name in theirs}
        assert len(same) > 100
        assert same == {name: theirs[name] for name in same}
        if version == 1:
            assert ours.keys() == theirs.keys()
        else:
            assert ours["prometheus_http_request_duration_seconds_bucket"][0]["type"] == "histogram"
