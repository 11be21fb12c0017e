"""A real Prometheus writes through the gateway, loses its own data, and gets the same answers from what it reads back."""

import http.server
import threading
import time

import pytest

from support.gateway import Gateway
from support.process import eventually
from support.prometheus import Prometheus

TENANTS = """
payments:
  database: payments
  table: prometheus
  auth: {client_certificate: {san_uri: ["spiffe://test/payments"]}}
"""

# No -0: Prometheus' own protobuf writer leaves it out as if it were 0.
# What the target exposes: odd label values, a counter, a histogram, NaN and infinities, a series that disappears.
PAGE = r"""
# TYPE oddities gauge
oddities{value="quote\" backslash\\ newline\n end",kind="escapes"} 1
oddities{value="emoji 🦊 é",kind="unicode"} 2
oddities{value="it's; DROP TABLE x --",kind="sql"} 3
oddities{kind="absent"} 4
extremes{of="nan"} NaN
extremes{of="inf"} +Inf
extremes{of="minusinf"} -Inf
extremes{of="tiny"} 5e-324
extremes{of="huge"} 1.7976931348623157e+308
# TYPE work_total counter
work_total{worker="a"} %(count)d
work_total{worker="b"} %(double)d
%(ghost)s
"""

QUERIES = [
    "up",
    "count({__name__=~'.+'})",
    'oddities{kind!="sql"}',
    'oddities{value=~".*fox.*|emoji.*|.*\\n.*"}',
    'oddities{value=~"it\'s; DROP.*"}',
    'oddities{value=""}',
    # Prometheus 2 has the dot not match a line feed, where we follow Prometheus 3; with (?s) both agree.
    'oddities{value!~"(?s).+"}',
    "extremes",
    "extremes == extremes",
    "rate(work_total[10s])",
    'sum by (worker) (increase(work_total{worker=~"a|b"}[15s]))',
    '{__name__=~"work_.*|up"}',
    'count by (__name__) ({job="odd"})',
    "ghost",
    "max_over_time(ghost[30s])",
    'prometheus_http_requests_total{code=~"2.."}',
]


@pytest.fixture
def target():
    """An exporter of our own; `ghost` disappears when told."""
    state = {"count": 0, "ghost": True}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            state["count"] += 1
            ghost = "ghost 1" if state["ghost"] else ""
            page = PAGE % {"count": state["count"], "double": state["count"] * 2, "ghost": ghost}
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state["address"] = f"127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()


@pytest.mark.parametrize(
    ("version", "route"),
    [("2.42", "path"), ("2.42", "certificate"), ("3", "path"), ("3", "certificate"), ("3", "header")],
)
def test_the_same_answers_from_what_was_written(tmp_path, pki, target, version, route):
    with Gateway(tmp_path / "gateway", tenants=TENANTS, tls=pki.tls) as gateway:
        certificate, key = pki.payments
        prefix = "/t/payments" if route == "path" else ""
        remote = {
            "tls_config": {"ca_file": str(pki.ca), "cert_file": str(certificate), "key_file": str(key)},
        }
        if route == "header":
            remote["headers"] = {"X-Scope-OrgID": "payments"}
        config = {
            "global": {"scrape_interval": "1s", "external_labels": {"cluster": "eu-1", "replica": "a"}},
            "scrape_configs": [{"job_name": "odd", "static_configs": [{"targets": [target["address"]]}]}],
        }
        prometheus = Prometheus(version, tmp_path / "prometheus", config)
        config["scrape_configs"].append(
            {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{prometheus.port}"]}]}
        )
        config["remote_write"] = [
            remote | {"url": f"{gateway.url}{prefix}/api/v1/write", "queue_config": {"batch_send_deadline": "1s"}}
        ]
        prometheus.set_config(config)

        with prometheus:
            eventually(lambda: target["count"] >= 5, what="scrapes")
            target["ghost"] = False
            eventually(lambda: target["count"] >= 12, within=30, what="more scrapes")
            end = int(time.time()) - 1
            start = end - 12
            before = {query: prometheus.query(query, end) for query in QUERIES}
            before_range = {query: prometheus.query_range(query, start, end, 1) for query in QUERIES}
            sent_up_to = lambda: prometheus.metric(  # noqa: E731
                "prometheus_remote_storage_queue_highest_sent_timestamp_seconds"
            )
            eventually(lambda: (sent_up_to() or 0) > end, what="everything is sent")
            for lost in ("samples_failed_total", "samples_dropped_total", "samples_retried_total"):
                assert not prometheus.metric(f"prometheus_remote_storage_{lost}"), lost
            assert before["up"][0], "Prometheus has scraped something"
            assert before["ghost"][0] == [], "the stale series is gone before the lookback ends"

        prometheus.empty_storage()
        prometheus.set_config(
            {
                "global": {"external_labels": {"cluster": "eu-1", "replica": "a"}},
                "remote_read": [remote | {"url": f"{gateway.url}{prefix}/api/v1/read", "read_recent": True}],
            }
        )
        with prometheus:
            for query in QUERIES:
                answer, warnings = prometheus.query(query, end)
                assert not warnings, (query, warnings)
                assert answer == before[query][0], query
                answer, warnings = prometheus.query_range(query, start, end, 1)
                assert not warnings, (query, warnings)
                assert answer == before_range[query][0], query
        assert gateway.metric("gateway_samples_failed_total", tenant="payments") == 0
