"""What stands in deploy/ and in the Dockerfile: valid, in accord with the gateway, and as closed as it claims."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from support.faults import NO_ROWS, Answer, FaultServer
from support.gateway import BINARY, Gateway
from support.process import http_get

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
UNIT = DEPLOY / "timestream-gateway.service"
MANIFESTS = DEPLOY / "kubernetes"
PROMTOOL = ROOT / "var/tools/prometheus-3/usr/bin/promtool"
TOOLS = pathlib.Path(sys.executable).parent


def run(*command, **options):
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, check=False, **options
    )
    return result.returncode, result.stdout + result.stderr


def succeeds(*command, **options):
    code, output = run(*command, **options)
    assert code == 0, output
    return output


def load(path):
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    succeeds(ROOT / "certs/generate", folder)
    return folder


def check(folder, text, **variables):
    """Runs `check` on a configuration; its output."""
    folder.mkdir(exist_ok=True)
    (folder / "tenants.yaml").write_text(text)
    return succeeds(BINARY, "check", "--config", folder / "tenants.yaml", env=os.environ | variables)


def test_all_yaml_is_tidy():
    succeeds(TOOLS / "yamllint", "--strict", "deploy", "tenants.yaml", ".yamllint.yaml", cwd=ROOT)


# Compose


def test_the_compose_file_is_valid():
    succeeds(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_composed_services_are_restricted_and_watched():
    services = load(DEPLOY / "compose.yaml")["services"]
    assert set(services) == {"certificates", "gateway", "prometheus", "grafana"}
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        # The gateway's is the image's own.
        assert "healthcheck" in service or name == "gateway", name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in ("certificates", "samples") or (DEPLOY / source).exists(), volume


def test_composed_gateway_and_prometheus_take_their_files(tmp_path, certificates):
    os.symlink(certificates, tmp_path / "certs")
    output = check(tmp_path, (DEPLOY / "compose/tenants.yaml").read_text())
    assert "payments" in output and "client certificates required" in output
    text = (DEPLOY / "compose/prometheus.yml").read_text()
    text = text.replace("/certs/", f"{certificates}/").replace("/etc/prometheus/alerts.yml", str(DEPLOY / "alerts.yml"))
    (tmp_path / "prometheus.yml").write_text(text)
    succeeds(PROMTOOL, "check", "config", tmp_path / "prometheus.yml")


# Grafana


@pytest.fixture(scope="module")
def families(tmp_path_factory, pki):
    """The metrics of running gateways: one on the local engine, one on what it takes for Timestream."""
    pages = []
    tenant = "demo: {database: metrics, table: prometheus, auth: none, credentials: {access_key_id: AKID, secret_access_key: x}}"
    with FaultServer(lambda _: Answer(200, NO_ROWS)) as store:
        aws = f'backend: aws, region: us-east-1, write_endpoint: "{store.url}", query_endpoint: "{store.url}"'
        for timestream in (None, aws):
            folder = tmp_path_factory.mktemp("metrics")
            with Gateway(folder, tenants=tenant, tls=pki.tls, timestream=timestream) as gateway:
                pages.append(http_get(f"http://127.0.0.1:{gateway.admin_port}/metrics")[1])
    found = re.findall(r"^# TYPE (\S+) (\S+)$", "\n".join(pages), re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_ask_for_metrics_that_there_are(tmp_path, families, path):
    dashboard = json.loads(path.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(expressions) > 30
    for expression in expressions:
        names = re.findall(r"\b(?:gateway|timestream_connector)_\w+", expression)
        for name in names:
            histogram = name.removesuffix("_bucket")
            kind = families.get(histogram if name.endswith("_bucket") else name)
            assert kind, f"no gateway has {name}"
            assert (kind == "histogram") == name.endswith("_bucket"), name
            # Only what counts up may be asked for its rate.
            assert (kind != "gauge") == (f"rate({name}" in expression), expression
    rules = [
        {"record": "x", "expr": text.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$tenant", ".*")}
        for text in expressions
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    succeeds(PROMTOOL, "check", "rules", "--lint=none", tmp_path / "rules.yml")


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_whole(path):
    dashboard = json.loads(path.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies over another"
        cells |= taken
        if panel["type"] != "row":
            assert panel["description"] and panel["datasource"]["uid"] == "${datasource}"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert used <= variables
    # What compose gives to Grafana.
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (provider,) = load(DEPLOY / "grafana/provisioning/dashboards/timestream-gateway.yaml")["providers"]
    mounts = load(DEPLOY / "compose.yaml")["services"]["grafana"]["volumes"]
    assert source["uid"] == dashboard["templating"]["list"][0]["current"]["value"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts


# systemd

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


def unit(folder):
    """The unit with this build's program in it."""
    text = UNIT.read_text()
    assert text.count("/usr/local/bin/timestream-gateway") == 1
    path = folder / UNIT.name
    path.write_text(text.replace("/usr/local/bin/timestream-gateway", str(BINARY)))
    return path


