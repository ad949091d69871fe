"""From references to values, at the last moment before a run compares and writes."""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Resource, State
from gitops_agent.secret.masking import remember
from gitops_agent.secret.placeholder import ENCODERS, Replacement, Secret, opener, substitute

Resolver = Callable[[str], str]
"""Takes a reference, gives its value; raises Unavailable when it does not exist (yet) or its store cannot be reached."""


def resolve(state: State, key: bytes, lookup: Resolver, allowed: Iterable[str]) -> State:
    """`state` with values in `spec` and references in `shown`. `allowed` are the target's `secrets` patterns.

    Every reference is looked up once, so that all resources see the same value. Raises InvalidRevision for a forged placeholder,
    one in a name, or a reference the target may not use; Unavailable for one without a value.
    """
    value_of = _values(tuple(allowed), functools.cache(lookup))
    open_ = opener(key)

    def reveal(body: str, digest: str) -> str:
        secret = open_(body, digest)
        return ENCODERS[secret.encode](value_of(secret))

    return State({resource.name: _resolve_one(resource, reveal) for resource in state})


def unresolved(state: State, key: bytes, allowed: Iterable[str]) -> State:
    """`state` with its references still in `spec`, and in `shown` where a resource holds any: what may be compared of a revision
    that nobody has agreed to yet. They are checked as in `resolve`, and nothing is looked up. Raises InvalidRevision."""
    permit = _permission(tuple(allowed))
    open_ = opener(key)

    def keep(body: str, digest: str) -> str:
        permit(open_(body, digest))
        return ""

    return State({resource.name: _mark_one(resource, keep) for resource in state})


def _mark_one(resource: Resource, keep: Replacement) -> Resource:
    emptied = _resolve_one(resource, keep)
    return replace(resource, shown=emptied.shown)


def _permission(allowed: tuple[str, ...]) -> Callable[[Secret], None]:
    permitted = re.compile("|".join(".*".join(map(re.escape, pattern.split("*"))) for pattern in allowed), re.DOTALL)

    def permit(secret: Secret) -> None:
        if not allowed or not permitted.fullmatch(secret.reference):
            raise InvalidRevision(
                f"may not use secret {secret.reference!r}: agent.toml allows this target {', '.join(allowed) or 'none'}"
            )

    return permit


def _values(allowed: tuple[str, ...], lookup: Resolver) -> Callable[[Secret], str]:
    permit = _permission(allowed)

    def value_of(secret: Secret) -> str:
        permit(secret)
        value = lookup(secret.reference)
        remember(value, f"secret {secret.reference!r}")
        return value

    return value_of


def _resolve_one(resource: Resource, reveal: Replacement) -> Resource:
    try:
        substitute(resource.name, _refuse_in_name, _refuse_in_name)
        spec = substitute(resource.spec, reveal, _refuse_in_name)
    except InvalidRevision as error:
        if error.file or resource.origin is None:
            raise
        raise InvalidRevision.at(error.message, resource.origin) from None
    if spec == resource.spec:
        return resource
    # What the kind has concealed itself, such as passwords that stand in the repository, stays so.
    return replace(resource, spec=spec, shown=resource.spec if resource.shown is None else resource.shown)


def _refuse_in_name(_body: str, _digest: str) -> str:
    # Names are printed in plans, statuses and logs, and systems list them to whoever asks.
    raise InvalidRevision("a secret may be a value, not (part of) a name")


def fingerprint(content: bytes | str, key: bytes) -> str:
    """A keyed digest: tells whether a secret changed without saying anything about it to who lacks the key."""
    data = content.encode() if isinstance(content, str) else content
    return hmac.new(key, b"content:" + data, hashlib.sha256).hexdigest()
