"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from gitops_agent.model import Resource
from gitops_agent.system_target import NotedType
from gitops_agent.targets.vault.record import Note

Resources: TypeAlias = Mapping[str, Resource]
Notes: TypeAlias = Mapping[str, Note]
ResourceType: TypeAlias = NotedType[Note]
NOTHING = Note()