@needs_systemd
def test_the_unit_is_valid(tmp_path):
    output = succeeds("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit(tmp_path))
    assert output == ""


@needs_systemd
def test_the_unit_is_as_closed_as_the_documents_say(tmp_path):
    (score,) = re.findall(r"`systemd-analyze security`\s+rates\s+it\s+(\d\.\d)", (ROOT / "docs/deploy.md").read_text())
    threshold = str(round(float(score) * 10))
    # Fails above the threshold.
    output = succeeds(
        "systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={threshold}", unit(tmp_path)
    )
    assert f"Overall exposure level for {UNIT.name}" in output


def test_the_units_example_is_good(tmp_path, certificates):
    text = (DEPLOY / "tenants.yaml").read_text()
    # Each credential of the folder comes with its name behind the credential's.
    assert "LoadCredential=gateway:/etc/timestream-gateway/credentials" in UNIT.read_text()
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "gateway_server.key").write_bytes((certificates / "server.key").read_bytes())
    (folder / "gateway_payments.secret").write_text("secret\n")
    for name, source in (("server.pem", "server.pem"), ("clients.pem", "ca.pem")):
        (tmp_path / name).write_bytes((certificates / source).read_bytes())
    for path in folder.iterdir():
        path.chmod(0o600)
    output = check(tmp_path, text, CREDENTIALS_DIRECTORY=str(folder), PAYMENTS_KEY="AKIDEXAMPLE")
    assert "2 tenants" in output and "warning" not in output.lower()


# The image


def instructions():
    text = succeeds("awk", "-f", ROOT / "scripts/support/dockerfile.awk", ROOT / "Dockerfile")
    for line in text.splitlines():
        stage, name, rest = line.split(" ", 2)
        yield int(stage), name, rest


def image_packages():
    (packages,) = [
        re.search(r"--no-install-recommends (.*?) &&", rest)[1].split()
        for stage, name, rest in instructions() if stage == 2 and name == "RUN"
    ]
    return packages


def test_the_image_runs_as_nobody_and_says_how_it_is_watched_and_ended():
    last = {name: rest for stage, name, rest in instructions() if stage == 2}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["STOPSIGNAL"] == "SIGTERM"
    command = json.loads(re.search(r"\[.*\]", last["HEALTHCHECK"])[0])
    assert command == ["timestream-gateway", "health"]
    entry, arguments = json.loads(last["ENTRYPOINT"]), json.loads(last["CMD"])
    assert entry == ["timestream-gateway"] and arguments[0] == "serve"
    version = succeeds(BINARY, "version").split()[1]
    assert f"VERSION={version}" in [rest for stage, name, rest in instructions() if name == "ARG"]


