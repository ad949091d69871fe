"""What the agent notes beside a project: which services are its own, and what they had loaded when they were last made or told.

Labels would be the place, but a label more is a container restarted. Lost, it costs an adoption: what is as declared is ours again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gitops_agent.file_target import tree
from gitops_agent.file_target.record import RecordFile

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """Of one service: keyed digests of the files (and inline texts) it has read, the volumes it has used, its image,
    the hash its containers carry and the `tool` that made it: another Compose hashes the same service differently. `replaced`
    are the containers that were there before a change that has not been seen to end, and `tried` the image it was to start; None
    and empty when none is under way."""

    files: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    reference: str = ""
    image: str = ""
    hash: str = ""
    tool: str = ""
    hold: bool = False
    before_stop: Mapping[str, Any] | None = None
    replaced: tuple[str, ...] | None = None
    tried: str = ""


@dataclass(frozen=True)
class Record:
    """`networks` and `volumes`: digests of their settings when they were made."""

    project: str = ""
    services: Mapping[str, Loaded] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)


class RecordBeside:
    """`.gitops-agent/project.json` in the project's directory, for nobody else."""

    def __init__(self, beside: RecordFile) -> None:
        self._beside = beside
        self._path = beside.private / "project.json"

    def read(self) -> Record:
        try:
            data = json.loads(self._path.read_bytes())
            return Record(
                str(data["project"]),
                {name: _loaded(found) for name, found in data["services"].items()},
                dict(data["networks"]),
                dict(data["volumes"]),
            )
        except FileNotFoundError:
            return Record()
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("record of the project is damaged and ignored", extra={"file": str(self._path)})
            return Record()

    def write(self, record: Record) -> None:
        self._beside.make_private()
        staged = self._path.with_suffix(".new")
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump(asdict(record), file, indent=0, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(self._path)
        tree.sync(self._path.parent)


def _loaded(found: Mapping[str, Any]) -> Loaded:
    replaced = found.get("replaced")
    return Loaded(**{**found, "replaced": None if replaced is None else tuple(replaced)})
