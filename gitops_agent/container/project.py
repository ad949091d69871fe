"""What an engine holds of one Compose project: found by its labels, in one list call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
import docker.errors

from gitops_agent.container.connection import connect, naming

_LABEL = "com.docker.compose."
_EXITED = re.compile(r"Exited \((\d+)\)|Restarting \((\d+)\)")
_YOUNG = re.compile(r"Up (Less than a|\d+|an?|About a) ?(second|minute)")


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
    volumes: Mapping[str, str]
    """Names of volumes by where they are mounted."""


@dataclass(frozen=True)
class Life:
    """What only an inspection tells. `started` is in seconds since 1970, 0 for never; `reference` is how the image was named."""

    started: float
    restarts: int
    reference: str


class ProjectEngine:
    """One engine, looked at for one project. The connection is made when first needed. Raises Unavailable, and ApplyFailed."""

    def __init__(self, address: str, project: str, timeout: float) -> None:
        self._address = address
        self._project = project
        self._timeout = timeout
        self._connected: docker.APIClient | None = None

    def members(self) -> list[Member]:
        """Its containers, running or not; those of `compose run` are not of it."""
        with naming(f"containers of {self._project}"):
            listed = self._api.containers(all=True, filters=self._mine)
        return [_member(found) for found in listed if found["Labels"].get(f"{_LABEL}oneoff") != "True"]

    def networks(self) -> Mapping[str, str]:
        """Names of its networks by what the project calls them."""
        with naming(f"networks of {self._project}"):
            return {found["Labels"][f"{_LABEL}network"]: found["Name"] for found in self._api.networks(filters=self._mine)}

    def volumes(self) -> Mapping[str, str]:
        """Names of its volumes by what the project calls them."""
        with naming(f"volumes of {self._project}"):
            found = self._api.volumes(filters=self._mine)["Volumes"] or ()
        return {volume["Labels"][f"{_LABEL}volume"]: volume["Name"] for volume in found}

    def volume_exists(self, name: str) -> bool:
        with naming(f"volume {name}"), suppress(docker.errors.NotFound):
            self._api.inspect_volume(name)
            return True
        return False

    def life(self, container: str) -> Life:
        with naming(f"container {container[:12]}"):
            found = self._api.inspect_container(container)
        return Life(_seconds(found["State"]["StartedAt"]), int(found["RestartCount"]), str(found["Config"]["Image"]))

    def image(self, reference: str) -> str:
        """ID of the image that the reference (or ID) means on this host; empty where there is none."""
        with naming(f"image {reference}"), suppress(docker.errors.ImageNotFound, docker.errors.NotFound):
            return str(self._api.inspect_image(reference)["Id"])
        return ""

    def tag(self, image: str, reference: str) -> None:
        """Lets the reference mean this image on this host."""
        repository, colon, tag = reference.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = reference, "latest"
        with naming(f"tag {reference}"):
            self._api.tag(image, repository, tag, force=True)

    def restart(self, container: str) -> None:
        with naming(f"restart of {container[:12]}"):
            self._api.restart(container, timeout=None)

    def remove(self, container: str) -> None:
        """Stops it as it wants to be stopped, and removes it; its volumes stay."""
        with naming(f"removal of {container[:12]}"), suppress(docker.errors.NotFound):
            self._api.stop(container, timeout=None)
            self._api.remove_container(container, force=True)

    def remove_network(self, name: str) -> None:
        with naming(f"removal of network {name}"), suppress(docker.errors.NotFound):
            self._api.remove_network(name)

    def remove_volume(self, name: str) -> None:
        with naming(f"removal of volume {name}"), suppress(docker.errors.NotFound):
            self._api.remove_volume(name)

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    @property
    def _mine(self) -> dict[str, list[str]]:
        return {"label": [f"{_LABEL}project={self._project}"]}

    @property
    def _api(self) -> docker.APIClient:
        if self._connected is None:
            self._connected = connect(self._address, self._timeout)
        return self._connected


def _member(found: Mapping[str, Any]) -> Member:
    labels, status = found["Labels"], found["Status"]
    code = _EXITED.match(status)
    health = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)", status)
    return Member(
        id=found["Id"],
        name=found["Names"][0].lstrip("/") if found["Names"] else found["Id"][:12],
        service=labels.get(f"{_LABEL}service", ""),
        state=found["State"],
        code=int(code[1] or code[2]) if code else 0,
        health=health[1] if health else "",
        young=bool(_YOUNG.match(status)),
        image=found["ImageID"],
        config_hash=labels.get(f"{_LABEL}config-hash", ""),
        directory=labels.get(f"{_LABEL}project.working_dir", ""),
        volumes={mount["Destination"]: mount["Name"] for mount in found["Mounts"] if mount["Type"] == "volume"},
    )


def _seconds(time: str) -> float:
    """Docker writes nanoseconds, and the year 1 for never."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00") if fraction else datetime.fromisoformat(f"{whole}+00:00")
    return max(0.0, moment.timestamp())
