"""Every container of an engine with all that says how it was made: for looking at what nobody has described yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import docker
import docker.errors

from gitops_agent.container.connection import connect, naming
from gitops_agent.container.members import LABEL
from gitops_agent.container.shapes import Inspected


class Inventory:
    """One engine. Changes nothing. Raises Unavailable."""

    def __init__(self, address: str = "", timeout: float = 60) -> None:
        self._address = address
        self._timeout = timeout
        self._connected: docker.APIClient | None = None

    def containers(self) -> list[Inspected]:
        """All that there are, running or not; those of `compose run` are nobody's to keep."""
        with naming("containers"):
            listed = self._api.containers(all=True)
        found = []
        for one in listed:
            if one["Labels"].get(f"{LABEL}oneoff") == "True":
                continue
            with naming(f"container {one['Id'][:12]}"), suppress(docker.errors.NotFound):  # gone since the list was made
                inspected: Mapping[str, Any] = self._api.inspect_container(one["Id"])
                titles = self._titles(one["Id"]) if inspected["State"]["Running"] else ()
                found.append(Inspected.of(inspected, titles, self._digests(inspected["Image"])))
        return sorted(found, key=lambda one: one.container.name)

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _titles(self, container: str) -> tuple[str, ...]:
        with suppress(docker.errors.APIError):  # it ended meanwhile
            return tuple(row[-1] for row in self._api.top(container, ps_args="-eo pid,args")["Processes"] or ())
        return ()

    def _digests(self, image: str) -> tuple[str, ...]:
        with suppress(docker.errors.ImageNotFound, docker.errors.NotFound):
            return tuple(self._api.inspect_image(image).get("RepoDigests") or ())  # type: ignore[no-untyped-call]
        return ()

    @property
    def _api(self) -> docker.APIClient:
        if self._connected is None:
            self._connected = connect(self._address, self._timeout)
        return self._connected
