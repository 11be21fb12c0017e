"""A server that checks each request with botocore: the signature, and the body against the service's model."""
import datetime
import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

# The tests' threads block signals, and children inherit that.
signal.pthread_sigmask(signal.SIG_SETMASK, [])
signal.alarm(120)

key_id, secret, token, region = sys.argv[1:]
session = botocore.session.get_session()
models = [session.get_service_model(name) for name in ("timestream-write", "timestream-query")]
moment = None
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment


class Refusal(Exception):
    pass


def check_signature(handler, body):
    global moment
    stamp = handler.headers["x-amz-date"]
    moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    age = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - moment
    if abs(age.total_seconds()) > 60:
        raise Refusal("the request was signed at " + stamp)
    again = AWSRequest(method=handler.command, url="http://" + handler.headers["host"] + handler.path, data=body)
    made_by_signer = ("authorization", "x-amz-date", "x-amz-security-token", "content-length")
    for name, value in handler.headers.items():
        if name.lower() not in made_by_signer:
            again.headers.add_header(name, value)
    botocore.auth.SigV4Auth(Credentials(key_id, secret, token or None), "timestream", region).add_auth(again)
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        if again.headers.get(name) != handler.headers.get(name):
            raise Refusal(f"{name} is {handler.headers.get(name)}, botocore has {again.headers.get(name)}")


def check_body(handler, body):
    prefix, _, operation = handler.headers["x-amz-target"].partition(".")
    if prefix != "Timestream_20181101" or handler.headers["content-type"] != "application/x-amz-json-1.0":
        raise Refusal("the request is not framed as AWS JSON 1.0")
    model = next((m for m in models if operation in m.operation_names), None)
    if model is None:
        raise Refusal("there is no operation " + operation)
    values = json.loads(body)
    shape = model.operation_model(operation).input_shape
    report = ParamValidator().validate(values, shape)
    if report.has_errors():
        raise Refusal(report.generate_report())
    unknown = set(values) - set(shape.members)
    if unknown:
        raise Refusal(f"members that the model does not have: {unknown}")
    return operation, values


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            check_signature(self, body)
            operation, values = check_body(self, body)
            status, answer = 200, self.answer(operation, values)
        except Exception as error:
            status, answer = 400, {"__type": "com.amazon.coral.validate#ValidationException", "Message": repr(error)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, operation, values):
        if operation == "DescribeEndpoints":
            address = "http://127.0.0.1:%d" % self.server.server_port
            return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}
        if operation == "WriteRecords":
            count = len(values["Records"])
            return {"RecordsIngested": {"Total": count, "MemoryStore": count, "MagneticStore": 0}}
        if operation == "Query":
            row = {"Data": [{"ScalarValue": values["QueryString"]}, {"NullValue": True}]}
            columns = [{"Name": name, "Type": {"ScalarType": "VARCHAR"}} for name in ("statement", "nothing")]
            page = {"QueryId": "Q1", "Rows": [row], "ColumnInfo": columns}
            if "NextToken" not in values:
                page["NextToken"] = "more/+="
            return page
        if operation == "CancelQuery":
            return {"CancellationMessage": "cancelled"}
        if operation == "CreateDatabase":
            return {"Database": {"DatabaseName": values["DatabaseName"]}}
        retention = {"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 365}
        return {"Table": {"TableName": values["TableName"], "TableStatus": "ACTIVE", "RetentionProperties": retention}}

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
