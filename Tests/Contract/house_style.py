#!/usr/bin/env python3
"""Holds openapi.yaml against the house style, which keeps generated clients usable.

    house_style.py OPENAPI

Each rule stands for something that a generator was seen to do wrong: more than one media type each
way and only the first survives; a closed enum in an answer and a new value breaks old clients; a
`default` and Go always sends it; one enum value in two components and Go does not compile; a
required parameter after an optional one and positional callers break.
"""
import re
import sys

import yaml

RESERVED = {"if", "else", "default", "class", "self"}
FORBIDDEN = {"oneOf", "anyOf", "allOf", "not", "discriminator", "nullable", "default", "const"}

with open(sys.argv[1], encoding="utf-8") as file:
    document = yaml.safe_load(file)
schemas = document["components"]["schemas"]
mistakes = []


def wrong(where, what):
    mistakes.append(f"{where}: {what}")


def resolved(node):
    while "$ref" in node:
        found = document
        for name in node["$ref"][2:].split("/"):
            found = found[name]
        node = found
    return node


def schema_of(where, schema, top=False):
    """A schema and what is in it: flat, and no form that a generator is known to break on."""
    for word in FORBIDDEN & schema.keys():
        wrong(where, f"{word} in a schema")
    if schema.get("format") == "byte":
        wrong(where, "format: byte; binary goes into a twin named _base64")
    if schema.get("type") == "object" and not top:
        if not isinstance(schema.get("additionalProperties"), dict):
            wrong(where, "an object without a name")
    for name, member in schema.get("properties", {}).items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in RESERVED:
            wrong(where, f"{name} is no lower snake_case or is a reserved word")
        if "$ref" not in member:
            schema_of(f"{where}.{name}", member)
    if isinstance(items := schema.get("items"), dict) and "$ref" not in items:
        schema_of(f"{where}[]", items)


def names_used(node, found):
    """The component schemas that a node leads to."""
    if isinstance(node, list):
        for item in node:
            names_used(item, found)
    elif isinstance(node, dict):
        name = node.get("$ref", "").partition("/schemas/")[2]
        if name and name not in found:
            found.add(name)
            names_used(schemas[name], found)
        elif "$ref" in node and not name:
            names_used(resolved(node), found)
        for item in node.values():
            names_used(item, found)
    return found


operations, answered, enums = {}, set(), {}
tags = {tag["name"] for tag in document["tags"]}
for path, item in document["paths"].items():
    if stray := item.keys() - {"get", "head", "put", "post", "delete"}:
        wrong(path, f"{', '.join(stray)} beside the operations")
    for method, operation in item.items():
        where = f"{method.upper()} {path}"
        name = operation["operationId"]
        if name in operations or not re.fullmatch(r"[a-z]+([A-Z][a-z]*)+", name):
            wrong(where, f"operationId {name} is taken or no verbNoun")
        if name.lower() in {schema.lower() for schema in schemas}:
            wrong(where, f"operationId {name} is a schema's name")
        operations[name] = where
        if len(operation["tags"]) != 1 or operation["tags"][0] not in tags:
            wrong(where, "needs one declared tag")
        optional = False
        for parameter in operation.get("parameters", []):
            if "$ref" not in parameter:
                wrong(where, f"parameter {parameter['name']} stands here and not in components")
            required = resolved(parameter).get("required", False)
            if required and optional:
                wrong(where, f"{resolved(parameter)['name']} is required, after an optional one")
            optional = optional or not required
        examples = [resolved(each) for each in operation.get("parameters", [])]
        if body := operation.get("requestBody"):
            if len(body["content"]) != 1:
                wrong(where, "takes more than one media type")
            examples += body["content"].values()
        types = set()
        for status, response in operation["responses"].items():
            content = resolved(response).get("content", {})
            if status.startswith("2"):
                types |= content.keys()
                examples += content.values()
                examples += [resolved(each["schema"]) for each in content.values()]
            elif method != "head" and status != "304":
                if response != {"$ref": "#/components/responses/Problem"}:
                    wrong(where, f"{status} is not the common Problem")
        if len(types) > 1:
            wrong(where, "answers in more than one media type")
        if "default" not in operation["responses"]:
            wrong(where, "has no default response")
        if not any("example" in each for each in examples):
            wrong(where, "has no example")
        names_used(operation["responses"], answered)

for name, schema in schemas.items():
    schema_of(name, schema, top=True)
    if "example" not in schema:
        wrong(name, "has no example")
    if name in answered and "enum" in schema:
        wrong(name, "is a closed enum in an answer")
    for value in schema.get("enum", []):
        if value in enums:
            wrong(name, f"{value} is also a value of {enums[value]}")
        enums[value] = name
if not document["openapi"].startswith("3.0."):
    wrong("openapi", "is not 3.0")
sys.exit("\n".join(mistakes) if mistakes else 0)
