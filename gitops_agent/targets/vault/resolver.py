"""Serves `secret("MOUNT/PATH#KEY")` from KV version 2."""

from __future__ import annotations

import re
import threading

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.secret import Resolver
from gitops_agent.targets.vault.access import Access
from gitops_agent.targets.vault.client import Client

_REFERENCE = re.compile(r"(?P<mount>[^/#\s]+)/(?P<path>[^#\s]+)#(?P<key>[^#\s]+)")


def resolver(access: Access) -> Resolver:
    """The mount is what stands before the first slash. One connection and one login for all environments."""
    client = Client(access)
    lock = threading.Lock()  # targets are planned in several threads

    def lookup(reference: str) -> str:
        match = _REFERENCE.fullmatch(reference)
        if match is None or any(part in ("", ".", "..") for part in match["path"].split("/")):
            raise InvalidRevision(f"secret {reference!r} is no reference: write MOUNT/PATH#KEY, or file:NAME")
        with lock:
            answer = client.read(f"{match['mount']}/data/{match['path']}")
        if not answer.found or not isinstance(values := answer.data.get("data"), dict) or match["key"] not in values:
            raise Unavailable(f"secret {reference!r} does not exist yet")
        value = values[match["key"]]
        if isinstance(value, bool | int | float):
            return str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, str):
            raise Unavailable(f"secret {reference!r} is no text")
        return value

    return lookup
