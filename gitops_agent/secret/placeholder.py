"""The text that stands for a secret in rendered files, from the template to the moment of writing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Value
from gitops_agent.secret.masking import PREFIX, SHOWN

ENCODERS: Mapping[str, Callable[[str], str]] = {
    "": lambda value: value,
    "json": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "url": lambda value: quote(value, safe=""),
}
"""How a value is written where it lands, by the `encode` of its reference. `json` is what stands between the quotes, of JSON and of
all that escapes like it: YAML, TOML, HCL."""

# Letters, digits and underscores only: a placeholder survives YAML, JSON, HCL and nginx unquoted. Case-insensitive, and the prefix
# alone matches too, so that one that was upper-cased or cut is recognised as mangled instead of being written as text.
_GRAMMAR = PREFIX + r"(?:([0-9a-z]+)_([0-9a-f]{32})_)?"
_TEXT = re.compile(_GRAMMAR, re.IGNORECASE)
_BYTES = re.compile(_GRAMMAR.encode(), re.IGNORECASE)

Replacement = Callable[[str, str], str]
"""Takes the two halves of a placeholder, the reference and its digest (both empty where it was cut), gives what replaces it."""


@dataclass(frozen=True)
class Secret:
    """A reference to a value in a secret store: `file:NAME`, or `MOUNT/PATH#KEY` in Vault's KV v2."""

    reference: str
    encode: str = ""


def signing_key(key: bytes) -> bytes:
    """All that the renderer gets of the agent's key: it can sign placeholders and tells nothing about any fingerprint."""
    return hmac.new(key, b"placeholder", hashlib.sha256).digest()


def sign(secret: Secret, signing: bytes) -> str:
    """The placeholder of `secret`. Same secret and key, same text."""
    body = base64.b32encode(json.dumps([secret.reference, secret.encode]).encode()).decode().rstrip("=").lower()
    return f"{PREFIX}{body}_{_digest(body, signing)}_"


def placeholder(secret: Secret, key: bytes) -> str:
    """The same from the agent's key."""
    return sign(secret, signing_key(key))


def _digest(body: str, signing: bytes) -> str:
    return hmac.new(signing, body.encode(), hashlib.sha256).hexdigest()[:32]


def opener(key: bytes) -> Callable[[str, str], Secret]:
    """Turns the halves of placeholders back into references; raises InvalidRevision on a forged or mangled one."""
    signing = signing_key(key)

    def open_(body: str, digest: str) -> Secret:
        if not hmac.compare_digest(_digest(body, signing), digest):
            raise InvalidRevision("holds a forged or mangled secret placeholder; write {{ secret(…) }} and apply no filter to it")
        reference, encode = json.loads(base64.b32decode(body.upper() + "=" * (-len(body) % 8)))
        return Secret(reference, encode)

    return open_


def references(value: Value, key: bytes) -> frozenset[Secret]:
    """Every secret that a spec (or a part of one) refers to. Raises InvalidRevision on a forged placeholder."""
    found: set[Secret] = set()
    open_ = opener(key)

    def note(body: str, digest: str) -> str:
        found.add(open_(body, digest))
        return ""

    substitute(value, note, note)
    return frozenset(found)


def conceal(value: Value) -> Value:
    """The same with `(sensitive)` in the place of every placeholder: what people see."""

    def shown(_body: str, _digest: str) -> str:
        return SHOWN

    return substitute(value, shown, shown)


def substitute(value: Value, replace: Replacement, replace_in_name: Replacement) -> Value:
    """`value` with every placeholder replaced, however deep it lies; `replace_in_name` has those in the names of mappings."""
    if isinstance(value, str):
        return _in_text(value, replace)
    if isinstance(value, bytes):
        if PREFIX.encode() not in value.lower():
            return value
        return _BYTES.sub(lambda match: replace(*((half or b"").decode() for half in match.groups())).encode(), value)
    if isinstance(value, Mapping):
        return {
            _in_text(name, replace_in_name) if isinstance(name, str) else name: substitute(item, replace, replace_in_name)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        items = [substitute(item, replace, replace_in_name) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def _in_text(value: str, replace: Replacement) -> str:
    if PREFIX not in value.lower():
        return value
    return _TEXT.sub(lambda match: replace(*(half or "" for half in match.groups())), value)
