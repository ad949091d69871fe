"""What the suite does not ask of every kind: calls, limits, races and ownership of keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.plan import Limits, guard
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

Make = Callable[..., Consul]
RECORD = "gitops-agent/conformance/consul"
READS = [f"GET /v1/kv/{RECORD}", "GET /v1/kv/conformance/?recurse=true"]


def yaml(**values: object) -> Files:
    return {"kv.yaml": json.dumps(values).encode()}


def many(count: int, value: str) -> Files:
    return {"kv.yaml": "".join(f"key-{number:04}: {value} {number}\n" for number in range(count)).encode()}


def record(consul: ConsulServer) -> object:
    content, _ = consul.keys(RECORD).get(RECORD, (b"null", 0))
    return json.loads(content)


def test_calls_are_counted(make: Make, proxy: Proxy) -> None:
    """Two reads a look, 64 keys a transaction, the record in the first of them and only when names change."""
    target = make()
    converge(target, many(1000, "first"))
    assert proxy.calls == [*READS, *["PUT /v1/txn"] * 16]  # 1,000 keys and the record make 1,001 operations
    proxy.calls.clear()
    converge(target, many(1000, "first"), applied=many(1000, "first"))
    assert proxy.calls == READS
    proxy.calls.clear()
    converge(target, many(1000, "second"), applied=many(1000, "first"))
    assert proxy.calls == [*READS, *["PUT /v1/txn"] * 16]


def test_the_record_holds_names_and_goes_with_the_last(make: Make, consul: ConsulServer) -> None:
    target = make()
    converge(target, yaml(a=1, b=2))
    assert record(consul) == {"kv:conformance/": ["a", "b"]}
    _, version = consul.keys(RECORD)[RECORD]
    converge(target, yaml(a=3, b=4))
    assert consul.keys(RECORD)[RECORD][1] == version, "changed values write no record"
    converge(target, yaml(b=4, c=5))
    assert record(consul) == {"kv:conformance/": ["b", "c"]}
    converge(target, {})
    assert consul.keys() == {}


def test_creation_and_claim_are_one_transaction(make: Make, proxy: Proxy) -> None:
    converge(make(), yaml(a=1, b=2))
    assert proxy.writes == ["PUT /v1/txn"]


def test_a_key_that_comes_back_after_we_forgot_it_is_not_ours(make: Make, consul: ConsulServer) -> None:
    """Deleted by hand and gone from the repository: its name must not wait in the record for somebody else's key."""
    target = make()
    converge(target, yaml(a=1, b=2))
    consul.delete("conformance/a")
    converge(target, yaml(b=3))
    assert record(consul) == {"kv:conformance/": ["b"]}
    consul.put("conformance/a", "mine")
    assert not plan(make(), yaml(b=3))


def test_a_renamed_target_adopts_and_deletes_nothing(make: Make, consul: ConsulServer) -> None:
    """Failure mode 31."""
    converge(make(), yaml(a=1, b=2))
    before = consul.keys()
    made = converge(make(name="keys"), yaml(a=1, b=2))
    assert {change.action for change in made} == {Action.ADOPT}
    assert consul.keys() == before


def test_another_prefix_leaves_what_was_and_remembers_it(make: Make, consul: ConsulServer, token_file: Path) -> None:
    converge(make(), yaml(a=1))
    token_file.write_text(consul.token('key_prefix "" { policy = "write" }'))
    converge(make(prefix="moved/"), yaml(b=2))
    assert record(consul) == {"kv:": ["conformance/a"], "kv:moved/": ["b"]}
    assert consul.keys("conformance/")["conformance/a"][0] == b"1"
    assert {change.action for change in converge(make(), yaml(a=2))} == {Action.UPDATE}, "moved back, it is still ours"


def test_a_lost_race_names_the_key(make: Make, consul: ConsulServer) -> None:
    """Failure mode 44: a human's edit between plan and apply is not overwritten, and nothing of the transaction lands."""
    target = make()
    converge(target, yaml(a=1, b=2, c=3))
    what = plan(target, yaml(a=2, b=3, d=4))
    consul.put("conformance/b", "by hand")
    with pytest.raises(Conflict, match=r"^kv:conformance/b was changed by somebody else in the meantime$"):
        [*carry_out(target, what)]
    assert {key: value for key, (value, _) in consul.keys("conformance/").items()} == {
        "conformance/a": b"1",
        "conformance/b": b"by hand",
        "conformance/c": b"3",
    }
    converge(target, yaml(a=2, b=3, d=4))
    assert consul.keys()["conformance/b"][0] == b"3"


