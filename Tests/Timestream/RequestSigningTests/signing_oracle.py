"""botocore's SigV4, for comparison: `sign` makes signed requests, `check` signs given ones."""
import base64
import datetime
import json
import random
import signal
import sys
from urllib.parse import quote

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# The tests' threads block signals, and children inherit that.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.alarm(60)


def sign(request):
    """Signs one request, at its own time, and returns all headers with the one that botocore leaves to its client."""
    moment = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment
    made = AWSRequest(
        method=request["method"],
        url="https://" + request["host"] + request["target"],
        data=base64.b64decode(request["body"]),
    )
    for name, value in request["headers"]:
        made.headers.add_header(name, value)
    key = Credentials(request["id"], request["secret"], request["token"])
    botocore.auth.SigV4Auth(key, request["service"], request["region"]).add_auth(made)
    return [list(item) for item in made.headers.items()]


def text(source, letters, longest):
    return "".join(source.choice(letters) for _ in range(source.randint(1, longest)))


def made_up(source):
    segments = ["a", "B-9", "x_y", "~home", ".", "..", "", "%20", "caf%C3%A9", "a=b", "a+b", "(c)", "a:b@c,d;e"]
    target = "/" + "/".join(source.choice(segments) for _ in range(source.randint(0, 5)))
    pairs = []
    for _ in range(source.choice([0, 0, 1, 3, 6])):
        pairs.append((text(source, "ab~ /é=", 3), text(source, "ab+&%\u2603 ", 3) if source.random() < 0.8 else ""))
    if pairs:
        target += "?" + "&".join(quote(a, safe="-_.~") + "=" + quote(b, safe="-_.~") for a, b in pairs)
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", "Timestream_20181101.WriteRecords")]
    for _ in range(source.randint(0, 4)):
        name = "X-" + text(source, "abcABC-", 4)
        headers.append((name, text(source, "ab\t  ,;\"é", 12)))
    if source.random() < 0.3:
        headers.append(("User-Agent", "Boto3/1.0  not signed"))
    if source.random() < 0.1:
        headers.append(("Date", "Thu, 01 Jan 1970 00:00:00 GMT"))
    source.shuffle(headers)
    return {
        "method": source.choice(["POST", "GET", "PUT", "DELETE"]),
        "host": source.choice(["ingest-cell1.timestream.us-east-1.amazonaws.com", "127.0.0.1:9203"]),
        "target": target,
        "headers": headers,
        "body": base64.b64encode(source.randbytes(source.choice([0, 1, 63, 64, 2000]))).decode(),
        "id": "AKID" + text(source, "ABC234", 12),
        "secret": text(source, "abcXYZ/+089", 60) * source.choice([1, 2]),
        "token": text(source, "abc+/=", 200) if source.random() < 0.4 else None,
        "region": source.choice(["us-east-1", "eu-central-1"]),
        "service": "timestream",
        "time": source.randint(0, 4102444800),
    }


mode, source_path, result_path = sys.argv[1:]
results = []
if mode == "sign":
    with open(source_path) as file:
        order = json.load(file)
    source = random.Random(order["seed"])
    for _ in range(order["count"]):
        request = made_up(source)
        request["headers"] = [["Host", request["host"]]] + sign(request)
        results.append(request)
else:
    with open(source_path) as file:
        for request in json.load(file):
            results.append([[name.lower(), value] for name, value in sign(request)])
with open(result_path, "w") as file:
    json.dump(results, file)
