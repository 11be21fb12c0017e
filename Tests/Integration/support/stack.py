"""Stacks of deploy/lambda, made by moto: what CloudFormation would make of a template and its parameters."""

import uuid

import boto3
import yaml
from moto import mock_aws
from moto.backends import get_backend
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

from support.gateway import ROOT

FOLDER = ROOT / "deploy" / "lambda"
NAME = "PrometheusTimestreamConnector"
ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "packages-us-east-1"


def _named_by(kind, name):
    """A kind of resource that moto does not know: it has an id and attributes, and makes nothing."""

    class Resource(CloudFormationModel):
        @staticmethod
        def cloudformation_name_type():
            return ""

        @staticmethod
        def cloudformation_type():
            return kind

        @classmethod
        def has_cfn_attr(cls, attr):
            return True

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
            resource = cls()
            resource.physical_resource_id = name(cloudformation_json["Properties"])
            return resource

        def get_cfn_attribute(self, attribute):
            return f"{attribute} of {self.physical_resource_id}"

    return Resource


def _any_id(_):
    return uuid.uuid4().hex[:10]


KINDS = {
    "AWS::ApiGateway::Stage": lambda properties: properties["StageName"],
    "AWS::ApiGatewayV2::Api": _any_id,
    "AWS::ApiGatewayV2::ApiMapping": _any_id,
    "AWS::ApiGatewayV2::DomainName": lambda properties: properties["DomainName"],
    "AWS::ApiGatewayV2::Integration": _any_id,
    "AWS::ApiGatewayV2::Route": _any_id,
    "AWS::ApiGatewayV2::Stage": lambda properties: properties["StageName"],
    "AWS::Timestream::Database": lambda properties: properties["DatabaseName"],
    "AWS::Timestream::Table": lambda properties: "|".join((properties["DatabaseName"], properties["TableName"])),
}
# Moto looks for subclasses, once.
_RESOURCES = [_named_by(kind, name) for kind, name in KINDS.items()]


class Stack:
    """A stack with the article's name: its resources, with all references followed, and its outputs."""

    def __init__(self, template="template.yaml", **parameters):
        text = (FOLDER / template).read_text()
        with mock_aws(config={"lambda": {"use_docker": False}}):
            s3 = boto3.client("s3", region_name=REGION)
            s3.create_bucket(Bucket=BUCKET)
            for architecture in ("x86_64", "arm64"):
                s3.put_object(Bucket=BUCKET, Key=f"timestream-gateway-lambda-{architecture}.zip", Body=b"zip")
            if template == "template-privatelink.yaml":
                parameters = self._network() | parameters
            client = boto3.client("cloudformation", region_name=REGION)
            client.create_stack(
                StackName=NAME, TemplateBody=text, Capabilities=["CAPABILITY_IAM"],
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in ({"CodeBucket": BUCKET} | parameters).items()
                ],
            )
            (stack,) = client.describe_stacks(StackName=NAME)["Stacks"]
            assert stack["StackStatus"] == "CREATE_COMPLETE", stack
            self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            backend = get_backend("cloudformation")[ACCOUNT][REGION]
            made = backend.get_stack(NAME).resource_map
            source = yaml.load(text, Loader=_Loader)["Resources"]
            self.resources = {}
            for logical, resource in source.items():
                condition = resource.get("Condition")
                if not condition or made.lazy_condition_map[condition]:
                    self.resources[logical] = parsing.clean_json(resource, made)

    @staticmethod
    def _network():
        client = boto3.client("ec2", region_name=REGION)
        vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            client.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2)
        ]
        return {
            "VpcId": vpc, "PrivateSubnetIds": ",".join(subnets), "VpcCidrIp": "10.0.0.0/16",
            "TimestreamWriteCell": "ingest-cell1", "TimestreamQueryCell": "query-cell2",
        }

    def properties(self, logical):
        return self.resources[logical]["Properties"]

    def of_type(self, kind):
        """Logical ids and properties of all resources of a type."""
        return {
            logical: resource["Properties"] for logical, resource in self.resources.items() if resource["Type"] == kind
        }

    @property
    def routes(self):
        """The authorization type of each route of the HTTP API."""
        return {
            route["RouteKey"]: route["AuthorizationType"] for route in self.of_type("AWS::ApiGatewayV2::Route").values()
        }

    @property
    def variables(self):
        return self.properties("LambdaFunction")["Environment"]["Variables"]

    @property
    def role_statements(self):
        (policy,) = self.properties("IAMLambdaRole")["Policies"]
        # CloudFormation leaves out what is AWS::NoValue; moto has None there.
        return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"] if statement}


class _Loader(yaml.SafeLoader):
    """With CloudFormation's short forms, as moto itself reads them."""


def _short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)
