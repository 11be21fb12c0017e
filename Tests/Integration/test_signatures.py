"""A million samples of eight tenants at once: each record in its tenant's table, signed with its tenant's key. botocore signs
each call again, and gets the same signature.

GATEWAY_SIGNED_CALLS says how many calls, at least.
"""

import datetime
import os
import threading

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import protocol
from support.faults import GOOD, NO_ROWS, Answer, FaultServer
from support.gateway import Gateway

CALLS = int(os.environ.get("GATEWAY_SIGNED_CALLS", "10000"))
NOW = 1_760_000_000_000
TENANTS = {
    "one": ("AKIDONE", "secret/of+one", None, "us-east-1"),
    "two": ("AKIDTWO", "s" * 90, "token/of+two==", "us-east-1"),
    "three": ("ASIATHREE", "secret=of=three", "t" * 900, "eu-west-1"),
    "four": ("AKIDFOUR", "secret/of+one", None, "ap-northeast-1"),
    "five": ("AKIDFIVE", "/" * 40, None, "us-east-1"),
    "six": ("ASIASIX", "secret+of+six==", "token+of/six", "us-east-1"),
    "seven": ("AKIDSEVEN", "secret/of/seven", None, "eu-central-1"),
    "eight": ("AKIDEIGHT", "=/+=/+", None, "us-west-2"),
}
BATCHES = 5


def verify(call, tenant):
    key_id, secret, token, region = TENANTS[tenant]
    moment = datetime.datetime.strptime(call.header("x-amz-date"), "%Y%m%dT%H%M%SZ")
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment
    again = AWSRequest(method=call.method, url=f"http://{call.header('host')}{call.path}", data=call.body)
    made_by_signer = ("authorization", "x-amz-date", "x-amz-security-token", "content-length")
    for name, value in call.headers:
        if name.lower() not in made_by_signer:
            again.headers.add_header(name, value)
    botocore.auth.SigV4Auth(Credentials(key_id, secret, token), "timestream", region).add_auth(again)
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        assert again.headers.get(name) == call.header(name.lower()), f"{tenant}: {name}"
    age = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - moment
    assert -60 < age.total_seconds() < 600


def senders(message):
    """Who has sent the records of a call, as their dimensions say."""
    common = message.get("CommonAttributes", {}).get("Dimensions", [])
    return {
        next(part["Value"] for part in common + record.get("Dimensions", []) if part["Name"] == "sender")
        for record in message["Records"]
    }


def test_botocore_agrees_with_every_signature_and_no_key_signs_for_another_table(tmp_path, monkeypatch):
    monkeypatch.setattr(botocore.auth, "get_current_datetime", botocore.auth.get_current_datetime)
    with FaultServer(lambda call: Answer(200, GOOD if call.operation == "WriteRecords" else NO_ROWS)) as store:
        tenants = "".join(
            f"""
{name}:
  database: production
  table: table-{name}
  region: {region}
  credentials: {{access_key_id: {key_id}, secret_access_key: "{secret}"{f', session_token: "{token}"' if token else ""}}}
  auth: none
  limits: {{write_requests_per_second: unlimited, samples_per_second: unlimited}}
"""
            for name, (key_id, secret, token, region) in TENANTS.items()
        )
        with Gateway(
            tmp_path, tenants=tenants,
            timestream=f'backend: aws, write_endpoint: "{store.url}", query_endpoint: "{store.url}"',
        ) as gateway:
            bodies = {
                name: protocol.encode(
                    protocol.write_request(
                        [
                            ({"__name__": "m", "n": str(n), "sender": name}, [(float(n), NOW)])
                            for n in range(BATCHES * 100)
                        ]
                    )
                )
                for name in TENANTS
            }
            each = -(-CALLS // (BATCHES * len(TENANTS) * 2))
            statuses = []

            def send(tenant):
                for _ in range(each):
                    statuses.append(gateway.write(f"/t/{tenant}/write", None, raw=bodies[tenant]).status_code)

            threads = [threading.Thread(target=send, args=(name,)) for name in [*TENANTS] * 2]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(300)
            assert set(statuses) == {204} and len(statuses) == each * len(TENANTS) * 2

        writes = [call for call in store.calls if call.operation == "WriteRecords"]
        assert len(writes) >= CALLS
        samples = 0
        tenant_of = {key_id: name for name, (key_id, *_) in TENANTS.items()}
        for call in store.calls:
            tenant = tenant_of[call.key_id]
            if call.operation == "WriteRecords":
                message = call.message
                assert (message["DatabaseName"], message["TableName"]) == ("production", f"table-{tenant}")
                samples += len(message["Records"])
                assert senders(message) == {tenant}
            else:
                assert f'"production"."table-{tenant}"' in call.message["QueryString"]
            verify(call, tenant)
        assert samples == len(statuses) * BATCHES * 100