def test_the_image_has_the_libraries_that_the_program_needs():
    needed = re.findall(r"Shared library: \[(.+?)\]", succeeds("readelf", "--dynamic", BINARY))
    places = dict(re.findall(r"(\S+) => (/\S+)", succeeds("ldd", BINARY)))
    packages = set()
    for library in needed:
        real = os.path.realpath(places.get(library, "/lib/" + library))
        if "swift" in real or library.startswith("ld-linux"):
            continue  # inside the image's program; the loader is libc6's
        for path in (real, real.removeprefix("/usr")):
            code, output = run("dpkg-query", "--search", path)
            if code == 0:
                packages.add(output.split(":")[0])
    # What every Debian has.
    assert packages and packages - {"libc6", "libgcc-s1"} <= set(image_packages())
    # What the documents tell to install is the same.
    for package in image_packages():
        assert package in (ROOT / "docs/deploy.md").read_text(), package


def test_the_image_is_not_checked_by_a_stranger():
    """What the check by hand says where it cannot work; it must not look like a failure."""
    command = [ROOT / "scripts/check-image", "--binary", BINARY]
    code, output = run(*command, env=os.environ | {"PATH": "/usr/bin:/bin"}, user=65534 if os.geteuid() == 0 else None)
    assert code == 0 and "skipped: " in output, output


# Kubernetes


def manifests():
    kustomization = load(MANIFESTS / "kustomization.yaml")
    return {name: load(MANIFESTS / name) for name in kustomization["resources"]}


@pytest.mark.parametrize("version", ["1.27.0", "1.37.0"])
def test_manifests_are_valid(version):
    known = 0
    for name, manifest in manifests().items():
        if not name.startswith("optional/"):  # of others' kinds, whose schemas are not at hand
            kubernetes_validate.validate(manifest, version, strict=True)
            known += 1
    assert known == 7


