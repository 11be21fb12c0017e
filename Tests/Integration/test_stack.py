"""The stacks of deploy/lambda: valid, with AWS' article's names and defaults, and no more rights than they need."""

import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys

import boto3
import parliament
import pytest
import yaml

from support.gateway import BINARY, ROOT
from support.process import Child, eventually, free_port, http_get
from support.stack import ACCOUNT, BUCKET, FOLDER, NAME, REGION, Stack

TOOLS = pathlib.Path(sys.executable).parent
POLICIES = FOLDER / "policies"
TABLE_ARN = f"arn:aws:timestream:{REGION}:{ACCOUNT}:database/PrometheusDatabase/table/PrometheusMetricsTable"
ROUTES = {
    f"POST {tenant}{path}"
    for tenant in ("", "/t/{tenant}")
    for path in ("/write", "/read", "/api/v1/write", "/api/v1/push", "/api/v1/read")
}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
MUTUAL_TLS = {
    "DomainName": "metrics.example.com", "CertificateArn": CERTIFICATE, "TruststoreUri": "s3://trust/authorities.pem",
}
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:tenants:3"

# What the article's deployment policy allows. Source: "Deployment Permissions" in serverless/DEVELOPER_README.md of
# awslabs/amazon-timestream-connector-prometheus.
ARTICLE = set("""
apigateway:GET apigateway:POST apigateway:PUT apigateway:TagResource
cloudformation:CreateChangeSet cloudformation:CreateStack cloudformation:DescribeChangeSet
cloudformation:DescribeStackEvents cloudformation:DescribeStacks cloudformation:ExecuteChangeSet
cloudformation:GetStackPolicy cloudformation:GetTemplate cloudformation:GetTemplateSummary cloudformation:ListStacks
iam:AttachRolePolicy iam:CreatePolicy iam:CreateRole iam:GetRole iam:GetRolePolicy iam:ListRoles iam:PassRole
iam:PutRolePolicy
lambda:AddPermission lambda:CreateFunction lambda:GetFunction lambda:ListFunctions lambda:TagResource
s3:GetBucketLocation s3:GetBucketPolicy s3:GetObject sns:ListTopics
""".split())


