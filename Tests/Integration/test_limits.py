"""Tenants are held to their limits, and only they."""

import concurrent.futures

import pytest

from support import protocol
from support.gateway import Gateway

NOW = 1_760_000_000_000
TENANTS = """
requests:
  database: limits
  table: requests
  auth: none
  limits: {write_requests_per_second: 1, write_request_burst: 2, read_requests_per_second: 1, read_request_burst: 2, max_wait: 0s}
impatient:
  database: limits
  table: impatient
  auth: none
  limits: {write_requests_per_second: 1, write_request_burst: 1, max_wait: 0s, throttle_status: 429}
samples:
  database: limits
  table: samples
  auth: none
  limits: {samples_per_second: 10, sample_burst: 100, max_wait: 0s}
small:
  database: limits
  table: small
  auth: none
  limits: {max_body_bytes: 1024, max_decoded_bytes: 2048}
observed:
  database: limits
  table: observed
  auth: none
  limits: {write_requests_per_second: 1, write_request_burst: 1, max_wait: 0s, mode: observe}
few:
  database: limits
  table: few
  auth: none
  limits: {max_samples_per_read: 10, max_series_per_read: 3}
waiting:
  database: limits
  table: waiting
  auth: none
  limits: {write_requests_per_second: 20, write_request_burst: 1, max_wait: 10s}
"""
SERIES = [({"__name__": "m"}, [(1.0, NOW)])]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("limits"), tenants=TENANTS) as gateway:
        yield gateway


def test_over_the_request_rate_is_503_for_writes_and_429_for_reads(gateway):
    writes = [gateway.write("/t/requests/write", SERIES) for _ in range(4)]
    assert [answer.status_code for answer in writes].count(204) >= 2
    refused = [answer for answer in writes if answer.status_code == 503]
    assert refused and all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "m"))
    reads = [gateway.read_raw("/t/requests/read", request) for _ in range(4)]
    assert {answer.status_code for answer in reads} == {200, 429}
    assert gateway.metric("gateway_throttled_total", tenant="requests", limit="write_requests_per_second") != 0


def test_the_operator_may_choose_429(gateway):
    assert {gateway.write("/t/impatient/write", SERIES).status_code for _ in range(3)} == {204, 429}


def test_over_the_sample_rate(gateway):
    def send(count, start):
        series = [({"__name__": "m", "n": str(n)}, [(1.0, NOW + start)]) for n in range(count)]
        return gateway.write("/t/samples/write", series).status_code

    assert send(90, 0) == 204
    assert send(90, 1) == 503


def test_more_samples_than_the_burst_pass_when_the_bucket_is_full(tmp_path):
    tenants = """
    big: {database: limits, table: big, auth: none, limits: {samples_per_second: 10, sample_burst: 20, max_wait: 0s}}
    """
    with Gateway(tmp_path, tenants=tenants) as gateway:
        series = [({"__name__": "m", "n": str(n)}, [(1.0, NOW)]) for n in range(50)]
        assert gateway.write("/t/big/write", series).status_code == 204
        assert gateway.write("/t/big/write", series).status_code == 503


def test_bodies_over_the_limit_are_413_and_say_what_would_fit(gateway):
    compressed = gateway.write("/t/small/write", None, raw=bytes(2000))
    assert compressed.status_code == 413 and "max_body_bytes" in compressed.text
    series = [({"__name__": "m", "n": str(n), "same": "x" * 50}, [(1.0, NOW)]) for n in range(40)]
    decoded = gateway.write("/t/small/write", series)
    assert decoded.status_code == 413 and "max_decoded_bytes" in decoded.text and "max_samples_per_send" in decoded.text


def test_observed_limits_only_count(gateway):
    assert {gateway.write("/t/observed/write", SERIES).status_code for _ in range(5)} == {204}


def test_reads_over_their_limits_name_them(gateway):
    series = [({"__name__": "s", "n": str(n)}, [(1.0, NOW + t) for t in range(4)]) for n in range(5)]
    assert gateway.write("/t/few/write", series).status_code == 204
    request = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "s"))
    answer = gateway.read_raw("/t/few/read", request)
    assert answer.status_code == 400 and "max_series_per_read" in answer.text, answer.text
    request = protocol.read_request(NOW, NOW + 10, (protocol.EQ, "__name__", "s"), (protocol.RE, "n", "[012]"))
    answer = gateway.read_raw("/t/few/read", request)
    assert answer.status_code == 400 and "max_samples_per_read" in answer.text, answer.text
    assert len(gateway.read("/t/few/read", NOW, NOW, (protocol.EQ, "__name__", "s"), (protocol.RE, "n", "[012]"))) == 3


def test_a_little_over_the_rate_is_slowed_not_cut(gateway):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(gateway.write, "/t/waiting/write", SERIES) for _ in range(24)]
        assert {job.result().status_code for job in jobs} == {204}
