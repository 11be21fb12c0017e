"""The binary as an operator meets it."""

import os
import pathlib
import subprocess

import pytest

from support.gateway import BINARY, Gateway
from support.process import http_get

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*arguments, cwd=None, env=None):
    result = subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False, cwd=cwd, env=env
    )
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("command", [(), ("serve",), ("check",), ("policy",), ("explain",), ("local",), ("health",)])
def test_help_tells_a_stranger_what_to_do(command):
    code, output, _ = run(*command, "--help")
    assert code == 0 and "OVERVIEW" in output and "OPTIONS" in output


def test_version():
    assert run("version") == (0, "timestream-gateway 0.1.0\n", "")


def test_a_wrong_argument_is_told():
    code, _, error = run("serve", "--nonesuch")
    assert code == 64 and "--nonesuch" in error


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_bad_file_starts_nothing_and_tells_every_problem(tmp_path, command):
    config = tmp_path / "tenants.yaml"
    config.write_text(
        "version: 1\nserver: {listen: 127.0.0.1:70000}\ntenants:\n  a:\n    databse: x\n    table: y!\n"
        "    auth: {basic: [{username: u, password_hash: plain-secret}]}\n    limits: {samples_per_second: 10k}\n"
    )
    code, output, error = run(command, "--config", config)
    text = output + error
    assert code == 78
    assert "plain-secret" not in text
    for place in (":2:", ":5:", ":6:", ":7:", ":8:"):
        assert f"tenants.yaml{place}" in text, (place, text)
    assert "database" in text and "nothing was started" in text


def test_a_missing_file_is_told(tmp_path):
    code, _, error = run("serve", cwd=tmp_path)
    assert code == 78 and "tenants.yaml" in error


def test_check_sums_up_every_tenant(tmp_path):
    tenants = """
    first: {database: one, table: metrics, auth: none}
    second:
      database: two
      table: metrics
      credentials: {access_key_id: AKID, secret_access_key: hush-hush}
      auth: none
    """
    gateway = Gateway(tmp_path, tenants=tenants)
    code, output, error = run("check", "--config", gateway.config)
    assert code == 0, error
    for word in ("first", "second", "one", "two"):
        assert word in output
    assert "hush-hush" not in output + error


def test_start_up_lines_health_and_metrics(tmp_path):
    tenants = "demo: {database: PrometheusDatabase, table: PrometheusMetricsTable, auth: none}"
    with Gateway(tmp_path, tenants=tenants) as gateway:
        log = gateway.log()
        line = "Timestream {} connection is initialized (Database: PrometheusDatabase, Table: PrometheusMetricsTable, Region: us-east-1)"
        assert line.format("write") in log and line.format("query") in log
        assert all(part in log.splitlines()[-1] for part in ("level=", "ts=", "caller=", "message="))
        admin = f"http://127.0.0.1:{gateway.admin_port}"
        assert http_get(f"{admin}/-/healthy") == (200, "healthy\n")
        assert http_get(f"{admin}/-/ready") == (200, "ready\n")
        status, page = http_get(f"{admin}/")
        assert status == 200 and "demo" in page
        assert http_get(f"{admin}/nonesuch")[0] == 404
        status, text = http_get(f"{admin}/metrics")
        for name in (
            'timestream_connector_received_samples_total{tenant="demo"} 0',
            'timestream_connector_write_duration_seconds_count{tenant="demo"} 0',
            'gateway_http_requests_total{route="write",code="204"} 0',
        ):
            assert name in text, name
        promtool = ROOT / "var/tools/prometheus-3/usr/bin/promtool"
        result = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False)
        assert result.returncode == 0, result.stderr + result.stdout
        rebound = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: evil.example", f"{admin}/"],
            capture_output=True, text=True, timeout=10, check=True,
        )
        assert rebound.stdout == "421"
        assert run("health", "--url", f"{admin}/-/healthy")[0] == 0
    assert run("health", "--url", f"{admin}/-/healthy")[0] == 1


def test_a_port_in_use_is_told(tmp_path):
    tenants = "demo: {database: PrometheusDatabase, table: PrometheusMetricsTable, auth: none}"
    with Gateway(tmp_path / "first", tenants=tenants) as first:
        second = Gateway(tmp_path / "second", tenants=tenants)
        text = second.config.read_text().replace(str(second.port), str(first.port))
        second.config.write_text(text)
        code, _, error = run("serve", "--config", second.config)
        assert code == 1 and str(first.port) in error, error


def test_json_logs(tmp_path):
    import json

    tenants = "demo: {database: PrometheusDatabase, table: PrometheusMetricsTable, auth: none}"
    gateway = Gateway(tmp_path, tenants=tenants)
    process = subprocess.Popen(
        [BINARY, "serve", "--config", gateway.config, "--log.format", "json"], stderr=subprocess.PIPE, text=True
    )
    try:
        line = json.loads(process.stderr.readline())
        assert {"level", "ts", "caller", "message"} <= set(line)
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def test_the_shipped_file_is_good_once_its_certificates_are_made(tmp_path):
    (tmp_path / "certs").mkdir()
    subprocess.run([ROOT / "certs/generate", tmp_path / "certs/dev"], check=True, capture_output=True, timeout=60)
    (tmp_path / "tenants.yaml").write_text((ROOT / "tenants.yaml").read_text())
    code, output, error = run("check", cwd=tmp_path, env=os.environ)
    assert code == 0, error
    for tenant in ("payments", "search", "demo"):
        assert tenant in output
