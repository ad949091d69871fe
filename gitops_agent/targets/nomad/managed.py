"""Namespaces, ACL policies and roles: what nobody less than a management token may read or write in full.

Nomad has no check-and-set for them. A thing is looked at once more right before it is written, so that only what somebody does in
these milliseconds is overwritten.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from gitops_agent.errors import ApplyFailed, Conflict, Unavailable
from gitops_agent.model import Change
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.listed import Listed

_NEEDS = "to be a management token"


class Managed(Listed):
    management: ClassVar = True

    def put(self, change: Change) -> None:
        before = 0 if change.before is None else int(change.before.version)
        if (self._asked_for(change.name) or {}).get("ModifyIndex", 0) != before:
            raise Conflict(f"{change.name} was changed by somebody else in the meantime")
        try:
            self._write(change)
        except ApplyFailed as error:
            raise ApplyFailed(f"{change.name}: {error}") from None

    def delete(self, change: Change) -> None:
        try:
            self._client.write("delete", self._place(change.name), needs=_NEEDS)
        except ApplyFailed as error:
            if self._asked_for(change.name) is not None:
                raise ApplyFailed(f"{change.name}: {error}") from None

    @abstractmethod
    def _write(self, change: Change) -> None:
        """A write replaces every field, so what nobody declares must be in it too."""

    def _place(self, name: str) -> str:
        """Where a thing is deleted."""
        return self._path(name)

    def _needs(self, what: str) -> str:  # noqa: ARG002 -- Nomad knows no finer one
        return _NEEDS


def demand_management(client: Client) -> None:
    """Raises Unavailable for a lesser token: Nomad would answer it with a part of the truth. Fine where ACLs are off."""
    answer = client.read("acl/token/self", needs=_NEEDS, accept=(400,))
    if answer.status == 200 and answer.data.get("Type") != "management":
        raise Unavailable("nomad: namespaces, policies and roles need a management token, and the agent's is none")
