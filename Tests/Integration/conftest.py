"""What every integration test stands on: certificates and a folder of its own."""

import pathlib
import sys
import types

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.gateway import BINARY  # noqa: E402
from support.pki import Authority  # noqa: E402


def pytest_sessionstart(session):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it with `swift build -c release`, or run scripts/test", returncode=2)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """Our CA, a server certificate for localhost, clients of two tenants, and a client of a foreign CA."""
    folder = tmp_path_factory.mktemp("pki")
    ours = Authority(folder / "ours", "Test CA")
    foreign = Authority(folder / "foreign", "Foreign CA")
    server = ours.issue("server", san="DNS:localhost,IP:127.0.0.1", usage="serverAuth")
    return types.SimpleNamespace(
        ca=ours.certificate,
        server=server,
        payments=ours.issue("payments", san="URI:spiffe://test/payments"),
        search=ours.issue("search", san="DNS:search.test"),
        both=ours.issue("both", san="URI:spiffe://test/both"),
        stranger=ours.issue("stranger", san="URI:spiffe://test/stranger"),
        foreign=foreign.issue("payments", san="URI:spiffe://test/payments"),
        tls=f"certificate: {server[0]}, private_key: {server[1]}, client_ca: {ours.certificate}, client_auth: request",
    )