def test_every_manifest_is_applied():
    files = {str(path.relative_to(MANIFESTS)) for path in MANIFESTS.rglob("*.yaml")}
    assert files == set(manifests()) | {"kustomization.yaml", "tenants.yaml"}
    kustomization = load(MANIFESTS / "kustomization.yaml")
    (image,) = kustomization["images"]
    assert image["newTag"] == succeeds(BINARY, "version").split()[1]
    pod = manifests()["deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == image["name"]


def test_pods_are_restricted():
    """What the namespace's label `restricted` asks for, and a root file system that nobody writes to."""
    pod = manifests()["deployment.yaml"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }
    image_user = next(rest for stage, name, rest in instructions() if stage == 2 and name == "USER")
    assert image_user == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    # A file that is mounted by itself would never be exchanged.
    assert not any("subPath" in mount for mount in container["volumeMounts"])


def test_pods_have_the_time_to_drain():
    pod = manifests()["deployment.yaml"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    _, wait = container["lifecycle"]["preStop"]["exec"]["command"]
    drain = load(MANIFESTS / "tenants.yaml")["server"]["timeouts"]["drain"]
    assert pod["terminationGracePeriodSeconds"] >= int(wait) + int(drain.removesuffix("s")) + 5


def test_parts_of_the_cluster_find_each_other():
    all_of_them = manifests()
    deployment = all_of_them["deployment.yaml"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert all_of_them["service.yaml"]["spec"]["selector"] == labels
    assert all_of_them["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"] == labels
    assert all_of_them["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"] == labels
    assert all_of_them["optional/podmonitor.yaml"]["spec"]["selector"]["matchLabels"] == labels
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
    assert all_of_them["service.yaml"]["spec"]["ports"][0]["targetPort"] in ports
    assert all_of_them["horizontalpodautoscaler.yaml"]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    configuration = load(MANIFESTS / "tenants.yaml")
    assert configuration["server"]["listen"] == f":{ports['data']}"
    assert configuration["server"]["admin"]["listen"] == f":{ports['admin']}"
    # Shares of a limit are those of the fewest pods.
    assert configuration["server"]["replicas"] == all_of_them["horizontalpodautoscaler.yaml"]["spec"]["minReplicas"]
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    secret = next(volume["secret"]["secretName"] for volume in volumes if "secret" in volume)
    assert all_of_them["optional/certificate.yaml"]["spec"]["secretName"] == secret


def test_the_clusters_configuration_is_good(tmp_path, certificates):
    text = (MANIFESTS / "tenants.yaml").read_text()
    folder = "/run/secrets/timestream-gateway"
    for name, source in (("tls.crt", "server.pem"), ("tls.key", "server.key"), ("ca.crt", "ca.pem")):
        assert f"{folder}/{name}" in text
        text = text.replace(f"{folder}/{name}", str(certificates / source))
    mounts = manifests()["deployment.yaml"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts} == {"/etc/timestream-gateway", folder}
    output = check(tmp_path, text)
    assert "per fleet" in output and "1 tenant" in output


# A release


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """This build, if Swift's libraries are inside it; else a small program that shares libraries as it does."""
    if "libswift" not in succeeds("ldd", BINARY):
        return BINARY
    folder = tmp_path_factory.mktemp("stand-in")
    version = succeeds(BINARY, "version").strip()
    (folder / "main.c").write_text(
        "#include <curl/curl.h>\n#include <openssl/crypto.h>\n#include <stdio.h>\n"
        f'int main(void) {{ puts("{version}"); return !curl_version() || !OpenSSL_version(0); }}\n'
    )
    succeeds("gcc", "-o", folder / "program", folder / "main.c", "-lcurl", "-lcrypto")
    return folder / "program"


def release(program, folder):
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1760000000"}
    succeeds(ROOT / "scripts/release", "--binary", program, folder, env=environment)
    (archive,) = folder.glob("*.tar.gz")
    (bill,) = folder.glob("*.cdx.json")
    return archive, bill


def test_a_release_is_whole_and_the_same_twice(tmp_path, program):
    archive, bill = release(program, tmp_path / "first")
    again, other = release(program, tmp_path / "second")
    assert archive.read_bytes() == again.read_bytes() and bill.read_bytes() == other.read_bytes()
    succeeds("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=tmp_path / "first")

    succeeds("tar", "--extract", "--file", archive, "--directory", tmp_path)
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    assert succeeds(folder / "timestream-gateway", "version") == succeeds(BINARY, "version")
    for name in ("README.md", "docs/operations.md", "docs/deploy.md", "tenants.yaml", f"deploy/{UNIT.name}"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    listing = succeeds("tar", "--list", "--verbose", "--numeric-owner", "--file", archive, env=os.environ | {"TZ": "UTC"})
    for line in listing.splitlines():
        assert re.match(r"(-rw-r--r--|[-d]rwxr-xr-x) 0/0 +\d+ 2025-10-09 08:53 ", line), line
    # Nothing of this machine, and nothing that is no file of the project.
    assert not [name for name in listing.splitlines() if "__pycache__" in name or "/var/" in name]
    assert (folder / "bill-of-materials.cdx.json").read_bytes() == bill.read_bytes()


def test_the_bill_of_materials_is_valid_and_tells_what_is_inside(tmp_path, program):
    archive, path = release(program, tmp_path)
    text = path.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["metadata"]["component"]["version"] == succeeds(BINARY, "version").split()[1]
    components = {component["name"]: component for component in bill["components"]}
    for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]:
        assert components[pin["identity"]]["version"] == pin["state"].get("version", pin["state"]["revision"])
    for package in ("libssl3", "libcurl4", "libc6"):
        version = succeeds("dpkg-query", "--show", "--showformat", "${Version}", package)
        assert components[package]["version"] == version
        assert components[package]["purl"].startswith("pkg:deb/debian/")
    # What a library of ours needs is inside, too.
    assert {"name": "shared:needed-by", "value": "library"} in components["libnghttp2-14"]["properties"]
    assert str(ROOT) not in text


def test_a_program_that_shares_swifts_libraries_is_no_release(tmp_path):
    if "libswift" not in succeeds("ldd", BINARY):
        pytest.skip("this build has them inside")
    code, output = run(ROOT / "scripts/release", "--binary", BINARY, tmp_path)
    assert code == 1 and "--static-swift-stdlib" in output and not list(tmp_path.iterdir())