def test_a_lost_race_at_either_end_of_a_keys_life(make: Make, consul: ConsulServer) -> None:
    target = make()
    converge(target, yaml(a=1, b=1))
    creating, deleting = plan(target, yaml(a=1, b=1, c=1)), plan(target, yaml(b=1))
    consul.put("conformance/c", "by hand")
    consul.put("conformance/a", "by hand")
    for what, key in ((creating, "c"), (deleting, "a")):
        with pytest.raises(Conflict, match=f"^kv:conformance/{key} was changed by somebody else in the meantime$"):
            [*carry_out(target, what)]
        assert consul.keys()[f"conformance/{key}"][0] == b"by hand"


def test_chunks_are_said_one_by_one_and_resumed(make: Make, consul: ConsulServer) -> None:
    """Failure mode 45: more than 64 keys are several transactions; cut short between two, the next run brings the rest."""
    what = converge(make(), many(200, "value"), batches=2)
    assert len(what.changes) == 200
    assert len(consul.keys("conformance/")) == 63 + 64
    rest = converge(make(), many(200, "value"))
    assert {change.action for change in rest} == {Action.CREATE}
    assert len(rest.changes) == 200 - 63 - 64
    assert len(consul.keys("conformance/")) == 200


def test_large_values_share_no_transaction_they_do_not_fit(make: Make, consul: ConsulServer, proxy: Proxy) -> None:
    """A body of 512 KB holds one value of 380 KB in base64, and none of 512 KB: that goes alone, still with compare-and-set."""
    files = {"kv/largest": b"x" * 524_288, **{f"kv/large-{n}": b"y" * 150_000 for n in range(4)}, "kv/small": b"z"}
    target = make()
    converge(target, files)
    assert sorted(proxy.writes) == ["PUT /v1/kv/conformance/largest?cas=0", *["PUT /v1/txn"] * 3]
    assert len(consul.keys("conformance/")["conformance/largest"][0]) == 524_288
    assert not plan(target, files)
    what = plan(target, {**files, "kv/largest": b"w" * 524_288})
    consul.put("conformance/largest", "by hand")
    with pytest.raises(Conflict, match="kv:conformance/largest"):
        [*carry_out(target, what)]


def test_binary_empty_and_odd_names_survive(make: Make, consul: ConsulServer) -> None:
    files = {"kv/b\u00e4r %2F?#+&": b"\xff\x00\xfe", "kv/empty": b"", "kv.yaml": b"a b: c\n"}
    target = make()
    converge(target, files)
    assert not plan(target, files)
    assert {key: value for key, (value, _) in consul.keys("conformance/").items()} == {
        "conformance/b\u00e4r %2F?#+&": b"\xff\x00\xfe",
        "conformance/empty": b"",
        "conformance/a b": b"c",
    }


def test_deleting_most_is_refused(make: Make) -> None:
    """Failure mode 30."""
    target = make()
    converge(target, many(20, "value"))
    with pytest.raises(UnsafePlan, match="would delete 15 of 20"):
        guard(plan(target, many(5, "value")), Limits())


def test_a_missing_write_rule_is_named(make: Make, consul: ConsulServer, token_file: Path) -> None:
    """Failure mode 46."""
    token = consul.token(
        'key_prefix "conformance/" { policy = "write" } key "conformance/b" { policy = "read" }'
        'key_prefix "gitops-agent/conformance/" { policy = "write" }'
    )
    token_file.write_text(token)
    with pytest.raises(ApplyFailed, match=r'^consul: the agent\'s token lacks key "conformance/b" \{ policy = "write" \}$'):
        converge(make(), yaml(a=1, b=2))
    assert consul.keys() == {}


def test_a_locked_key_keeps_its_lock(make: Make, consul: ConsulServer) -> None:
    target = make()
    converge(target, yaml(a=1))
    session = consul.call("PUT", "/v1/session/create", {"Name": "somebody"})["ID"]
    assert consul.call("PUT", f"/v1/kv/conformance/a?acquire={session}", b"1")
    converge(target, yaml(a=2))
    assert consul.call("GET", "/v1/kv/conformance/a")[0]["Session"] == session
