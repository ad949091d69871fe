"""Secrets: references instead of values, resolved only where a run compares and writes; and the one place that masks.

A template writes `{{ secret("file:db_password") }}`. What it gets is a placeholder: the reference and a keyed digest of it, so that
nobody can forge one, and copying one gains nothing that `secret()` would not give. Placeholders live in files, specs, plans and the
journal; values live only in `Resource.spec` of a run, and every value ever resolved is masked in whatever leaves the process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Resource, State, Value

Resolver = Callable[[str], str]
"""Takes a reference, gives its value; raises Unavailable when it does not exist (yet) or its store cannot be reached."""

ENCODERS: Mapping[str, Callable[[str], str]] = {
    "": lambda value: value,
    "json": lambda value: json.dumps(value)[1:-1],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "url": lambda value: quote(value, safe=""),
}
"""How a value is written where it lands, by the `encode` of its reference. `json` is what stands between the quotes."""

SHOWN = "(sensitive)"
# Letters, digits and underscores only: a placeholder survives YAML, JSON, HCL and nginx unquoted. Case-insensitive, so that one
# that a filter has upper-cased is recognised as mangled instead of being written as text.
_PLACEHOLDER = re.compile(r"gitops_secret_([0-9a-z]+)_([0-9a-f]{32})_", re.IGNORECASE)
_SHORTEST = 4
"""A shorter value could not be masked without masking half of every log; it is refused."""


@dataclass(frozen=True)
class Secret:
    """A reference to a value in a secret store: `file:NAME`, or `MOUNT/PATH#KEY` in Vault's KV v2."""

    reference: str
    encode: str = ""


def placeholder(secret: Secret, key: bytes) -> str:
    """The text that stands for `secret` in rendered files. Same secret and key, same text."""
    body = base64.b32encode(json.dumps([secret.reference, secret.encode]).encode()).decode().rstrip("=").lower()
    return f"gitops_secret_{body}_{_digest(body, key)}_"


def _digest(body: str, key: bytes) -> str:
    return hmac.new(key, b"placeholder:" + body.encode(), hashlib.sha256).hexdigest()[:32]


def _parse(match: re.Match[str], key: bytes) -> Secret:
    body, digest = match.groups()
    if not hmac.compare_digest(_digest(body, key), digest):
        raise InvalidRevision("holds a forged or mangled secret placeholder; write {{ secret(…) }} and apply no filter to it")
    reference, encode = json.loads(base64.b32decode(body.upper() + "=" * (-len(body) % 8)))
    return Secret(reference, encode)


def references(value: Value, key: bytes) -> frozenset[Secret]:
    """Every secret that a spec (or a part of one) refers to. Raises InvalidRevision on a forged placeholder."""
    found: set[Secret] = set()

    def note(match: re.Match[str]) -> str:
        found.add(_parse(match, key))
        return ""

    _substitute(value, note)
    return frozenset(found)


def _substitute(value: Value, replacement: Callable[[re.Match[str]], str]) -> Value:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(replacement, value) if "_secret_" in value.lower() else value
    if isinstance(value, bytes):
        if b"_secret_" not in value.lower():
            return value
        # latin-1 maps bytes to characters one to one: binary content keeps its bytes around the placeholder.
        parts = re.split(rb"(?i)(gitops_secret_[0-9a-z]+_[0-9a-f]{32}_)", value)
        return b"".join(
            _PLACEHOLDER.sub(replacement, part.decode()).encode() if index % 2 else part for index, part in enumerate(parts)
        )
    if isinstance(value, Mapping):
        return {_substitute(name, replacement): _substitute(item, replacement) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_substitute(item, replacement) for item in value]
    return value


def conceal(value: Value) -> Value:
    """The same with `(sensitive)` in the place of every placeholder: what people see."""
    return _substitute(value, lambda _match: SHOWN)


