"""AWS' own Python client, for comparison: what it sends to the services that hand out credentials, how it reads files."""
import base64
import datetime
import json
import os
import shlex
import signal
import sys
import tempfile

import botocore.auth
import botocore.configloader
import botocore.credentials
import botocore.session
import botocore.utils
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest
from botocore.config import Config

# The tests' threads block signals, and children inherit that.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.alarm(60)


def client(url, **options):
    return botocore.session.Session().create_client("sts", endpoint_url=url, region_name="eu-west-1", **options)


def shown(credentials):
    return {
        "id": credentials["AccessKeyId"],
        "secret": credentials["SecretAccessKey"],
        "token": credentials["SessionToken"],
        "expiration": int(credentials["Expiration"].timestamp()),
    }


def assume_role(order):
    key = order["key"]
    sts = client(
        order["url"],
        aws_access_key_id=key["id"],
        aws_secret_access_key=key["secret"],
        aws_session_token=key["token"],
    )
    return shown(sts.assume_role(**order["parameters"])["Credentials"])


def web_identity(order):
    sts = client(order["url"], config=Config(signature_version=UNSIGNED))
    return shown(sts.assume_role_with_web_identity(**order["parameters"])["Credentials"])


def instance(order):
    fetcher = botocore.utils.InstanceMetadataFetcher(base_url=order["url"] + "/", env={})
    found = fetcher.retrieve_iam_role_credentials()
    return {"id": found["access_key"], "secret": found["secret_key"], "token": found["token"]}


def container(order):
    provider = botocore.credentials.ContainerProvider(environ=order["environment"])
    found = provider.load().get_frozen_credentials()
    return {"id": found.access_key, "secret": found.secret_key, "token": found.token}


def endpoints(order):
    """Where the client would send its calls."""
    found = []

    def intercept(request, **_):
        found.append(request.url.rstrip("/"))
        raise InterruptedError

    for region, fips, dual_stack in order:
        session = botocore.session.Session()
        session.set_config_variable("sts_regional_endpoints", "regional")
        sts = session.create_client(
            "sts",
            region_name=region,
            aws_access_key_id="A",
            aws_secret_access_key="S",
            config=Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack),
        )
        sts.meta.events.register("before-send.sts.*", intercept)
        try:
            sts.get_caller_identity()
        except InterruptedError:
            pass
    return found


def verify(order):
    """Signs the same request at the same time; the signature that results."""
    headers = dict(order["headers"])
    moment = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment
    made = AWSRequest(method="POST", url="http://" + headers["host"] + "/", data=base64.b64decode(order["body"]))
    made.headers.add_header("Content-Type", headers["content-type"])
    key = botocore.credentials.Credentials(order["key"]["id"], order["key"]["secret"], order["key"]["token"])
    botocore.auth.SigV4Auth(key, "sts", "eu-west-1").add_auth(made)
    return made.headers["Authorization"]


def files(orders):
    """The profiles of pairs of files, nested settings as one text."""
    results = []
    for order in orders:
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name in ("config", "credentials"):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(order[name])
                paths.append(path)
            try:
                config = botocore.configloader.build_profile_map(
                    botocore.configloader.raw_config_parse(paths[0], parse_subsections=False)
                )["profiles"]
                credentials = botocore.configloader.raw_config_parse(paths[1], parse_subsections=False)
            except botocore.exceptions.ConfigParseError:
                results.append(None)
                continue
            for name, values in credentials.items():
                config.setdefault(name, {}).update(values)
            results.append(config)
    return results


def split(commands):
    results = []
    for command in commands:
        try:
            results.append(shlex.split(command))
        except ValueError:
            results.append(None)
    return results


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as source:
        answer = globals()[sys.argv[1]](json.load(source))
    with open(sys.argv[3], "w", encoding="utf-8") as target:
        json.dump(answer, target)
