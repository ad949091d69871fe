"""Containers of a Compose project as a list call tells them. Free of the SDK, so that it costs nothing to name them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

LABEL = "com.docker.compose."
_EXITED = re.compile(r"Exited \((\d+)\)|Restarting \((\d+)\)")
_YOUNG = re.compile(r"Up (Less than a second|\d+ seconds?|About a minute)")


@dataclass(frozen=True)
class Member:
    """One container of a project. `state` is Docker's (`running`, `exited` …), `code` its exit status, `health` what its health
    check says (`healthy`, `unhealthy`, `starting`; empty without one), `young` whether it was started within the last minutes."""

    id: str
    name: str
    service: str
    state: str
    code: int
    health: str
    young: bool
    image: str
    config_hash: str
    directory: str
    tool: str
    """Version of the Compose that made it; empty where it did not say."""
    volumes: Mapping[str, str]
    """Names of volumes by where they are mounted."""


@dataclass(frozen=True)
class Life:
    """What only an inspection tells. `started` is in seconds since 1970, 0 for never; `reference` is how the image was named."""

    started: float
    restarts: int
    reference: str


def member(found: Mapping[str, Any]) -> Member:
    labels, status = found["Labels"], found["Status"]
    code = _EXITED.match(status)
    health = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)", status)
    return Member(
        id=found["Id"],
        name=found["Names"][0].lstrip("/") if found["Names"] else found["Id"][:12],
        service=labels.get(f"{LABEL}service", ""),
        state=found["State"],
        code=int(code[1] or code[2]) if code else 0,
        health=health[1] if health else "",
        young=bool(_YOUNG.match(status)),
        image=found["ImageID"],
        config_hash=labels.get(f"{LABEL}config-hash", ""),
        directory=labels.get(f"{LABEL}project.working_dir", ""),
        tool=labels.get(f"{LABEL}version", ""),
        volumes={mount["Destination"]: mount["Name"] for mount in found["Mounts"] if mount["Type"] == "volume"},
    )


def seconds(time: str) -> float:
    """Docker writes nanoseconds, and the year 1 for never."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00") if fraction else datetime.fromisoformat(f"{whole}+00:00")
    return max(0.0, moment.timestamp())
