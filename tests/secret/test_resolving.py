"""From references to values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Origin, Resource, State
from gitops_agent.secret import Secret, fingerprint, placeholder, resolve, unresolved

KEY = b"k" * 32
VALUES = {"file:db": 'pass"word/é', "kv/app/db#user": "somebody", "file:pin": "123", "file:blank": " \t \n "}


def lookup(reference: str) -> str:
    if reference not in VALUES:
        raise Unavailable(f"secret {reference!r} does not exist yet")
    return VALUES[reference]


def token(reference: str, encode: str = "") -> str:
    return placeholder(Secret(reference, encode), KEY)


def resolved(spec: Mapping[str, object], allowed: tuple[str, ...] = ("*",), name: str = "a") -> Resource:
    return next(iter(resolve(State.of(Resource(name, spec, origin=Origin("app.yaml", 7))), KEY, lookup, allowed)))


@pytest.mark.parametrize(
    ("encode", "written"),
    [("", 'pass"word/é'), ("json", 'pass\\"word/é'), ("base64", "cGFzcyJ3b3JkL8Op"), ("url", "pass%22word%2F%C3%A9")],
)
def test_a_value_is_written_as_its_place_needs_it(encode: str, written: str) -> None:
    spec = {"text": f"<{token('file:db', encode)}>", "data": b"\xff<" + token("file:db", encode).encode() + b">"}
    resource = resolved(spec)
    assert resource.spec == {"text": f"<{written}>", "data": b"\xff<" + written.encode() + b">"}
    assert resource.shown == spec
    assert resource.sensitive


def test_what_a_kind_conceals_itself_stays_concealed() -> None:
    spec = {"password": token("file:db"), "token": "written down in the repository"}
    shown = {**spec, "token": "(sensitive)"}
    resource = next(iter(resolve(State.of(Resource("a", spec, shown=shown)), KEY, lookup, ["*"])))
    assert resource.spec == {**spec, "password": 'pass"word/é'}
    assert resource.shown == shown


def test_what_holds_no_secret_is_not_sensitive() -> None:
    assert not resolved({"port": 80, "hosts": ["a", "b"]}).sensitive


def test_a_reference_is_looked_up_once_for_all_resources() -> None:
    """Two looks at a secret that is being rotated would write both of its values."""
    values = iter(["first value", "second value"])
    state = State.of(*(Resource(name, {"x": token("file:db"), "y": token("file:db")}) for name in "abc"))
    specs = [resource.spec for resource in resolve(state, KEY, lambda _reference: next(values), ["file:*"])]
    assert specs == [{"x": "first value", "y": "first value"}] * 3


@pytest.mark.parametrize(
    ("allowed", "reference", "fits"),
    [
        ("kv/app/*", "kv/app/db#user", True),
        ("kv/*/db#user", "kv/app/db#user", True),
        ("kv/app/db#user", "kv/app/db#user", True),
        ("file:*", "kv/app/db#user", False),
        ("kv/ap?/db#user", "kv/app/db#user", False),
        ("kv/[a]pp/db#user", "kv/app/db#user", False),
        ("kv/app", "kv/app/db#user", False),
        ("", "kv/app/db#user", False),
    ],
)
def test_a_target_uses_only_what_the_operator_allows(allowed: str, reference: str, fits: bool) -> None:
    patterns = (allowed,) if allowed else ()
    if fits:
        assert resolved({"x": token(reference)}, patterns).spec == {"x": VALUES[reference]}
        return
    with pytest.raises(InvalidRevision, match=r"^app.yaml:7: may not use secret 'kv/app/db#user': agent.toml allows this target "):
        resolved({"x": token(reference)}, patterns)


def test_a_forged_placeholder_names_its_file() -> None:
    with pytest.raises(InvalidRevision, match=r"^app.yaml:7: holds a forged or mangled secret placeholder"):
        resolved({"x": token("file:db").upper()})


@pytest.mark.parametrize("spec", [{token("file:db"): 1}, {"a": [{"b": {token("file:db"): 1}}]}])
def test_a_secret_is_no_name(spec: Mapping[str, object]) -> None:
    """Names stand in plans, statuses and lists."""
    with pytest.raises(InvalidRevision, match=r"^app.yaml:7: a secret may be a value, not \(part of\) a name"):
        resolved(spec)


def test_a_secret_is_not_the_name_of_a_resource() -> None:
    with pytest.raises(InvalidRevision, match=r"may be a value, not"):
        resolved({"x": 1}, name=f"kv:{token('file:db')}")


def test_a_missing_one_waits() -> None:
    with pytest.raises(Unavailable, match="'file:nowhere' does not exist yet"):
        resolved({"x": token("file:nowhere")})


@pytest.mark.parametrize("reference", ["file:pin", "file:blank"])
def test_one_that_could_not_be_masked_is_refused(reference: str) -> None:
    with pytest.raises(Unavailable, match=f"secret '{reference}' is shorter than 4 characters"):
        resolved({"x": token(reference)})


def test_fingerprints_need_the_key() -> None:
    assert fingerprint("value", KEY) == fingerprint(b"value", KEY)
    assert fingerprint("value", KEY) != fingerprint("other", KEY)
    assert fingerprint("value", KEY) != fingerprint("value", b"o" * 32)


def test_what_is_not_resolved_is_known_to_hold_a_secret() -> None:
    spec = {"a": token("file:never-looked-up"), "b": "plain"}
    state = unresolved(State.of(Resource("x", spec), Resource("y", {"b": "plain"})), KEY, ("file:*",))
    held, plain = state
    assert (held.spec, held.sensitive, plain.sensitive) == (spec, True, False)


@pytest.mark.parametrize("spec", [{"a": token("kv/other")}, {"a": token("file:x")[:-3]}, {token("file:x"): "a"}])
def test_what_is_not_resolved_is_checked_all_the_same(spec: Mapping[str, object]) -> None:
    with pytest.raises(InvalidRevision, match=r"may not use|forged|name"):
        unresolved(State.of(Resource("x", spec)), KEY, ("file:*",))
