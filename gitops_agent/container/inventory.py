"""Every container of an engine with all that says how it was made: for looking at what nobody has described yet."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gitops_agent.container.connection import connect, naming, unless_gone
from gitops_agent.container.members import LABEL
from gitops_agent.container.shapes import Inspected

if TYPE_CHECKING:
    import docker


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
            with naming(f"container {one['Id'][:12]}"), unless_gone():  # gone since the list was made
                inspected: Mapping[str, Any] = self._api.inspect_container(one["Id"])
                titles = self._titles(one["Id"]) if inspected["State"]["Running"] else ()
                found.append(Inspected.of(inspected, titles, self._image(inspected["Image"])))
        return sorted(found, key=lambda one: one.container.name)

    def names(self, container: str, directory: str) -> frozenset[str]:
        """What lies in a directory of a container, as it sees it; nothing where there is none. Raises Unavailable."""
        found: set[str] = set()
        with naming(f"{directory} of {container[:12]}"), unless_gone():
            chunks, _ = self._api.get_archive(container, f"{directory}/.")
            packed = io.BytesIO(b"".join(chunks))
            with tarfile.open(fileobj=packed) as tar:
                found = {member.name.removeprefix("./").partition("/")[0] for member in tar}
        return frozenset(found - {"", "."})

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _titles(self, container: str) -> tuple[str, ...]:
        from docker.errors import APIError

        with suppress(APIError):  # it ended meanwhile
            return tuple(row[-1] for row in self._api.top(container, ps_args="-eo pid,args")["Processes"] or ())
        return ()

    def _image(self, image: str) -> Mapping[str, Any]:
        """Nothing where it was removed meanwhile."""
        with unless_gone():
            found: Mapping[str, Any] = self._api.inspect_image(image)  # type: ignore[no-untyped-call]
            return found
        return {}

    @property
    def _api(self) -> docker.APIClient:
        if self._connected is None:
            self._connected = connect(self._address, self._timeout)
        return self._connected
