#!/usr/bin/env python3
"""Every operation, by the Python client that openapi-generator makes of openapi.yaml.

    client.py FOLDER URL

FOLDER holds the generated package `martlet_client`. The keys are those that clients, proxies and
servers are known to damage; each must come back byte for byte, by the JSON lane always and by the
bytes lane as far as the client's own URL library leaves the path alone.
"""
import base64
import datetime
import sys

sys.path.insert(0, sys.argv[1])

from martlet_client import ApiClient, ApiException, ClusterApi, Configuration  # noqa: E402
from martlet_client import DebugApi, RawApi  # noqa: E402
from martlet_client import models  # noqa: E402
from martlet_client.exceptions import (  # noqa: E402
    BadRequestException, ConflictException, NotFoundException)

HOSTILE = [
    "a/../b", "..", ".", "//", "/", "/a", "a/", "a//b", " ", "a b", "+", "a+b", "%", "%2F",
    "%00", "%zz", "?", "a?b=c&d", "#", ";", "a\\b", '"', "'", "<script>", "\t", "\n", "\r\n", "\0",
    "\u007f", "é", "e\u0301", "鍵/値", "🪶", "\ufeff", "\u202e", "\uffff", "k" * 4096, "/" * 4096,
    "é" * 2048, "key", "key_base64", "-", "~", "*", "{key}", "kv", "null", "true", "0",
]
# urllib3 removes them from a path before it sends it, as browsers do.
LOST_IN_PATHS = {
    "..": (NotFoundException, 404, "route_not_found"),
    ".": (BadRequestException, 400, "key_empty"),
}
BINARY_KEYS = [b"\xff", b"\xff\xfe\x00", b"\xc3", b"\xed\xa0\x80", b"\xff" * 4096]
VALUES = [b"", b"v", b"\xff", b"\0", bytes(range(256)), "é🪶".encode(), b'{"a":1}', b"null",
          b"\r\n\r\n", b"x" * 65536, bytes(range(256)) * 4096]

client = ApiClient(Configuration(host=sys.argv[2]))
raw, cluster, debug = RawApi(client), ClusterApi(client), DebugApi(client)


def same(actual, expected):
    assert actual == expected, f"{str(actual)[:300]!r} is not {str(expected)[:300]!r}"


