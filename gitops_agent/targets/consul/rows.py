"""What Consul answers about keys."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from gitops_agent.errors import Unavailable
from gitops_agent.targets.consul.client import Answer


@dataclass(frozen=True)
class Row:
    key: str
    value: bytes
    index: int
    """ModifyIndex."""


def rows(answer: Answer) -> list[Row]:
    """Raises Unavailable for an answer that is none of Consul's."""
    try:
        return [
            Row(row["Key"], base64.b64decode(row["Value"] or "", validate=True), int(row["ModifyIndex"]))
            for row in answer.data or []
        ]
    except (TypeError, KeyError, ValueError):
        raise Unavailable("what answers instead of consul speaks nonsense") from None
