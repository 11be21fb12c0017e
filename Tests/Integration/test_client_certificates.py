"""Which client certificates are believed: every rule with a certificate that breaks just that one."""

import datetime
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

from support import protocol
from support.gateway import WRITE_HEADERS, Gateway
from support.process import eventually

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
ALPHA, BETA = "spiffe://alpha.test/prometheus", "spiffe://beta.test/prometheus"
BODY = protocol.encode(protocol.write_request([({"__name__": "up"}, [(1.0, 1_760_000_000_000)])]))


class CA:
    """An authority whose certificates can be wrong in any way."""

    def __init__(self, folder, name, issuer=None, *, path_length=None, permitted=None, key=None):
        self.folder = folder
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.issuer = issuer
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            _builder(self.name, issuer.name if issuer else self.name, self.key, NOW - 10 * DAY, NOW + 10 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_key_usage(certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if permitted:
            builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(self.certificate))

    def issue(self, *, uri=ALPHA, dns=None, usage=(Usage.CLIENT_AUTH,), start=NOW - DAY, end=NOW + DAY, key=None, ca=None):
        """A certificate with its key and the intermediates between it and its root, in one file; and the certificate."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(uri)] + ([x509.DNSName(dns)] if dns else [])
        serial = x509.random_serial_number()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"client {serial}")])
        builder = (
            _builder(subject, self.name, key, start, end, serial)
            .add_extension(x509.BasicConstraints(ca=bool(ca), path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        chain, authority = _pem(certificate), self
        while authority.issuer:
            chain, authority = chain + _pem(authority.certificate), authority.issuer
        file = self.folder / f"{serial}.pem"
        file.write_bytes(
            chain + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return file, certificate

    def revocation_list(self, *revoked, seconds=86_400):
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(NOW - DAY)
            .next_update(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds))
        )
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(NOW - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(subject, issuer, key, start, end, serial=None):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, certificates):
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=certificates, crl_sign=certificates, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )


def start(folder, root, tenants, more=""):
    server, _ = root.issue(uri="spiffe://gateway.test", dns="localhost", usage=(Usage.SERVER_AUTH,))
    tls = f"certificate: {server}, private_key: {server}, client_ca: {root.file}, client_auth: require{more}"
    server.chmod(0o600)
    return Gateway(folder / "gateway", tenants=tenants, tls=tls)


def write(gateway, root, client, tenant="alpha", version=None):
    """The status of one write with this certificate, or what the handshake says."""
    context = ssl.create_default_context(cafile=str(root.file))
    # Whether this certificate is good is the gateway's matter.
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_cert_chain(str(client))
    if version:
        context.minimum_version = context.maximum_version = version
    head = f"POST /t/{tenant}/api/v1/write HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in WRITE_HEADERS.items())
    try:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as connection:
                connection.sendall(head.encode() + b"\r\n" + BODY)
                return int(connection.recv(4096).split()[1])
    except ssl.SSLError as error:
        return error.reason


class World:
    """A gateway with a root of its own, an intermediate, constrained ones, and a tenant with a CA of its own."""

    def __init__(self, folder):
        self.root = CA(folder, "root")
        self.intermediate = CA(folder, "intermediate", self.root)
        self.retired = CA(folder, "retired", self.root)
        # Constraints of URIs name hosts: RFC 5280, section 4.2.1.10.
        self.constrained = CA(
            folder, "constrained", self.root,
            permitted=[x509.UniformResourceIdentifier("beta.test"), x509.DNSName("beta.test")],
        )
        self.last = CA(folder, "last", self.root, path_length=0)
        self.beyond = CA(folder, "beyond", self.last)
        self.own = CA(folder, "own")
        self.stranger = CA(folder, "stranger")
        # The name of our root, and not its key.
        (folder / "other").mkdir()
        self.namesake = CA(folder / "other", "root")
        self.revoked = self.root.issue()
        self.revoked_own = self.own.issue(uri=BETA)
        listed = [self.root, self.intermediate, self.retired, self.constrained, self.last, self.beyond]
        bundle = folder / "client_ca.pem"
        bundle.write_bytes(b"".join(_pem(authority.certificate) for authority in listed))
        crl, own_crl = folder / "crl.pem", folder / "own-crl.pem"
        crl.write_bytes(
            self.root.revocation_list(self.revoked[1], self.retired.certificate)
            + b"".join(authority.revocation_list() for authority in listed[1:])
        )
        own_crl.write_bytes(self.own.revocation_list(self.revoked_own[1]))
        tenants = f"""
        alpha: {{database: alpha, table: prometheus, auth: {{client_certificate: {{san_uri: ["{ALPHA}"]}}}}}}
        beta:
          database: beta
          table: prometheus
          auth: {{client_certificate: {{san_uri: ["{BETA}"], ca: {self.own.file}, crl: {own_crl}}}}}
        """
        self.gateway = start(folder, self.root, tenants, f", crl: {crl}")
        self.gateway.config.write_text(
            self.gateway.config.read_text().replace(f"client_ca: {self.root.file}", f"client_ca: {bundle}")
        )

    def write(self, client, tenant="alpha", version=None):
        return write(self.gateway, self.root, client[0], tenant, version)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    with world.gateway:
        yield world


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
BELIEVED = {
    "of the root": lambda world: world.root.issue(),
    "of an intermediate": lambda world: world.intermediate.issue(),
    "of no usage in particular": lambda world: world.root.issue(usage=()),
    "of a key of 2048 bits": lambda world: world.root.issue(key=rsa.generate_private_key(65537, 2048)),
    "that ends soon": lambda world: world.root.issue(end=NOW + DAY / 24),
}
REFUSED = {
    "expired": (lambda world: world.root.issue(start=NOW - 3 * DAY, end=NOW - DAY), "CERTIFICATE_EXPIRED"),
    "not valid yet": (lambda world: world.root.issue(start=NOW + DAY, end=NOW + 2 * DAY), "BAD_CERTIFICATE"),
    "for servers only": (lambda world: world.root.issue(usage=(Usage.SERVER_AUTH,)), "UNSUPPORTED_CERTIFICATE"),
    "for mail only": (lambda world: world.root.issue(usage=(Usage.EMAIL_PROTECTION,)), "UNSUPPORTED_CERTIFICATE"),
    "of a small key": (lambda world: world.root.issue(key=rsa.generate_private_key(65537, 1024)), None),
    "of a stranger": (lambda world: world.stranger.issue(), "UNKNOWN_CA"),
    "of a namesake of our root": (lambda world: world.namesake.issue(), None),
    "revoked": (lambda world: world.revoked, "CERTIFICATE_REVOKED"),
    "of a revoked intermediate": (lambda world: world.retired.issue(), "CERTIFICATE_REVOKED"),
    "revoked by a tenant's list": (lambda world: world.revoked_own, "CERTIFICATE_REVOKED"),
    "of names that its CA may not give": (lambda world: world.constrained.issue(), None),
    "beyond the path's length": (lambda world: world.beyond.issue(), None),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", BELIEVED)
def test_good_certificates_are_believed(world, case, version):
    assert world.write(BELIEVED[case](world), version=version) == 204


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", REFUSED)
def test_bad_certificates_end_the_handshake(world, case, version):
    make, alert = REFUSED[case]
    before = world.gateway.metric("gateway_tls_handshakes_total", listener="data", result="client_certificate_invalid")
    reason = world.write(make(world), version=version)
    assert isinstance(reason, str), f"answered {reason}"
    assert alert is None or alert in reason, reason
    # The alert is on its way before it is counted.
    eventually(
        lambda: world.gateway.metric(
            "gateway_tls_handshakes_total", listener="data", result="client_certificate_invalid"
        ) == before + 1,
        what="the refusal is counted",
    )


def test_an_end_entity_is_no_authority(world):
    """A client's own key signs another certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf, certificate = world.root.issue(key=key)
    forger = CA(world.gateway.folder, "forger", key=key)
    forger.name = certificate.subject
    forged, _ = forger.issue()
    text = forged.read_bytes()
    forged.write_bytes(text.split(b"-----BEGIN PRIVATE")[0] + _pem(certificate) + b"-----BEGIN PRIVATE"
                       + text.split(b"-----BEGIN PRIVATE")[1])
    assert isinstance(world.write((forged, None)), str)
    assert world.write((leaf, certificate)) == 204


def test_a_tenants_own_ca_vouches_for_that_tenant_alone(world):
    assert world.write(world.own.issue(uri=BETA), "beta") == 204
    # Names of the other tenant, and both; and the listener's CA, which is not this tenant's.
    assert world.write(world.own.issue(uri=ALPHA), "alpha") in (401, 403)
    assert world.write(world.own.issue(uri=BETA), "alpha") in (401, 403)
    assert world.write(world.root.issue(uri=BETA), "beta") in (401, 403)
    for tenant in ("alpha", "beta"):
        assert world.write(world.own.issue(uri="spiffe://gamma.test"), tenant) in (401, 403)


def test_names_that_a_ca_may_give_are_believed(world):
    """By the handshake; beta's certificates come from another CA."""
    assert world.write(world.constrained.issue(uri=BETA, dns="host.beta.test"), "beta") in (401, 403)
    assert isinstance(world.write(world.constrained.issue(uri=BETA, dns="host.alpha.test"), "beta"), str)


def test_an_expired_list_refuses_its_clients_and_says_so(tmp_path):
    root = CA(tmp_path, "root")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(root.revocation_list(seconds=12))
    expiry = time.time() + 12
    tenants = f'alpha: {{database: alpha, table: prometheus, auth: {{client_certificate: {{san_uri: ["{ALPHA}"]}}}}}}'
    with start(tmp_path, root, tenants, f", crl: {crl}") as gateway:
        client, _ = root.issue()
        while time.time() < expiry + 1.5:
            time.sleep(0.1)
        for _ in range(3):
            assert "CERTIFICATE_EXPIRED" in str(write(gateway, root, client))
        name = "gateway_tls_handshakes_total"
        eventually(
            lambda: gateway.metric(name, listener="data", result="revocation_list_expired") == 3, what="it is counted"
        )
        lines = [line for line in gateway.log().splitlines() if "revocation list is past its next update" in line]
        assert len(lines) == 1 and "remedy=" in lines[0] and "WARN" in lines[0].upper()
        # A current list mends it, without a restart.
        crl.write_bytes(root.revocation_list())
        eventually(lambda: write(gateway, root, client) == 204, what="the new list is taken")


def test_a_list_that_has_expired_already_keeps_the_gateway_from_starting(tmp_path):
    from support.gateway import check

    root = CA(tmp_path, "root")
    crl = tmp_path / "crl.pem"
    crl.write_bytes(root.revocation_list(seconds=-60))
    gateway = start(tmp_path, root, "demo: {database: demo1, table: prometheus, auth: none}", f", crl: {crl}")
    code, output = check(gateway.config)
    assert code == 78 and "expired" in output, output