def resolve(state: State, key: bytes, lookup: Resolver, allowed: Iterable[str]) -> State:
    """`state` with values in `spec` and references in `shown`. `allowed` are the target's `secrets` patterns.

    Raises InvalidRevision for a forged placeholder or a reference the target may not use, Unavailable for one without a value.
    """
    return State({resource.name: _resolve_one(resource, key, lookup, tuple(allowed)) for resource in state})


def _resolve_one(resource: Resource, key: bytes, lookup: Resolver, allowed: tuple[str, ...]) -> Resource:
    used: list[Secret] = []

    def value_of(match: re.Match[str]) -> str:
        secret = _parse(match, key)
        if not any(fnmatchcase(secret.reference, pattern) for pattern in allowed):
            raise InvalidRevision(f"may not use secret {secret.reference!r}: agent.toml allows this target {list(allowed)}")
        used.append(secret)
        value = lookup(secret.reference)
        remember(value)
        return ENCODERS[secret.encode](value)

    try:
        spec = _substitute(resource.spec, value_of)
    except InvalidRevision as error:
        if error.file or resource.origin is None:
            raise
        raise InvalidRevision(str(error), file=resource.origin.file, line=resource.origin.line) from None
    return replace(resource, spec=spec, shown=resource.spec) if used else resource


def from_directory(directory: str) -> Resolver:
    """Serves `file:NAME` from a directory with one value a file; line ends at its end do not count."""

    def lookup(reference: str) -> str:
        name = reference.removeprefix("file:")
        if "/" in name or name.startswith("."):
            raise InvalidRevision(f"secret {reference!r} names no file of the secrets directory")
        try:
            return (Path(directory) / name).read_bytes().decode().rstrip("\r\n")
        except FileNotFoundError:
            raise Unavailable(f"secret {reference!r} does not exist yet") from None
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"secret {reference!r} cannot be read: {type(error).__name__}") from None

    return lookup


def by_scheme(resolvers: Mapping[str, Resolver], default: Resolver | None = None) -> Resolver:
    """One resolver from several: `file:NAME` goes to `resolvers["file"]`, a reference without a known scheme to `default`."""

    def lookup(reference: str) -> str:
        scheme = reference.partition(":")[0]
        resolver = resolvers.get(scheme, default)
        if resolver is None:
            raise Unavailable(f"no secret store is configured for {reference!r}")
        return resolver(reference)

    return lookup


def fingerprint(content: bytes | str, key: bytes) -> str:
    """A keyed digest: tells whether a secret changed without saying anything about it to who lacks the key."""
    data = content.encode() if isinstance(content, str) else content
    return hmac.new(key, b"content:" + data, hashlib.sha256).hexdigest()


_lock = threading.Lock()
_values: set[str] = set()
_pattern: re.Pattern[str] | None = None


def remember(value: str) -> None:
    """From now on `mask` hides this value, however it is encoded, and every longer line of it. It is never forgotten: an old
    value of a rotated secret is a secret still. Raises Unavailable for one too short to be masked."""
    if len(value) < _SHORTEST:
        raise Unavailable(f"a secret is shorter than {_SHORTEST} characters and could not be masked")
    if value in _values:
        return
    lines = (line for line in value.splitlines() if len(line) >= 8 and not line.startswith("-----"))
    forms = {encoded for part in (value, *lines) for encode in ENCODERS.values() if (encoded := encode(part))}
    global _pattern  # noqa: PLW0603 -- the one process-wide register of what must never be seen
    with _lock:
        _values.update(forms)
        # Longest first: a value that contains another must not leave its tail behind.
        _pattern = re.compile("|".join(re.escape(form) for form in sorted(_values, key=len, reverse=True)))


def mask(text: str) -> str:
    """`text` without any secret value resolved so far, and without placeholders."""
    pattern = _pattern
    if pattern is not None:
        text = pattern.sub(SHOWN, text)
    return _PLACEHOLDER.sub(SHOWN, text) if "gitops_secret_" in text else text
