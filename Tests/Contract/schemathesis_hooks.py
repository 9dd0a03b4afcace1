# What openapi.yaml says only in prose, because flat OpenAPI 3.0.3 has no way to say it.
#
# Schemathesis takes a request for valid if the schemas allow it, and for invalid if not. Each rule
# here names a request for which the prose decides otherwise; a failure that none of them excuses
# fails the run. The rules look at the request alone, never at the answer's words.
import base64
import binascii
import re

import schemathesis

TWINS = ["key", "value", "prefix", "start", "end", "delimiter", "previous_value"]
BOUNDS = ("prefix", "start", "end")
KEY_BYTES, VALUE_BYTES = 4096, 4 << 20
# Of the 10,000 that are legal: each that waits for the one before it takes a sync of the disk, and
# how long those take is the machine's affair.
OPS = 500
TAG = r'(?:W/)?(?:"[^\x00-\x20"\x7f]*"|[^\x00-\x20",*\x7f-\U0010ffff]+)'
TAGS = re.compile(rf"\s*(?:\*|(?:[,\s]*{TAG}\s*(?=,|$))+[,\s]*)\s*")
OWN_TAG = re.compile(r'\s*(?:\*|"?[0-9a-f]{32}"?)\s*')
FIELDS = {
    "get": {"key"},
    "put": {"key", "value", "ttl_seconds", "if_etag", "if_absent", "return_previous"},
    "delete": {"key", "if_etag", "return_previous"},
    "cas": {"key", "previous_value", "previous_absent", "value", "delete", "ttl_seconds"},
    "scan": {*BOUNDS, "limit", "cursor", "reverse", "keys_only", "delimiter"},
    "delete_range": {*BOUNDS, "all", "dry_run"},
}
BODIES = {
    ("PUT", "/v1/raw/entry"): "put", ("POST", "/v1/raw/cas"): "cas",
    ("POST", "/v1/raw/delete-range"): "delete_range",
}
QUERIES = {
    ("GET", "/v1/raw/entry"): "get", ("DELETE", "/v1/raw/entry"): "delete",
    ("GET", "/v1/raw/scan"): "scan", ("GET", "/v1/raw/count"): "scan",
}


# Who answers a read, how fresh, and until when: beside the fields of any operation.
RULE = {"consistency", "max_staleness_seconds", "replica", "min_version", "timeout_ms"}


READS_ONLY = RULE - {"timeout_ms"}


class Wrong(Exception):
    """The rule that a request breaks."""


def decoded(fields):
    """The fields with each pair of twins as one, in bytes."""
    result = dict(fields)
    for name in TWINS:
        encoded = result.pop(f"{name}_base64", None)
        text = result.pop(name, None)
        if encoded is not None and text is not None:
            raise Wrong("of a pair of twins a request gives one")
        if text is not None:
            try:
                result[name] = str(text).encode()
            except UnicodeEncodeError:
                raise Wrong("a lone surrogate is no text") from None
        elif encoded is not None:
            result[name] = from_base64(str(encoded))
    return result


def from_base64(text):
    standard = text.replace("-", "+").replace("_", "/")
    stripped = standard.rstrip("=")
    if re.search(r"[^A-Za-z0-9+/]", stripped) or len(stripped) % 4 == 1:
        raise Wrong("X_base64 is base64")
    if stripped != standard and len(standard) % 4:
        raise Wrong("padding is whole or absent")
    try:
        data = base64.b64decode(stripped + "=" * (-len(stripped) % 4))
    except binascii.Error:
        raise Wrong("X_base64 is base64") from None
    if base64.b64encode(data).decode().rstrip("=") != stripped:
        raise Wrong("the unused bits of base64 are zero")
    return data


def writes(batch):
    return any(op.get("op") not in ("get", "scan", "count") for op in batch.get("ops", []))


def judge_rule(query):
    if "max_staleness_seconds" in query and query.get("consistency") != "stale":
        raise Wrong("a bound on staleness goes with a stale read")
    if query.get("replica") == "follower":
        raise Wrong("a node that is alone has no follower")
    if query.get("min_version", "0") != "0":
        raise Wrong("a version is one that an answer told")
    if "timeout_ms" in query:
        raise Wrong("a time that is too short is over")


