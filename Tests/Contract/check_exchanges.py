#!/usr/bin/env python3
"""Holds every recorded answer against openapi.yaml.

    check_exchanges.py OPENAPI RECORD [--every-operation]

For each answer: the status is documented (or `default` is), the media type is the documented one,
the header fields and the body keep to their schemas, and no member is there that the schema does
not declare. An answer to a path or method that the document does not have must be a problem. With
--every-operation each operation must also have succeeded once.

What the document says only in prose is checked here by hand: `application/x-ndjson` pages,
OpenMetrics, JSON that ends in a newline, a problem's `status` equal to the status line's.
"""
import base64
import gzip
import json
import sys
from collections import Counter

import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker

PROBLEM = "application/problem+json"
OPENMETRICS = "application/openmetrics-text"


def resolve(document, node):
    """The node without references, its objects closed: what is not declared must not be there."""
    if isinstance(node, list):
        return [resolve(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return resolve(document, target)
    result = {name: resolve(document, value) for name, value in node.items()}
    if result.get("type") == "object" and isinstance(result.get("properties"), dict):
        result.setdefault("additionalProperties", False)
    return result


class Contract:
    def __init__(self, document):
        document = resolve(document, document)
        self.operations = {
            (method.upper(), path): operation["responses"]
            for path, methods in document["paths"].items() for method, operation in methods.items()}
        schemas = document["components"]["schemas"]
        self.problem = self.validator(schemas["Problem"])
        self.entry = self.validator(schemas["RawEntry"])
        self.prefix = self.validator(schemas["RawPrefix"])
        self.validators = {}

    @staticmethod
    def validator(schema):
        return OAS30Validator(schema, format_checker=oas30_format_checker)

    def template(self, target):
        """The template whose path it is; a key is everything after its prefix."""
        path = target.split("?")[0]
        for prefix, suffix, template in (
                ("/v1/stores/", "/drain", "/v1/stores/{store_id}/drain"),
                ("/v1/regions/", "/transfer-leader", "/v1/regions/{region_id}/transfer-leader")):
            if path.startswith(prefix) and path.endswith(suffix):
                return template
        for prefix, template in (
                ("/v1/raw/kv/", "/v1/raw/kv/{key}"), ("/problems/", "/problems/{code}"),
                ("/v1/stores/", "/v1/stores/{store_id}"),
                ("/v1/regions/", "/v1/regions/{region_id}"),
                ("/v1/debug/failpoints/", "/v1/debug/failpoints/{name}")):
            if path.startswith(prefix):
                return template
        return path

    def operation(self, exchange):
        """Method and template, GET standing for a HEAD that is not described by itself."""
        if exchange["method"] is None:
            return None
        template = self.template(exchange["target"])
        method = exchange["method"]
        if method == "HEAD" and ("HEAD", template) not in self.operations:
            method = "GET"
        name = (method, template)
        return name if name in self.operations else None

    def mistakes(self, exchange):
        fields = {}
        for name, value in exchange["fields"]:
            fields.setdefault(name, value)
        kind = fields.get("content-type", "").split(";")[0].strip()
        body = base64.b64decode(exchange["body"])
        name = self.operation(exchange)
        status = exchange["status"]
        if coding := fields.get("content-encoding"):
            yield from self.coding_mistakes(coding, fields, kind, exchange["accept_encoding"])
            if body:
                # Raises if it is not whole.
                body = gzip.decompress(body)
        if "martlet-request-id" not in fields:
            yield "there is no Martlet-Request-Id"
        if kind.endswith("json") and exchange["method"] != "HEAD" and not body.endswith(b"\n"):
            yield "the JSON does not end in a newline"
        if status >= 400:
            yield from self.problem_mistakes(exchange, fields, kind, body)
        if name is None:
            if status < 400:
                yield f"{status} for an operation that the document does not have"
            return
        responses = self.operations[name]
        response = responses.get(str(status)) or responses.get("default")
        if response is None:
            yield f"status {status} is not documented"
            return
        if status < 400 and str(status) not in responses:
            yield f"status {status} is no error and only `default` covers it"
        for header, described in response.get("headers", {}).items():
            value = fields.get(header.lower())
            if value is not None:
                for error in self.validator(described["schema"]).iter_errors(value):
                    yield f"{header}: {error.message}"
        if exchange["method"] == "HEAD" or status == 304:
            if body:
                yield "a body where there must be none"
            return
        yield from self.content_mistakes(name, status, response, kind, body, exchange["accept"])

    @staticmethod
    def coding_mistakes(coding, fields, kind, accepted):
        if coding != "gzip" or "gzip" not in accepted.lower() and "*" not in accepted:
            yield f"the coding {coding} for a client that takes {accepted or 'none'}"
        if "accept-encoding" not in fields.get("vary", ""):
            yield "a coded answer whose Vary does not say so"
        if "etag" in fields or kind == "application/octet-stream":
            yield "a value, or what has a tag, in a coding"

    def problem_mistakes(self, exchange, fields, kind, body):
        if exchange["method"] == "HEAD":
            return
        if kind != PROBLEM:
            yield f"{exchange['status']} as {kind or 'nothing'}, not as {PROBLEM}"
            return
        problem = json.loads(body)
        for error in self.problem.iter_errors(problem):
            yield f"problem: {error.message}"
        if problem.get("status") != exchange["status"]:
            yield f"the problem says {problem.get('status')}"
        if problem.get("request_id") != fields.get("martlet-request-id"):
            yield f"request_id is {problem.get('request_id')}, not what the header field says"

    def content_mistakes(self, name, status, response, kind, body, accept):
        content = response.get("content", {})
        if kind == "application/x-ndjson" and name == ("GET", "/v1/raw/scan"):
            yield from self.line_mistakes(body, kind in accept)
        elif kind == OPENMETRICS and name == ("GET", "/metrics"):
            if OPENMETRICS not in accept or not body.endswith(b"# EOF\n"):
                yield "OpenMetrics unasked or unfinished"
        elif kind not in content:
            yield f"the media type is {kind or 'missing'}, documented are {list(content)}"
        elif kind.endswith("json"):
            key = (name, str(status) in self.operations[name], status, kind)
            validator = self.validators.get(key)
            if validator is None:
                validator = self.validators[key] = self.validator(content[kind]["schema"])
            for error in validator.iter_errors(json.loads(body)):
                yield f"{'/'.join(map(str, error.path))}: {error.message}"

    def line_mistakes(self, body, is_asked):
        if not is_asked:
            yield "lines that nobody asked for"
        rank = 0
        for line in body.decode().splitlines():
            value = json.loads(line)
            if list(value) == ["common_prefix"]:
                kind, errors = 1, list(self.prefix.iter_errors(value["common_prefix"]))
            elif list(value) == ["next_cursor"]:
                kind, errors = 2, []
            else:
                kind, errors = 0, list(self.entry.iter_errors(value))
            if kind < rank or (kind == rank == 2):
                yield "lines out of order"
            rank = kind
            for error in errors:
                yield f"line {line[:80]}: {error.message}"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        contract = Contract(yaml.safe_load(file))
    seen, wrong, succeeded = 0, Counter(), set()
    examples = {}
    with open(sys.argv[2], encoding="utf-8") as file:
        for line in file:
            exchange = json.loads(line)
            seen += 1
            name = contract.operation(exchange)
            if name and exchange["status"] < 400:
                succeeded.add((exchange["method"], name[1]))
            for mistake in contract.mistakes(exchange):
                what = f"{exchange['method']} {name and name[1]} {exchange['status']}: {mistake}"
                wrong[what] += 1
                examples.setdefault(what, (exchange["target"] or "(no request)")[:200])
    for what, count in wrong.most_common(40):
        print(f"{count}x {what}\n    first for {examples[what]}")
    if "--every-operation" in sys.argv:
        for missing in sorted(set(contract.operations) - succeeded):
            wrong[missing] += 1
            print("never succeeded:", *missing)
    print(f"{seen} answers, {sum(wrong.values())} mistakes")
    sys.exit(1 if wrong or not seen else 0)


if __name__ == "__main__":
    main()
