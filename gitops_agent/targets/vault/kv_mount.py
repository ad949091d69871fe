"""A new KV version 2 mount answers nothing but errors for a moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gitops_agent.errors import Unavailable
from gitops_agent.targets.vault.client import Client

_PATIENCE = 10.0
_LOOK = 0.05


def enable_kv(client: Client, mount: str, description: str) -> None:
    """Raises Conflict when somebody else was quicker."""
    client.write(f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}, "description": description})
    await_kv(client, mount)


def await_kv(client: Client, mount: str) -> None:
    """Returns when the mount takes entries. Raises Unavailable when it does not come round."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            client.read(f"{mount}/config")
        except Unavailable as error:
            if "pgrad" not in str(error) or time.monotonic() > deadline:  # «Upgrading from non-versioned to versioned data»
                raise
            time.sleep(_LOOK)
        else:
            return


def is_kv2(mount: Mapping[str, Any]) -> bool:
    """`mount` as the list has it."""
    return mount.get("type") == "kv" and (mount.get("options") or {}).get("version") == "2"