def needed(stack):
    """The actions on resources that making the stack takes, each with an ARN of what it is for.

    Source: the create handlers of the resource types' schemas in CloudFormation's registry, without what they call only
    for properties that the stack does not have.
    """
    role = f"arn:aws:iam::{ACCOUNT}:role/{NAME}-IAMLambdaRole-1ABC"
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}-LambdaFunction-1ABC"
    apis = f"arn:aws:apigateway:{REGION}::/apis"
    domains = f"arn:aws:apigateway:{REGION}::/domainnames"
    database = f"arn:aws:timestream:{REGION}:{ACCOUNT}:database/PrometheusDatabase"
    actions = set()
    for resource in stack.resources.values():
        kind, properties = resource["Type"], resource["Properties"]
        assert not properties.get("Tags")
        match kind:
            case "AWS::IAM::Role":
                actions |= {("iam:CreateRole", role), ("iam:GetRole", role)}
                if properties.get("Policies"):
                    actions |= {("iam:PutRolePolicy", role), ("iam:GetRolePolicy", role)}
                if properties.get("ManagedPolicyArns"):
                    actions |= {("iam:AttachRolePolicy", role)}
            case "AWS::Lambda::Function":
                actions |= {("lambda:CreateFunction", function), ("lambda:GetFunction", function)}
                actions |= {("iam:PassRole", role)}
                code = properties["Code"]
                actions |= {("s3:GetObject", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")}
                if properties.get("Layers"):
                    actions |= {("lambda:GetLayerVersion", layer) for layer in properties["Layers"]}
                assert not {"VpcConfig", "ReservedConcurrentExecutions", "KmsKeyArn"} & set(properties)
            case "AWS::Lambda::Permission":
                actions |= {("lambda:AddPermission", function)}
            case "AWS::ApiGatewayV2::Api":
                actions |= {("apigateway:POST", apis), ("apigateway:GET", f"{apis}/foo9l30")}
            case "AWS::ApiGatewayV2::Integration" | "AWS::ApiGatewayV2::Route" | "AWS::ApiGatewayV2::Stage":
                part = f"{apis}/foo9l30/{kind.rpartition(':')[2].lower()}s"
                actions |= {("apigateway:POST", part), ("apigateway:GET", f"{part}/1abc")}
            case "AWS::ApiGatewayV2::DomainName":
                domain = f"{domains}/{properties['DomainName']}"
                actions |= {("apigateway:POST", domains), ("apigateway:GET", domain)}
                actions |= {("apigateway:AddCertificateToDomain", domain)}
            case "AWS::ApiGatewayV2::ApiMapping":
                part = f"{domains}/{properties['DomainName']}/apimappings"
                actions |= {("apigateway:POST", part), ("apigateway:GET", f"{part}/1abc")}
            case "AWS::Timestream::Database":
                actions |= {("timestream:CreateDatabase", database), ("timestream:DescribeDatabase", database)}
                actions |= {("timestream:ListTagsForResource", database), ("timestream:DescribeEndpoints", "*")}
            case "AWS::Timestream::Table":
                actions |= {("timestream:CreateTable", TABLE_ARN), ("timestream:DescribeTable", TABLE_ARN)}
                actions |= {("timestream:ListTagsForResource", TABLE_ARN)}
            case _:
                raise AssertionError(f"what does a {kind} take?")
    return actions


def policy(name):
    """A policy of deploy/lambda/policies, with the placeholders filled in."""
    text = (POLICIES / f"{name}.json").read_text()
    for placeholder, value in {
        "<region>": REGION, "<account-id>": ACCOUNT, "<bucket>": BUCKET, "<api-id>": "foo9l30",
        "<truststore-bucket>": "trust", "<truststore-key>": "authorities.pem",
    }.items():
        text = text.replace(placeholder, value)
    assert "<" not in text, "a placeholder that docs/lambda.md does not name"
    return json.loads(text)


def as_list(value):
    return value if isinstance(value, list) else [value]


def allows(statements, action, arn):
    return any(
        action in as_list(statement["Action"])
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in as_list(statement["Resource"]))
        for statement in statements
    )


def what_lacks(stack, *policies):
    statements = [statement for name in policies for statement in policy(name)["Statement"]]
    return {(action, arn) for action, arn in needed(stack) if not allows(statements, action, arn)}


@pytest.fixture(scope="module")
def default():
    return Stack()


@pytest.mark.parametrize("template", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_cfn_lint_finds_nothing(template):
    command = [
        TOOLS / "cfn-lint", "--regions", "us-east-1", "eu-west-1", "ap-northeast-1", "--include-checks", "I",
        # That Timestream for LiveAnalytics takes no new customers, and that CertificateArn's default is no ARN, which
        # only counts where no DomainName is given.
        "--ignore-checks", "W3697", "W1030", "--", FOLDER / template,
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_defaults_are_the_articles():
    parameters = {}

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda *_: None)
    for name, parameter in yaml.load((FOLDER / "template.yaml").read_text(), Loader=Loader)["Parameters"].items():
        parameters[name] = parameter.get("Default")
        assert parameter["Description"], name
    assert {name: parameters[name] for name in (
        "APIGatewayStageName", "MemorySize", "ApiGatewayTimeoutInMillis", "LambdaTimeoutInSeconds",
        "ReadThrottlingBurstLimit", "WriteThrottlingBurstLimit", "DefaultDatabase", "DefaultTable",
        "ExecutionPolicyName", "LogLevel", "EnableSigV4Auth",
    )} == {
        "APIGatewayStageName": "dev", "MemorySize": 512, "ApiGatewayTimeoutInMillis": 30000,
        "LambdaTimeoutInSeconds": 30, "ReadThrottlingBurstLimit": 1200, "WriteThrottlingBurstLimit": 1200,
        "DefaultDatabase": "PrometheusDatabase", "DefaultTable": "PrometheusMetricsTable",
        "ExecutionPolicyName": "LambdaExecutionPolicy", "LogLevel": "info", "EnableSigV4Auth": "false",
    }
    # One click: nothing but the package's place has no default.
    assert [name for name, value in parameters.items() if value is None] == ["CodeBucket"]


def test_the_default_stack_is_the_articles(default):
    function = default.properties("LambdaFunction")
    expected = {
        "Runtime": "provided.al2023", "Handler": "bootstrap", "MemorySize": 512, "Timeout": 30,
        "Architectures": ["x86_64"],
        "Code": {"S3Bucket": BUCKET, "S3Key": "timestream-gateway-lambda-x86_64.zip"},
    }
    assert expected.items() <= function.items()
    assert default.variables == {
        "default_database": "PrometheusDatabase", "default_table": "PrometheusMetricsTable", "region": REGION,
        "log_level": "info", "enable_sigv4_auth": "false",
    }
    assert f":role/{NAME}-IAMLambdaRole-" in function["Role"]
    assert f":function:{NAME}-LambdaFunction-" in default.properties("APIGatewayIntegration")["IntegrationUri"]
    integration = {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0", "TimeoutInMillis": 30000}
    assert integration.items() <= default.properties("APIGatewayIntegration").items()
    assert default.properties("APIGateway")["DisableExecuteApiEndpoint"] is False

    assert default.routes == {route: "NONE" for route in ROUTES}
    stage = default.properties("APIGatewayStage")
    assert (stage["StageName"], stage["AutoDeploy"]) == ("dev", True)
    assert stage["RouteSettings"] == {route: {"ThrottlingBurstLimit": 1200} for route in ROUTES}
    routes = set(default.of_type("AWS::ApiGatewayV2::Route"))
    assert set(default.resources["APIGatewayStage"]["DependsOn"]) == routes

    api = default.properties("APIGatewayStage")["ApiId"]
    assert default.outputs == {
        "InvokeWriteURL": f"https://{api}.execute-api.{REGION}.amazonaws.com/dev/write",
        "InvokeReadURL": f"https://{api}.execute-api.{REGION}.amazonaws.com/dev/read",
        "DefaultDatabase": "PrometheusDatabase", "DefaultTable": "PrometheusMetricsTable",
        "FunctionName": default.properties("InvokeLambdaPermission")["FunctionName"],
    }
    permission = default.properties("InvokeLambdaPermission")
    assert permission["SourceArn"] == f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/dev/POST/*"
    assert permission["Principal"] == "apigateway.amazonaws.com"


def test_the_default_role_can_write_its_log_and_nothing_else(default):
    role = default.properties("IAMLambdaRole")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }
    assert not role.get("ManagedPolicyArns")
    assert [entry["PolicyName"] for entry in role["Policies"]] == ["LambdaExecutionPolicy"]
    assert default.role_statements == {
        "Log": {
            "Sid": "Log", "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{NAME}-LambdaFunction-*:*",
        }
    }


def test_the_default_stack_takes_no_right_that_the_articles_policy_lacks(default):
    assert {action for action, _ in needed(default)} <= ARTICLE
    assert not what_lacks(default, "deployment")


@pytest.mark.parametrize(
    ("parameters", "policies"),
    [
        ({"EnableSigV4Auth": "true"}, ["deployment"]),
        ({"Architecture": "arm64"}, ["deployment"]),
        ({"CreateTable": "true"}, ["deployment", "deployment-table"]),
        (MUTUAL_TLS, ["deployment", "deployment-mutual-tls"]),
    ],
)
def test_options_take_what_their_policies_say(parameters, policies):
    stack = Stack(**parameters)
    assert not what_lacks(stack, *policies)
    if len(policies) > 1:
        # And not without.
        assert what_lacks(stack, policies[0])


def test_with_sigv4_routes_ask_for_a_signature_and_the_role_uses_the_table(tmp_path):
    stack = Stack(EnableSigV4Auth="true")
    assert stack.routes == {route: "AWS_IAM" for route in ROUTES}
    assert stack.variables["enable_sigv4_auth"] == "true"
    statements = stack.role_statements
    del statements["Log"]
    assert rights(statements.values()) == rights(printed_policy(tmp_path))


def test_the_execution_policy_is_what_the_gateway_prints(tmp_path):
    assert rights(policy("execution")["Statement"]) == rights(printed_policy(tmp_path))


def rights(statements):
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return {
        (action, resource) for statement in statements
        for action in as_list(statement["Action"]) for resource in as_list(statement["Resource"])
    }


def printed_policy(folder):
    """What `timestream-gateway policy` says of the default table."""
    (folder / "tenants.yaml").write_text(
        f"""
version: 1
timestream: {{backend: aws, region: {REGION}}}
tenants:
  default:
    database: PrometheusDatabase
    table: PrometheusMetricsTable
    credentials: {{from: basic_auth}}
"""
    )
    command = [BINARY, "policy", "--config", folder / "tenants.yaml", "--account", ACCOUNT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["Statement"]


def test_with_mutual_tls_there_is_no_other_way_in():
    stack = Stack(**MUTUAL_TLS, TruststoreVersion="v1")
    assert stack.properties("APIGateway")["DisableExecuteApiEndpoint"] is True
    domain = stack.properties("APIGatewayDomain")
    trust = {"TruststoreUri": "s3://trust/authorities.pem", "TruststoreVersion": "v1"}
    assert domain["MutualTlsAuthentication"] == trust
    (configuration,) = domain["DomainNameConfigurations"]
    assert configuration == {"CertificateArn": CERTIFICATE, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    mapping = stack.properties("APIGatewayMapping")
    assert (mapping["DomainName"], mapping["Stage"]) == ("metrics.example.com", "dev")
    # At the domain's root, so that URLs have no stage.
    assert "ApiMappingKey" not in mapping
    assert stack.outputs["InvokeWriteURL"] == "https://metrics.example.com/write"
    assert stack.outputs["InvokeReadURL"] == "https://metrics.example.com/read"
    assert stack.outputs["DomainTarget"] and stack.outputs["DomainHostedZone"]


def test_a_table_that_the_stack_makes_outlives_it():
    stack = Stack(CreateTable="true", DefaultTable="metrics", MagneticStoreRetentionInDays="730")
    assert stack.properties("TimestreamDatabase") == {"DatabaseName": "PrometheusDatabase"}
    assert stack.properties("TimestreamTable") == {
        "DatabaseName": "PrometheusDatabase", "TableName": "metrics",
        "RetentionProperties": {"MemoryStoreRetentionPeriodInHours": 24, "MagneticStoreRetentionPeriodInDays": 730},
        "MagneticStoreWriteProperties": {"EnableMagneticStoreWrites": True},
    }
    for logical in ("TimestreamDatabase", "TimestreamTable"):
        resource = stack.resources[logical]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize("template", ["template.yaml", "template-privatelink.yaml"])
def test_with_a_tenants_file_the_file_alone_counts(template):
    extra = f"arn:aws:iam::{ACCOUNT}:policy/assume-tenants"
    stack = Stack(
        template, TenantsFile="/opt/tenants.yaml", TenantsLayerArn=LAYER, FunctionPolicyArn=extra,
        EnableSigV4Auth="true",
    )
    assert stack.variables == {
        "TENANTS_FILE": "/opt/tenants.yaml", "region": REGION, "log_level": "info", "enable_sigv4_auth": "true",
    }
    assert stack.properties("LambdaFunction")["Layers"] == [LAYER]
    assert stack.properties("IAMLambdaRole")["ManagedPolicyArns"] == [extra]
    assert "UseTable" not in stack.role_statements


def test_the_private_stack_reaches_timestream_without_the_internet():
    stack = Stack("template-privatelink.yaml")
    endpoints = {
        properties["ServiceName"]: properties for properties in stack.of_type("AWS::EC2::VPCEndpoint").values()
    }
    assert set(endpoints) == {
        f"com.amazonaws.{REGION}.{service}"
        for service in ("timestream.ingest-cell1", "timestream.query-cell2", "execute-api")
    }
    function = stack.properties("LambdaFunction")
    for service, endpoint in endpoints.items():
        assert endpoint["VpcEndpointType"] == "Interface"
        assert endpoint["SubnetIds"] == function["VpcConfig"]["SubnetIds"]
        # The function calls Timestream by its public names.
        assert endpoint["PrivateDnsEnabled"] is ("timestream" in service)
    assert stack.variables["write_base_endpoint"] == f"https://ingest-cell1.timestream.{REGION}.amazonaws.com"
    assert stack.variables["query_base_endpoint"] == f"https://query-cell2.timestream.{REGION}.amazonaws.com"

    (own,) = function["VpcConfig"]["SecurityGroupIds"]
    (ingress,) = stack.properties("TimestreamEndpointSecurityGroup")["SecurityGroupIngress"]
    assert (ingress["SourceSecurityGroupId"], ingress["FromPort"], ingress["ToPort"]) == (own, 443, 443)
    assert "SecurityGroupIngress" not in stack.properties("FunctionSecurityGroup")
    (ingress,) = stack.properties("ApiEndpointSecurityGroup")["SecurityGroupIngress"]
    assert (ingress["CidrIp"], ingress["FromPort"], ingress["ToPort"]) == ("10.0.0.0/16", 443, 443)

    api = stack.properties("RestApi")
    (endpoint,) = api["EndpointConfiguration"]["VpcEndpointIds"]
    assert api["EndpointConfiguration"]["Types"] == ["PRIVATE"]
    (statement,) = api["Policy"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceVpce": endpoint}}
    # A body in snappy is bytes both ways, whatever the Accept header says.
    assert api["BinaryMediaTypes"] == ["*/*"]
    methods = stack.of_type("AWS::ApiGateway::Method").values()
    assert {(method["HttpMethod"], method["AuthorizationType"]) for method in methods} == {("POST", "NONE")}
    assert stack.outputs["InvokeWriteURL"].startswith("https://")
    assert stack.outputs["InvokeWriteURL"].endswith(f"-{endpoint}.execute-api.{REGION}.amazonaws.com/dev/write")


def test_the_private_stack_leaves_signed_callers_to_iam():
    """An Allow of the API's own policy would let in every signer of its account."""
    api = Stack("template-privatelink.yaml", EnableSigV4Auth="true").properties("RestApi")
    (endpoint,) = api["EndpointConfiguration"]["VpcEndpointIds"]
    (statement,) = api["Policy"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"StringNotEquals": {"aws:SourceVpce": endpoint}}


def test_the_private_stack_takes_endpoints_that_are_there():
    stack = Stack("template-privatelink.yaml", CreateTimestreamEndpoints="false", ExecuteApiEndpointId="vpce-0abc")
    assert not stack.of_type("AWS::EC2::VPCEndpoint")
    assert set(stack.of_type("AWS::EC2::SecurityGroup")) == {"FunctionSecurityGroup"}
    assert stack.properties("RestApi")["EndpointConfiguration"]["VpcEndpointIds"] == ["vpce-0abc"]
    assert "-vpce-0abc.execute-api." in stack.outputs["InvokeReadURL"]


# Newer than parliament's list of actions.
UNKNOWN_TO_PARLIAMENT = {
    ("UNKNOWN_ACTION", "apigateway:TagResource"), ("RESOURCE_MISMATCH", "timestream:ListTagsForResource"),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in POLICIES.glob("*.json")))
def test_policies_are_valid_and_the_documents_name_them(name):
    text = json.dumps(policy(name))
    findings = set()
    for finding in parliament.analyze_policy_string(text).findings:
        found = re.search(r"[a-z0-9]+:[A-Z][A-Za-z]+", str(finding.detail))
        findings.add((finding.issue, found.group() if found else str(finding.detail)))
    assert findings <= UNKNOWN_TO_PARLIAMENT
    for statement in policy(name)["Statement"]:
        assert not any("*" in action for action in as_list(statement["Action"])), statement
        if "*" in as_list(statement["Resource"]):
            # No narrower resource exists for these.
            assert set(as_list(statement["Action"])) <= {
                "cloudformation:GetTemplateSummary", "cloudformation:ListStacks", "timestream:DescribeEndpoints",
                "timestream:CancelQuery",
            }
    assert f"policies/{name}.json" in (ROOT / "docs" / "lambda.md").read_text()


def test_role_policies_are_valid():
    for template in ("template.yaml", "template-privatelink.yaml"):
        statements = Stack(template, EnableSigV4Auth="true").role_statements
        assert "UseTable" in statements
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements.values())})
        # The network interfaces of functions have names that are not known before, and the condition that keeps the
        # function's code from them is newer than parliament's list; both are as Lambda's developer guide has them.
        assert {
            finding.issue for finding in parliament.analyze_policy_string(document).findings
            if "ec2:" not in str(finding.detail)
        } == set()
        if template == "template-privatelink.yaml":
            allowed, denied = (statements[sid]["Action"] for sid in ("HaveNetworkInterfaces", "KeepNetworkFromCode"))
            assert allowed == denied


