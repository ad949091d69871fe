"""The keys that open a Vault, in the file that `vault operator init -format=json` makes; and opening it with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_agent.errors import Unavailable
from gitops_agent.secret import remember
from gitops_agent.secret.files import read_secret


@dataclass(frozen=True)
class Keys:
    """Either may be empty: whoever put one away keeps the other."""

    unseal: tuple[str, ...]
    root: str

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Also takes what the API answers. From now on they are masked wherever they are shown. Raises Unavailable."""
        try:
            said = json.loads(read_secret(path))
            unseal = tuple(map(str, said.get("unseal_keys_b64") or said.get("keys_base64") or ()))
            keys = cls(unseal, str(said.get("root_token") or ""))
        except (ValueError, AttributeError, TypeError):
            raise Unavailable(f"{path} is not what `vault operator init -format=json` prints") from None
        for each in (*keys.unseal, keys.root):
            if each:
                remember(each, str(path))
        return keys

    def open(self, offer: Callable[[str], Mapping[str, Any]]) -> bool:
        """Whether Vault is open after it was offered one key after the other. `offer` gives what Vault says of its seal."""
        return any(not offer(key).get("sealed", True) for key in self.unseal)
