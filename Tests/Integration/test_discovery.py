"""Endpoints are discovered at AWS' own hosts: through a proxy that leads those to a double, whose CA is in `ca_bundle`."""

import threading

import pytest

from support import protocol
from support.faults import GOOD, NO_ROWS, Answer, ConnectProxy, FaultServer, error, tls_context
from support.gateway import Gateway
from support.pki import Authority

NOW = 1_760_000_000_000
SERIES = [({"__name__": "m", "n": "0"}, [(1.0, NOW)])]
REGIONS = {"virginia": "us-east-1", "ireland": "eu-west-1", "gov": "us-gov-west-1"}
NAMES = [
    name
    for region in REGIONS.values()
    for name in (f"*.timestream.{region}.amazonaws.com", f"*.timestream-fips.{region}.amazonaws.com", f"*.{region}.api.aws")
]


class Service:
    """Two cells of each API, of which the regional host names the current one."""

    def __init__(self):
        self.cell = "cell1"
        self.closed = set()

    def __call__(self, call):
        host = call.header("host")
        if call.operation == "DescribeEndpoints":
            api = "query" if "query" in host.split(".")[0] else "ingest"
            region = next(region for region in REGIONS.values() if region in host)
            address = f"{api}-{self.cell}.timestream.{region}.amazonaws.com"
            return Answer(200, {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]})
        if "-cell" not in host:
            return error(404, "UnknownOperationException")
        if host.split(".")[0].partition("-")[2] in self.closed:
            return error(421, "InvalidEndpointException")
        return Answer(200, GOOD if call.operation == "WriteRecords" else NO_ROWS)


class Cloud:
    def __init__(self, folder):
        self.authority = Authority(folder / "aws", "Double")
        certificate = self.authority.issue("server", san=",".join(f"DNS:{name}" for name in NAMES), usage="serverAuth")
        self.service = Service()
        self.server = FaultServer(self.service, tls=tls_context(*certificate))
        self.proxy = ConnectProxy(self.server.port)

    def gateway(self, folder, options="", ca_bundle=None):
        tenants = "".join(
            f"""
{name}:
  database: production
  table: prometheus
  region: {region}
  credentials: {{access_key_id: AKID{name.upper()}, secret_access_key: very-secret-{name}}}
  auth: none
"""
            for name, region in REGIONS.items()
        )
        bundle = f", ca_bundle: {ca_bundle or self.authority.certificate}" if ca_bundle != "system" else ""
        return Gateway(
            folder, tenants=tenants, timestream=f'backend: aws, proxy: "{self.proxy.url}"{bundle}{options}',
            defaults="limits: {request_deadline: 6s, max_wait: 1s}",
        )

    def calls(self, operation, tenant):
        return [c for c in self.server.calls if c.operation == operation and c.key_id == "AKID" + tenant.upper()]


@pytest.fixture
def cloud(tmp_path):
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.proxy.stop()
    cloud.server.stop()


def test_each_tenant_and_api_is_discovered_once_and_connections_are_kept(cloud, tmp_path):
    with cloud.gateway(tmp_path / "gateway") as gateway:
        statuses = []

        def send(tenant):
            for _ in range(10):
                statuses.append(gateway.write(f"/t/{tenant}/write", SERIES).status_code)
                message = protocol.read_request(NOW, NOW, (protocol.EQ, "__name__", "m"))
                statuses.append(gateway.read_raw(f"/t/{tenant}/read", message).status_code)

        threads = [threading.Thread(target=send, args=(tenant,)) for tenant in [*REGIONS] * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert set(statuses) <= {200, 204} and len(statuses) == 240
        for tenant, region in REGIONS.items():
            hosts = [call.header("host") for call in cloud.calls("DescribeEndpoints", tenant)]
            assert sorted(hosts) == [f"ingest.timestream.{region}.amazonaws.com", f"query.timestream.{region}.amazonaws.com"]
            for operation, api in (("WriteRecords", "ingest"), ("Query", "query")):
                hosts = {call.header("host") for call in cloud.calls(operation, tenant)}
                assert hosts == {f"{api}-cell1.timestream.{region}.amazonaws.com"}
                scopes = {call.header("authorization").split("/")[2] for call in cloud.calls(operation, tenant)}
                assert scopes == {region}
        # Every tunnel is for one host, and serves many calls.
        assert {authority.rpartition(":")[2] for authority in cloud.proxy.asked} == {"443"}
        assert len(cloud.proxy.asked) < len(cloud.server.calls) / 2
        assert gateway.metric("gateway_upstream_connections_opened_total") == len(cloud.proxy.asked)


def test_a_cell_that_sends_its_callers_away_is_replaced_at_once(cloud, tmp_path):
    with cloud.gateway(tmp_path / "gateway") as gateway:
        assert gateway.write("/t/virginia/write", SERIES).status_code == 204
        cloud.service.cell = "cell2"
        assert gateway.write("/t/virginia/write", SERIES).status_code == 204
        assert cloud.calls("WriteRecords", "virginia")[-1].header("host").startswith("ingest-cell1.")
        cloud.service.closed = {"cell1"}
        assert gateway.write("/t/virginia/write", SERIES).status_code == 204
        assert cloud.calls("WriteRecords", "virginia")[-1].header("host").startswith("ingest-cell2.")
        ingest = [c for c in cloud.calls("DescribeEndpoints", "virginia") if c.header("host").startswith("ingest")]
        assert len(ingest) == 2


@pytest.mark.parametrize(
    ("options", "host", "gov"),
    [
        (", fips: true", "ingest.timestream-fips.us-east-1.amazonaws.com", "ingest.timestream.us-gov-west-1.amazonaws.com"),
        (", dual_stack: true", "timestream-ingest.us-east-1.api.aws", "timestream-ingest.us-gov-west-1.api.aws"),
        (
            ", fips: true, dual_stack: true",
            "timestream-ingest-fips.us-east-1.api.aws", "timestream-ingest-fips.us-gov-west-1.api.aws",
        ),
    ],
)
def test_fips_and_dual_stack_hosts(cloud, tmp_path, options, host, gov):
    with cloud.gateway(tmp_path / "gateway", options) as gateway:
        for tenant in ("virginia", "gov"):
            assert gateway.write(f"/t/{tenant}/write", SERIES).status_code == 204
        assert f"{host}:443" in cloud.proxy.asked and f"{gov}:443" in cloud.proxy.asked


def test_without_the_doubles_ca_nothing_is_sent(cloud, tmp_path):
    with cloud.gateway(tmp_path / "gateway", ca_bundle="system") as gateway:
        answer = gateway.write("/t/virginia/write", SERIES)
        assert answer.status_code == 503 and "cannot be reached" in answer.text
        assert cloud.proxy.asked and cloud.server.calls == []
        assert gateway.metric("gateway_upstream_transfers_total", result="tls_verification") >= 1


def test_a_missing_permission_to_discover_is_told(cloud, tmp_path):
    service = cloud.service
    cloud.server.script = lambda call: (
        error(403, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized to perform: "
              "timestream:DescribeEndpoints because no identity-based policy allows the action")
        if call.operation == "DescribeEndpoints" else service(call)
    )
    with cloud.gateway(tmp_path / "gateway") as gateway:
        answer = gateway.write("/t/ireland/write", SERIES)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert "iam.action=timestream:DescribeEndpoints" in gateway.log()
        assert "Resource" in gateway.log() and "*" in gateway.log()
