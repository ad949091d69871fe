"""The fields of objects that Vault answers with: which say nothing, and how one is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gitops_agent import secret
from gitops_agent.targets.vault import likeness

_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "bind_secret_id": (True,),
    "bound_claims_type": ("string",),
    "callback_mode": ("client",),
    "delete_version_after": ("0s",),
    "namespace_in_state": (True,),
    "renewable": (True,),
    "role_type": ("oidc",),
    "scheme": ("http",),
    "status": ("valid",),
    "token_type": ("default", "default-service", "client"),
    "type": ("client",),
}
"""By the field's name, in AppRole, JWT, token, Consul and Nomad roles and their configurations: the rest is empty there."""
_ALIASES = {
    "lease": "ttl",
    "ttl": "token_ttl",
    "max_ttl": "token_max_ttl",
    "policies": "token_policies",
    "period": "token_period",
    "num_uses": "token_num_uses",
    "bound_cidrs": "token_bound_cidrs",
    "explicit_max_ttl": "token_explicit_max_ttl",
}
"""Old names, under which some answers say the same once more."""


def unsaid(field: str, value: Any, answer: Mapping[str, Any]) -> bool:
    """Whether a field of the answer says nothing that somebody must have set."""
    if likeness.empty(value) or value in _DEFAULTS.get(field, ()):
        return True
    return field == "name" or (field in _ALIASES and answer.get(_ALIASES[field]) == value)


def reset(field: str, value: Any) -> Any:
    """What takes the value back: the default, or nothing of the same type."""
    if field in _DEFAULTS:
        return _DEFAULTS[field][0]
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return 0
    return [] if isinstance(value, list) else {} if isinstance(value, Mapping) else ""


def echo(desired: Any, live: Any) -> Any:
    return desired if likeness.same(desired, live) else live


def digester(key: bytes) -> Callable[[Any], str]:
    """Keyed digests of values: they tell a change and nothing else."""
    return lambda value: secret.fingerprint(json.dumps(value, sort_keys=True), key)[:32]
