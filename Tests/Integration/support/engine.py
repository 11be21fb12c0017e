"""The local engine in a process of its own, and a double in front of it that refuses what a test says."""

import asyncio
import http.client

import boto3

from support.faults import Answer, FaultServer, error
from support.gateway import BINARY
from support.process import Child, eventually, free_port, http_get

REGION = "eu-west-1"


class Engine:
    """`keys`: access key id to (secret, database, table)."""

    def __init__(self, folder, keys):
        self.keys = keys
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        arguments = [f"--key={id}:{secret}:{database}/{table}" for id, (secret, database, table) in keys.items()]
        command = [BINARY, "local", "--listen", f"127.0.0.1:{self.port}", "--directory", folder / "engine", *arguments]
        self.child = Child(command, folder / "engine.log")
        eventually(lambda: http_get(self.url)[0] != 0, what="the engine answers")

    def client(self, key, service="timestream-write"):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=key,
            aws_secret_access_key=self.keys[key][0],
        )

    def make_table(self, key, **settings):
        _, database, table = self.keys[key]
        client = self.client(key)
        try:
            client.create_database(DatabaseName=database)
        except client.exceptions.ConflictException:
            pass
        client.create_table(DatabaseName=database, TableName=table, **settings)

    def rows(self, key):
        _, database, table = self.keys[key]
        query = self.client(key, "timestream-query")
        pages = query.get_paginator("query").paginate(QueryString=f'SELECT * FROM "{database}"."{table}"')
        return [row for page in pages for row in page["Rows"]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stop()


class Guard(FaultServer):
    """Passes calls on to an engine, but for those that `answer(call)` answers."""

    def __init__(self, engine, answer):
        async def script(call):
            reply = answer(call)
            return reply if reply is not None else await asyncio.to_thread(self._forward, call)

        self._target = engine.port
        super().__init__(script)

    def _forward(self, call):
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=20)
        connection.putrequest(call.method, call.path, skip_host=True, skip_accept_encoding=True)
        for name, value in call.headers:
            connection.putheader(name, value)
        connection.endheaders(call.body)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Answer(answer.status, body)


def denied(call, action, resource="arn:aws:timestream:eu-west-1:000000000000:database/production/table/t"):
    words = f"User: arn:aws:iam::000000000000:user/{call.key_id} is not authorized to perform: timestream:{action} on "
    return error(403, "AccessDeniedException", words + f"resource: {resource} because no identity-based policy allows it")