def text_or_none(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def twins(name, data):
    """The pair as an answer gives it: text if it is text, else base64."""
    text = text_or_none(data)
    return {name: text} if text is not None else {f"{name}_base64": base64.b64encode(data).decode()}


def content(entry, name):
    """The bytes of a pair of twins, of which an answer has exactly one."""
    text, encoded = getattr(entry, name), getattr(entry, f"{name}_base64")
    assert (text is None) != (encoded is None), entry
    assert encoded is None or text_or_none(base64.b64decode(encoded)) is None, entry
    return text.encode() if text is not None else base64.b64decode(encoded)


def header_fields(answer):
    """Names in lower case: the client hands out a plain dictionary with the names as they came."""
    return {name.lower(): value for name, value in answer.headers.items()}


def fails(kind, status, code, call, *arguments, **named):
    """The call's error, with its problem typed as the document says."""
    try:
        answer = call(*arguments, **named)
    except ApiException as error:
        assert type(error) is kind, type(error)
        problem = error.data
        assert isinstance(problem, models.Problem), error
        same((error.status, problem.status, problem.code), (status, status, code))
        assert problem.title and problem.detail and problem.type == f"/problems/{code}", problem
        assert problem.retry in ("no", "same_request"), problem
        explained = cluster.get_problem_explanation(code)
        assert code in explained, explained
        return problem
    raise AssertionError(f"{call.__name__}{arguments}{named} answered {answer}")


def clear():
    raw.raw_delete_range(models.RawRangeDeletion(all=True))
    same(raw.raw_count().count, 0)


def hostile_keys_in_json():
    clear()
    keys = [key.encode() for key in HOSTILE] + BINARY_KEYS
    for key in keys:
        write = models.RawWrite(**twins("key", key), **twins("value", b"<" + key[:64] + b">"))
        etag = raw.raw_put_entry(write).etag
        same(len(etag), 32)
        named = twins("key", key)
        if len(key) > 3000:
            # Escaped, the text may exceed the limit of a URL; the twin never does.
            named = {"key_base64": base64.urlsafe_b64encode(key).decode().rstrip("=")}
        entry = raw.raw_get_entry(**named)
        same(content(entry, "key"), key)
        same(content(entry, "value"), b"<" + key[:64] + b">")
        same(entry.etag, etag)
    listed, cursor = [], None
    while True:
        page = raw.raw_scan(limit=7, cursor=cursor)
        listed += [content(entry, "key") for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    same(listed, sorted(set(keys)))
    ops = [models.RawOp(op="get", **twins("key", key)) for key in keys]
    result = raw.raw_run_batch(models.RawBatch(ops=ops))
    same([content(each.entry, "key") for each in result.results], keys)
    for key in keys:
        named = {"key_base64": base64.b64encode(key).decode()}
        deleted = raw.raw_delete_entry(**named, return_previous=True)
        same(content(deleted.previous, "key"), key)
        fails(NotFoundException, 404, "key_not_found", raw.raw_get_entry, **named)
    same(raw.raw_count().count, 0)


def hostile_keys_in_paths():
    clear()
    for key in HOSTILE:
        if len(key.encode()) * 3 > 12_000 and not key.isascii() or key == "/" * 4096:
            continue
        if key in LOST_IN_PATHS:
            fails(*LOST_IN_PATHS[key], raw.raw_get_value, key)
            fails(*LOST_IN_PATHS[key], raw.raw_put_value, key, b"v")
            continue
        etag = raw.raw_put_value(key, b"value of " + key.encode()).etag
        same(bytes(raw.raw_get_value(key)), b"value of " + key.encode())
        # The other lane sees the same bytes: nothing was normalised on the way.
        named = {"key_base64": base64.b64encode(key.encode()).decode()}
        entry = raw.raw_get_entry(**named)
        same((entry.key, entry.etag), (key, etag))
        fields = header_fields(raw.raw_head_value_with_http_info(key))
        same(fields["etag"], f'"{etag}"')
        same(int(fields["content-length"]), len(b"value of " + key.encode()))
        raw.raw_delete_value(key)
        fails(NotFoundException, 404, "key_not_found", raw.raw_get_value, key)
    same(raw.raw_count().count, 0)


def values():
    clear()
    for value in VALUES:
        raw.raw_put_value("v", value)
        same(bytes(raw.raw_get_value("v")), value)
        entry = raw.raw_get_entry(key="v")
        same(content(entry, "value"), value)
        forced = raw.raw_get_entry(key="v", encoding="base64")
        same((forced.key, forced.value), (None, None))
        same(base64.b64decode(forced.value_base64), value)
        written = raw.raw_put_entry(
            models.RawWrite(key="w", return_previous=True, **twins("value", value)))
        same(written.etag, entry.etag)
        same(bytes(raw.raw_get_value("w")), value)
    largest = b"\xa5" * (4 << 20)
    raw.raw_put_value("v", largest)
    same(bytes(raw.raw_get_value("v")), largest)
    problem = fails(ApiException, 413, "value_too_large", raw.raw_put_value, "v", largest + b"!")
    same((problem.limit, problem.actual), (len(largest), len(largest) + 1))
    same(bytes(raw.raw_get_value("v")), largest)


def conditions():
    clear()
    created = raw.raw_put_value_with_http_info("c", b"1", if_none_match="*")
    same(created.status_code, 201)
    first = created.data.etag
    problem = fails(
        ApiException, 412, "precondition_failed", raw.raw_put_value, "c", b"2", if_none_match="*")
    same(problem.actual_etag, first)
    written = raw.raw_put_value_with_http_info(
        "c", b"2", if_match=f'"{first}"', return_previous=True)
    same((written.status_code, written.data.previous.value), (200, "1"))
    second = written.data.etag
    fails(ApiException, 412, "precondition_failed", raw.raw_put_value, "c", b"3", if_match=first)
    fails(ApiException, 412, "precondition_failed", raw.raw_get_value, "c", if_match=first)
    try:
        raw.raw_get_value("c", if_none_match=f'"{second}"')
        raise AssertionError("not 304")
    except ApiException as error:
        same(error.status, 304)
    write = models.RawWrite(key="c", value="3", if_etag=first)
    fails(ApiException, 412, "precondition_failed", raw.raw_put_entry, write)
    third = raw.raw_put_entry(models.RawWrite(key="c", value="3", if_etag=second)).etag
    same(raw.raw_put_entry_with_http_info(
        models.RawWrite(key="d", value="", if_absent=True)).status_code, 201)
    fails(ApiException, 412, "precondition_failed", raw.raw_delete_value, "c", if_match=first)
    fails(ApiException, 412, "precondition_failed", raw.raw_delete_entry, key="c", if_etag=first)
    same(raw.raw_delete_value("c", if_match=third, return_previous=True).previous.value, "3")
    same(raw.raw_delete_value("c").previous, None)


def expiry():
    clear()
    before = datetime.datetime.now(datetime.timezone.utc)
    raw.raw_put_value("t", b"1", ttl_seconds=3600)
    raw.raw_put_entry(models.RawWrite(key="u", value="1", ttl_seconds=1))
    for key, seconds in (("t", 3600),):
        until = raw.raw_get_entry(key=key).expires_at - before
        assert abs(until.total_seconds() - seconds) < 30, until
    header = header_fields(raw.raw_get_value_with_http_info("t"))["martlet-expires-at"]
    same(datetime.datetime.fromisoformat(header.replace("Z", "+00:00")),
         raw.raw_get_entry(key="t").expires_at)
    deadline = before + datetime.timedelta(seconds=30)
    while raw.raw_count().count > 1:
        assert datetime.datetime.now(datetime.timezone.utc) < deadline, "it does not expire"
    fails(NotFoundException, 404, "key_not_found", raw.raw_get_entry, key="u")
    same(raw.raw_scan(prefix="u").entries, [])
    fails(BadRequestException, 400, "invalid_argument", raw.raw_put_entry,
          models.RawWrite.model_construct(key="u", value="1", ttl_seconds=0))


def scans():
    clear()
    keys = [f"s/{folder}/{file:02}" for folder in "abc" for file in range(20)]
    raw.raw_run_batch(models.RawBatch(
        ops=[models.RawOp(op="put", key=key, value=key.upper()) for key in keys]))
    for reverse in (False, True):
        for limit in (1, 7, 60, 100):
            listed, cursor = [], None
            while True:
                page = raw.raw_scan(prefix="s/", limit=limit, reverse=reverse, cursor=cursor)
                assert len(page.entries) <= limit
                listed += [(entry.key, entry.value) for entry in page.entries]
                cursor = page.next_cursor
                if cursor is None:
                    break
            expected = sorted(keys, reverse=reverse)
            same(listed, [(key, key.upper()) for key in expected])
    folded = raw.raw_scan(prefix="s/", delimiter="/", keys_only=True)
    same((folded.entries, [each.prefix for each in folded.common_prefixes]),
         ([], ["s/a/", "s/b/", "s/c/"]))
    half_open = raw.raw_scan(start="s/b/", end="s/b/05", keys_only=True)
    same([(entry.key, entry.value) for entry in half_open.entries],
         [(f"s/b/{file:02}", None) for file in range(5)])
    bounds = {"start_base64": base64.urlsafe_b64encode(b"s/c/").decode(), "end": "t"}
    same(raw.raw_count(**bounds).count, 20)
    fails(BadRequestException, 400, "cursor_invalid", raw.raw_scan, cursor="Y3Vyc29y")
    cursor = raw.raw_scan(prefix="s/", limit=1).next_cursor
    fails(BadRequestException, 400, "cursor_mismatch", raw.raw_scan, prefix="t/", cursor=cursor)
    fails(BadRequestException, 400, "invalid_range", raw.raw_scan, start="b", end="a")
    fails(BadRequestException, 400, "invalid_range", raw.raw_scan, start="b", prefix="a")


def batches():
    clear()
    op = models.RawOp
    result = raw.raw_run_batch(models.RawBatch(ops=[
        op(op="put", key="b/1", value="1"), op(op="put", key_base64="Yv8=", value_base64="/wA="),
        op(op="get", key="b/1"), op(op="get", key="b/none"),
        op(op="put", key="b/1", value="2", if_absent=True),
        op(op="cas", key="b/1", previous_value="1", value="3"),
        op(op="scan", prefix="b", limit=1), op(op="delete", key="b/1", return_previous=True),
        op(op="delete_range", prefix="b", dry_run=True), op(op="delete_range", prefix="b")]))
    same(result.failed, 1)
    same([each.ok for each in result.results], [True] * 4 + [False] + [True] * 5)
    put, binary, get, none, taken, swap, scan, delete, dry, gone = result.results
    same((get.found, get.entry.value, none.found, none.entry), (True, "1", False, None))
    same((taken.error.code, taken.error.status, taken.error.actual_etag),
         ("precondition_failed", 412, put.etag))
    assert len(binary.etag) == 32 and swap.swapped and len(swap.etag) == 32
    same((len(scan.entries), scan.entries[0].value), (1, "3"))
    assert scan.next_cursor
    same((delete.previous.value, dry.count, dry.dry_run, gone.count), ("3", 1, True, 1))
    problem = fails(
        BadRequestException, 400, "key_empty", raw.raw_run_batch, models.RawBatch.model_construct(
            ops=[op(op="get", key="a"), op.model_construct(op="get", key="")]))
    same(problem.errors[0].pointer, "/ops/1/key")


def swaps():
    clear()
    cas = models.RawCas
    same(raw.raw_compare_and_swap(cas(key="n", previous_absent=True, value="1")).swapped, True)
    missed = raw.raw_compare_and_swap(cas(key="n", previous_absent=True, value="2"))
    same((missed.swapped, missed.previous.value), (False, "1"))
    missed = raw.raw_compare_and_swap(cas(key="n", previous_value="2", value="3"))
    same((missed.swapped, missed.etag), (False, None))
    swapped = raw.raw_compare_and_swap(
        cas(key="n", previous_value="1", value_base64="/w==", ttl_seconds=60))
    same((swapped.swapped, len(swapped.etag)), (True, 32))
    assert raw.raw_get_entry(key="n").expires_at
    swapped = raw.raw_compare_and_swap(cas(key="n", previous_value_base64="_w", delete=True))
    same(swapped.swapped, True)
    fails(NotFoundException, 404, "key_not_found", raw.raw_get_value, "n")
    fails(BadRequestException, 400, "invalid_argument", raw.raw_compare_and_swap, cas(key="n"))


def ranges():
    clear()
    for key in ("r/1", "r/2", "q", "s"):
        raw.raw_put_value(key, b"")
    deletion = models.RawRangeDeletion
    dry = raw.raw_delete_range(deletion(prefix="r/", dry_run=True))
    same((dry.count, dry.dry_run, raw.raw_count().count), (2, True, 4))
    real = raw.raw_delete_range(deletion(start="r/", end_base64=base64.b64encode(b"r0").decode()))
    same((real.count, real.dry_run, raw.raw_count().count), (2, False, 2))
    fails(BadRequestException, 400, "invalid_range", raw.raw_delete_range, deletion())
    fails(BadRequestException, 400, "invalid_range", raw.raw_delete_range,
          deletion(all=True, prefix="q"))
    same(raw.raw_count().count, 2)
    same(raw.raw_delete_range(deletion(all=True)).count, 2)


def service():
    limits = cluster.get_limits(pretty=True)
    same((limits.key_bytes, limits.value_bytes), (4096, 4 << 20))
    status = cluster.get_status()
    assert status.ready and status.checks and status.store.disk_capacity_bytes > 0, status
    same(cluster.get_liveness(), "ok\n")
    same(cluster.get_readiness(), "ok\n")
    verbose = cluster.get_readiness(verbose=True)
    assert all(check.name in verbose for check in status.checks), verbose
    assert "# TYPE martlet_http_requests_total counter" in cluster.get_metrics()
    root = cluster.get_root()
    assert root.links and root.examples and root.api_version, root
    assert cluster.get_open_api_yaml().startswith(b"#")
    same(cluster.get_open_api_json().openapi, "3.0.3")
    fails(NotFoundException, 404, "route_not_found", cluster.get_problem_explanation, "nonsense")
    fails(BadRequestException, 400, "key_empty", raw.raw_put_entry,
          models.RawWrite.model_construct(key="", value="1"))
    fails(BadRequestException, 400, "key_too_large", raw.raw_get_entry, key="k" * 4097)
    fails(BadRequestException, 400, "invalid_base64", raw.raw_get_entry, key_base64="!")


def stores():
    """A store that joins where nobody answers, and is removed again."""
    alone = cluster.list_stores()
    same([each.role for each in alone.stores], ["leader"])
    same(alone.stores[0].store_id, alone.store_id)
    joined = cluster.add_store(models.NewStore(address="http://127.0.0.1:9"))
    there = [each for each in joined.stores if each.store_id == joined.store_id]
    same([(each.role, each.address) for each in there], [("learner", "http://127.0.0.1:9")])
    same(cluster.remove_store(joined.store_id, pretty=True).stores, alone.stores)
    fails(NotFoundException, 404, "store_not_found", cluster.remove_store, joined.store_id)
    fails(ConflictException, 409, "membership_conflict", cluster.remove_store, alone.store_id)
    fails(BadRequestException, 400, "invalid_argument", cluster.add_store,
          models.NewStore.model_construct(address="10.0.0.2:7171"))


def regions():
    region = cluster.list_regions(pretty=True).regions[0]
    same([(each.store_id, each.role) for each in region.replicas],
         [(region.leader_store_id, "leader")])
    same(cluster.get_region(region.region_id).region_id, region.region_id)
    fails(NotFoundException, 404, "region_not_found", cluster.get_region, "7")
    own, other = region.leader_store_id, models.LeaderTransfer(store_id="99")
    fails(NotFoundException, 404, "store_not_found", cluster.transfer_leader, "1", other)
    # It leads already, and nobody else could.
    same(cluster.transfer_leader("1", models.LeaderTransfer(store_id=own)).leader_store_id, own)
    same([each.role for each in cluster.drain_store(own).stores], ["leader"])


def failpoints():
    setting = models.FailpointSetting
    point = debug.set_failpoint("log.sync", setting(actions="1*yield->off"))
    same((point.name, point.actions, point.hits), ("log.sync", "1*yield->off", 0))
    same(debug.get_failpoint("log.sync", pretty=True), point)
    assert point in debug.list_failpoints().failpoints
    same(debug.clear_failpoint("log.sync").actions, None)
    debug.set_failpoint("log.take", setting(actions="off"))
    assert not any(each.actions for each in debug.clear_failpoints().failpoints)
    fails(NotFoundException, 404, "route_not_found", debug.get_failpoint, "log.synk")
    fails(BadRequestException, 400, "invalid_argument", debug.set_failpoint, "log.sync",
          setting(actions="slep(1)"))


PARTS = [
    hostile_keys_in_json, hostile_keys_in_paths, values, conditions, expiry, scans, batches, swaps,
    ranges, failpoints, stores, regions, service,
]

if __name__ == "__main__":
    for part in PARTS:
        part()
        print(part.__name__.replace("_", " "), flush=True)
