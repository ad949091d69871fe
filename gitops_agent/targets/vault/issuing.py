"""How a token comes to be and where it lies, so that no accident leaves one that works and that nobody knows of.

The agent chooses the value: it is on disk before Vault hears of it. Whenever the agent is killed, the next run finds what was
issued, and takes it back unless it had reached its file. Vault hashes chosen values with SHA-1; of 256 random bits that tells
nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from gitops_agent import secret
from gitops_agent.errors import Conflict
from gitops_agent.secret.token_files import TokenFiles
from gitops_agent.target import Site
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.settings import VaultSettings

_CHOSEN = re.compile(r"[A-Za-z0-9-]{32,128}")


def could_be_one(value: str) -> bool:
    """Whether Vault would take it as the value of a token, and nobody would guess it."""
    return _CHOSEN.fullmatch(value) is not None


class Issuing:
    """Values go to files, to Vault and nowhere else; what is looked at is masked from then on."""

    def __init__(self, client: Client, settings: VaultSettings, site: Site) -> None:
        self._client = client
        self._issuer = f"{site.environment}/{settings.name}"
        # Where no directory is configured no token can be declared; those that were are revoked.
        self._files = TokenFiles(settings.token_directory or site.directory / "tokens", "vault")
        self._begun = TokenFiles(site.directory / "begun", "vault")
        """By name of the token, from before it is issued until it is in its file."""

    def kept(self, file: str) -> str:
        """Empty where there is none. Raises Unavailable."""
        return self._files.read(file) if file else ""

    def look(self, value: str) -> Mapping[str, Any] | None:
        """What Vault says of a token; None where it does not know it."""
        if not value or not value.isascii() or not value.isprintable():
            return None
        secret.remember(value)
        return self._client.own(value)

    def unfinished(self, name: str, in_use: str) -> bool:
        """Whether one may have been issued that never came to its file."""
        return self._begun.read(name) not in ("", in_use)

    def begin(self, name: str, in_use: str) -> str:
        """A new value, on disk."""
        if self.unfinished(name, in_use):
            self.abandon(name)
        value = secrets.token_hex(32)
        secret.remember(value)
        self._begun.write(name, value)
        return value

    def abandon(self, name: str) -> None:
        """Takes back what may have been issued and nobody was given."""
        found = self.look(self._begun.read(name))
        if found is not None:
            self.revoke(str(found["accessor"]))
        self._begun.remove(name)

    def issue(self, name: str, value: str, policies: Sequence[str], period: float) -> Mapping[str, Any]:
        """Gives what Vault says of it. `period` in seconds."""
        body = {
            "id": value,
            "policies": ["default", *policies],  # none at all would be the agent's own
            "period": f"{period:.0f}s",
            "display_name": name,
            "meta": {"gitops-agent": self._issuer},
        }
        self._client.write("auth/token/create-orphan", body)
        found = self.look(value)
        if found is None:
            raise Conflict(f"token:{name} was revoked as soon as it was issued")
        return found

    def hand_over(self, name: str, file: str, value: str) -> None:
        self._files.write(file, value)
        self._begun.remove(name)

    def renew(self, value: str) -> bool:
        return self._client.renew(value)

    def revoke(self, *accessors: str) -> None:
        """Those that are gone already are fine."""
        for accessor in accessors:
            self._client.write("auth/token/revoke-accessor", {"accessor": accessor})

    def forget(self, file: str) -> None:
        self._files.remove(file)
