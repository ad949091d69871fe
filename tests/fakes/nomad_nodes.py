"""Clients of a fake Nomad: a node that misses its heartbeats is down, until it beats again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = Any


@dataclass
class Node:
    name: str
    address: str
    http: str
    beats: bool = True
    runtime: bool = True
    """Whether Docker, or Podman in its place, answers the client."""
    vault: str = "1.14.9"
    """Version of the Vault that it reaches; empty for none."""

    @property
    def id(self) -> str:
        return f"00000000-aaaa-bbbb-cccc-{self.name.encode().hex():0>12.12}"

    def row(self) -> Json:
        return {
            "ID": self.id,
            "Name": self.name,
            "Address": self.address,
            "Status": "ready" if self.beats else "down",
            "Drain": False,
            "SchedulingEligibility": "eligible",
            "Drivers": {"docker": {"Detected": self.runtime, "Healthy": self.runtime}},
        }

    def whole(self) -> Json:
        attributes = {"vault.version": self.vault} if self.vault else {}
        return {**self.row(), "HTTPAddr": self.http, "TLSEnabled": False, "Attributes": attributes}


@dataclass
class Nodes:
    joined: list[Node] = field(default_factory=list)
    leader: str = "127.0.0.1:4647"

    def rows(self) -> Json:
        return [node.row() for node in self.joined]

    def one(self, identity: str) -> Json:
        return next((node.whole() for node in self.joined if node.id == identity), None)

    def keys(self) -> Json:
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1"}]}