@pytest.fixture
def s3(tmp_path):
    port = free_port()
    child = Child([TOOLS / "moto_server", "-p", str(port)], tmp_path / "moto.log")
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: http_get(f"{url}/moto-api/")[0] == 200, what="moto serves")
    client = boto3.client(
        "s3", region_name=REGION, endpoint_url=url, aws_access_key_id="AKIDPUBLISHER", aws_secret_access_key="secret"
    )
    client.url = url
    yield client
    child.stop()


def publish(*arguments, **environment):
    environment = {
        **os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}", "AWS_ACCESS_KEY_ID": "AKIDPUBLISHER",
        "AWS_SECRET_ACCESS_KEY": "secret", **environment,
    }
    return subprocess.run(
        [FOLDER / "publish", *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def test_what_is_published_is_what_the_links_launch(s3):
    package = ROOT / "var" / "lambda" / "timestream-gateway-lambda-x86_64.zip"
    made = not package.exists()
    if made:
        package.parent.mkdir(parents=True, exist_ok=True)
        package.write_bytes(b"zip")
    try:
        s3.create_bucket(Bucket="packages-us-east-1")
        s3.create_bucket(Bucket="packages-eu-west-1", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        result = publish("packages", "us-east-1", "eu-west-1", AWS_ENDPOINT_URL=s3.url)
        assert result.returncode == 0, result.stderr
        for region in ("us-east-1", "eu-west-1"):
            keys = {entry["Key"] for entry in s3.list_objects_v2(Bucket=f"packages-{region}")["Contents"]}
            assert {package.name, "template.yaml", "template-privatelink.yaml"} <= keys
            body = s3.get_object(Bucket=f"packages-{region}", Key="template.yaml")["Body"].read()
            assert body == (FOLDER / "template.yaml").read_bytes()
        assert result.stdout == publish("--links", "packages", "us-east-1", "eu-west-1").stdout
        # A bucket that is not there is an error, and no table is printed.
        missing = publish("packages", "us-west-2", AWS_ENDPOINT_URL=s3.url)
        assert missing.returncode != 0 and not missing.stdout
    finally:
        if made:
            package.unlink()


def test_links_name_the_stack_the_template_and_the_package():
    result = publish("--links", "packages", "eu-west-1")
    row = result.stdout.splitlines()[-1]
    view, launch, signed = re.findall(r"\]\(([^)]+)\)", row)
    assert view == "https://packages-eu-west-1.s3.eu-west-1.amazonaws.com/template.yaml"
    assert launch == (
        "https://console.aws.amazon.com/cloudformation/home?region=eu-west-1#/stacks/create/review"
        f"?stackName={NAME}&templateURL={view}&param_CodeBucket=packages-eu-west-1"
    )
    assert signed == f"{launch}&param_EnableSigV4Auth=true"
    assert len(publish("--links", "packages").stdout.splitlines()) == 10
    for arguments in ([], ["--links"], ["Packages"], ["packages", "mars"], ["--unknown", "packages"]):
        refused = publish(*arguments)
        assert refused.returncode != 0 and "usage: deploy/lambda/publish" in refused.stderr, arguments