def repaired_rule(query):
    """So that a lone node can answer it."""
    query = dict(query)
    if query.get("consistency") != "stale":
        query.pop("max_staleness_seconds", None)
    if query.get("replica") == "follower":
        query["replica"] = "any"
    if "min_version" in query:
        query["min_version"] = "0"
    if "timeout_ms" in query:
        query["timeout_ms"] = 30_000
    return query


def judge(op, raw, conditions=()):
    """Raises Wrong if fields that keep to their schema do not go together in `op`."""
    names = {name.removesuffix("_base64") for name in raw} - {"op", "encoding", "pretty"} - RULE
    if names - FIELDS[op]:
        raise Wrong("a field goes with its op")
    fields = decoded(raw)
    for name in ("key", *BOUNDS):
        if len(fields.get(name, b"")) > KEY_BYTES:
            raise Wrong("keys and bounds are limited in bytes")
    if "key" in FIELDS[op] and not fields.get("key"):
        raise Wrong("a key is needed and not empty")
    if len(fields.get("value", b"")) > VALUE_BYTES:
        raise Wrong("values are limited in bytes")
    if op in ("scan", "delete_range"):
        judge_range(op, fields)
    if op == "put" and "value" not in fields:
        raise Wrong("a put needs a value")
    if op == "cas":
        if ("previous_value" in fields) == fields.get("previous_absent", False):
            raise Wrong("a cas says what must be there")
        if ("value" in fields) == fields.get("delete", False):
            raise Wrong("a cas puts or deletes")
        if fields.get("delete") and "ttl_seconds" in fields:
            raise Wrong("what is deleted does not expire")
    judge_conditions(fields, conditions)


def judge_range(op, fields):
    bounds = [name for name in BOUNDS if name in fields]
    if "prefix" in bounds and len(bounds) > 1:
        raise Wrong("a prefix, or start and end")
    if fields.get("end") and fields.get("start", b"") > fields["end"]:
        raise Wrong("the start lies before the end")
    if "cursor" in fields:
        raise Wrong("a cursor is the node's own, and its bounds too")
    if fields.get("delimiter") == b"":
        raise Wrong("a delimiter is not empty")
    if op == "delete_range" and fields.get("all", False) == bool(bounds):
        raise Wrong("a bound, or all")
    if op == "delete_range" and bounds and not any(fields[name] for name in bounds):
        raise Wrong("a bound that is not empty")


def judge_conditions(fields, conditions):
    if "if_etag" in fields and not OWN_TAG.fullmatch(str(fields["if_etag"])):
        raise Wrong("an etag is one that the node gave")
    if "if_etag" in fields and fields.get("if_absent"):
        raise Wrong("if_etag or if_absent")
    if conditions and ("if_etag" in fields or fields.get("if_absent")):
        raise Wrong("a condition in a field or in the header, not both")


def broken_rule(case):
    """What is wrong with a request that keeps to its schemas; None if nothing is."""
    where = (case.method.upper(), case.path)
    conditions = [
        value for name, value in (case.headers or {}).items()
        if name.lower() in ("if-match", "if-none-match")]
    query = {
        name: {"true": True, "false": False}.get(value, value)
        for name, value in (case.query or {}).items()}
    try:
        judge_rule(query)
        for value in conditions:
            if not TAGS.fullmatch(str(value)) or not str(value).strip(" ,\t"):
                raise Wrong("an entity tag is written as RFC 9110 writes it")
        if where[1] == "/v1/raw/kv/{key}":
            key = str(case.path_parameters["key"])
            # Schemathesis may hand out the key already encoded; it is then only longer.
            if len(key.encode(errors="surrogatepass")) > KEY_BYTES:
                raise Wrong("keys are limited in bytes")
            if key in (".", ".."):
                raise Wrong("clients resolve dot segments before they send")
        if where in QUERIES:
            judge(QUERIES[where], query, conditions)
        if where in BODIES and isinstance(case.body, dict):
            judge(BODIES[where], case.body, conditions)
        if where == ("POST", "/v1/raw/batch") and isinstance(case.body, dict):
            for op in case.body.get("ops", []):
                judge(op["op"], op)
            if writes(case.body) and READS_ONLY & set(query):
                raise Wrong("who answers and how fresh goes with reads only")
    except Wrong as wrong:
        return str(wrong)
    return None


