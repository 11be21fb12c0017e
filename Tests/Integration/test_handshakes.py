"""A flood of handshakes from one address harms neither open connections nor the handshakes of other addresses."""

import http.client
import socket
import ssl
import threading
import time

import pytest

from support import protocol
from support.gateway import WRITE_HEADERS, Gateway
from support.process import eventually

BODY = protocol.encode(protocol.write_request([({"__name__": "up"}, [(1.0, 1_760_000_000_000)])]))
TENANTS = """
flooded: {database: flooded, table: prometheus, auth: {client_certificate: {san_uri: ["spiffe://test/payments"]}}}
"""
# More than could be served within a second, which is how long a line of one address may be.
FLOODERS = 24


def context(pki):
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.load_cert_chain(*map(str, pki.payments))
    return context


def connect(gateway, pki, source):
    """A kept connection of a client with a certificate, from this loopback address."""
    connection = http.client.HTTPSConnection(
        "127.0.0.1", gateway.port, context=context(pki), timeout=30, source_address=(source, 0)
    )
    connection.connect()
    return connection


def write(connection):
    connection.request("POST", "/t/flooded/api/v1/write", BODY, WRITE_HEADERS)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def refused(gateway, *reasons):
    name = "gateway_listener_connections_refused_total"
    return sum(gateway.metric(name, listener="data", reason=reason) for reason in reasons)


class Flood:
    """Threads that open connections from 127.0.0.1 until they are told to stop, and what `handle` makes of each."""

    def __init__(self, gateway, handle):
        self.gateway, self.handle = gateway, handle
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(FLOODERS)]

    def run(self):
        held = []
        while not self.stop.is_set():
            try:
                raw = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=5)
            except OSError:
                continue
            try:
                self.handle(raw, held)
            except OSError:
                raw.close()
        for raw in held:
            raw.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def gateway(tmp_path, pki):
    limits = "limits: {handshakes_per_second: 10, concurrent_handshakes: 8, max_connections: 400}"
    tls = pki.tls.replace("client_auth: request", "client_auth: require")
    with Gateway(tmp_path, tenants=TENANTS, tls=tls, server=limits) as gateway:
        yield gateway


def check_others_get_on(gateway, pki, flooded):
    """An open connection goes on writing, and new ones come in from other addresses, once `flooded()` holds."""
    kept = connect(gateway, pki, "127.0.0.2")
    assert write(kept) == 204
    socket_before = kept.sock
    yield
    eventually(flooded, what="the flood is refused")
    for number in range(10):
        assert write(kept) == 204
        newcomer = connect(gateway, pki, f"127.0.0.{3 + number}")
        assert write(newcomer) == 204
        newcomer.close()
        assert write(kept) == 204
    assert kept.sock is socket_before, "the open connection was lost"
    kept.close()


def test_whole_handshakes_from_one_address(gateway, pki):
    """More than the rate allows: most are closed unread, and everybody else is next."""
    flooder = context(pki)

    def handle(raw, held):
        with flooder.wrap_socket(raw, server_hostname="localhost"):
            pass

    steps = check_others_get_on(gateway, pki, lambda: refused(gateway, "handshake_rate", "handshakes_under_way") > 50)
    next(steps)
    with Flood(gateway, handle):
        assert next(steps, None) is None


def test_handshakes_that_stand_still(gateway, pki):
    """They hold every place, and give way."""

    def handle(raw, held):
        # The first bytes of a ClientHello, and never more.
        raw.sendall(b"\x16\x03\x01\x02\x00\x01")
        held.append(raw)
        time.sleep(0.02)
        if len(held) > 12:
            held.pop(0).close()

    name = "gateway_tls_handshakes_under_way"
    steps = check_others_get_on(gateway, pki, lambda: gateway.metric(name, listener="data") == 8)
    next(steps)
    with Flood(gateway, handle):
        assert next(steps, None) is None


def test_handshakes_that_stand_still_for_good(gateway, pki):
    """Eight places, all held by one address until the time-out of ten seconds; a newcomer takes one of them."""
    held = [socket.create_connection(("127.0.0.1", gateway.port), timeout=5) for _ in range(12)]
    eventually(
        lambda: gateway.metric("gateway_tls_handshakes_under_way", listener="data") == 8, what="all places are taken"
    )
    connection = connect(gateway, pki, "127.0.0.2")
    assert write(connection) == 204
    assert gateway.metric("gateway_tls_handshakes_total", listener="data", result="displaced") >= 1
    for raw in held:
        raw.close()
    eventually(
        lambda: gateway.metric("gateway_tls_handshakes_under_way", listener="data") == 0, what="all places are free"
    )
    assert gateway.metric("gateway_tls_handshakes_waiting", listener="data") == 0


def test_one_address_takes_no_more_than_three_quarters_of_the_connections(tmp_path, pki):
    tls = pki.tls.replace("client_auth: request", "client_auth: require")
    limits = "limits: {max_connections: 16}"
    with Gateway(tmp_path, tenants=TENANTS, tls=tls, server=limits) as gateway:
        held = [connect(gateway, pki, "127.0.0.1") for _ in range(12)]
        with pytest.raises(OSError):
            connect(gateway, pki, "127.0.0.1")
        assert refused(gateway, "max_connections_of_address") == 1
        held += [connect(gateway, pki, "127.0.0.2") for _ in range(4)]
        with pytest.raises(OSError):
            connect(gateway, pki, "127.0.0.3")
        assert refused(gateway, "max_connections") == 1
        assert all(write(connection) == 204 for connection in held)
        held.pop().close()
        eventually(
            lambda: gateway.metric("gateway_listener_connections", listener="data") == 15, what="a connection is gone"
        )
        held.append(connect(gateway, pki, "127.0.0.3"))
        assert write(held[-1]) == 204
        for connection in held:
            connection.close()