def repaired(op, raw, conditions=()):
    """The fields, less what does not go together: so that valid requests are valid by the prose too
    and what they do is tried, not only how they are refused."""
    fields = {
        name: value for name, value in raw.items()
        if name.removesuffix("_base64") in FIELDS[op] | {"op", "encoding", "pretty"} | RULE}
    fields.pop("cursor", None)
    for name in TWINS:
        if name in fields:
            fields.pop(f"{name}_base64", None)
        elif f"{name}_base64" in fields:
            data = str(fields[f"{name}_base64"]).encode(errors="replace")
            fields[f"{name}_base64"] = base64.urlsafe_b64encode(data).decode()
    here = {name.removesuffix("_base64") for name in fields}
    if "key" in FIELDS[op] and "key" not in here:
        fields["key"] = "k"
    if op == "put" and "value" not in here:
        fields["value"] = ""
    if op == "cas":
        fields["previous_absent"] = "previous_value" not in here
        fields["delete"] = "value" not in here
        if fields["delete"]:
            fields.pop("ttl_seconds", None)
    if "prefix" in here:
        without(fields, "start", "end")
    if op == "delete_range":
        fields["all"] = not any(
            fields.get(name) for name in fields if name.removesuffix("_base64") in BOUNDS)
        if fields["all"]:
            without(fields, *BOUNDS)
    if not OWN_TAG.fullmatch(str(fields.get("if_etag", "*"))):
        fields["if_etag"] = "*"
    if "if_etag" in fields or conditions:
        fields.pop("if_absent", None)
    if conditions:
        fields.pop("if_etag", None)
    return fields


def without(fields, *names):
    for name in names:
        fields.pop(name, None)
        fields.pop(f"{name}_base64", None)


@schemathesis.hook
def map_case(context, case):
    if case.meta is None or case.meta.generation.mode is not schemathesis.GenerationMode.POSITIVE:
        return case
    where = (case.method.upper(), case.path)
    conditions = []
    for name in list(case.headers or {}):
        if name.lower() in ("if-match", "if-none-match"):
            if TAGS.fullmatch(str(case.headers[name])):
                conditions.append(case.headers[name])
            else:
                del case.headers[name]
    if case.query:
        case.query = repaired_rule(case.query)
    if where in QUERIES:
        case.query = repaired(QUERIES[where], case.query or {}, conditions)
    if where in BODIES and isinstance(case.body, dict):
        case.body = repaired(BODIES[where], case.body, conditions)
    if where == ("POST", "/v1/stores"):
        # The node calls whoever joins; here is where nobody answers.
        case.body = {"address": "http://127.0.0.1:9"}
    if where == ("POST", "/v1/raw/batch") and isinstance(case.body, dict):
        ops = case.body["ops"][:OPS]
        case.body = case.body | {"ops": [repaired(op["op"], op) for op in ops]}
        if writes(case.body):
            case.query = {k: v for k, v in (case.query or {}).items() if k not in READS_ONLY}
    return case


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False drops the failure."""
    name = type(failure).__name__
    if name == "RejectedPositiveData" and response.status_code == 412:
        # Whether a condition holds is a matter of what is stored, not of the request.
        return False
    if name == "RejectedPositiveData" and response.status_code in (400, 404, 413):
        return broken_rule(case) is None
    if name == "JsonSchemaError" and case.path == "/openapi.yaml":
        # It is described as the bytes it is, which clients get; schemathesis reads the YAML.
        return not isinstance(failure.instance, dict)
    if name == "AcceptedNegativeData" and case.path == "/v1/raw/kv/{key}":
        # "Missing body": the client says Content-Length: 0 then, which is the empty value.
        return not (case.method.upper() == "PUT" and not response.request.body)
    return True
