"""What an engine holds of one Compose project: found by its labels, in one list call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gitops_agent.container.connection import connect, image_id, naming, unless_gone
from gitops_agent.container.members import LABEL, Life, Member, member, seconds
from gitops_agent.container.shapes import Container, Mount

if TYPE_CHECKING:
    import docker


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
        return [member(found) for found in listed if found["Labels"].get(f"{LABEL}oneoff") != "True"]

    def clock(self) -> float:
        """The time on the engine's machine, in seconds since 1970."""
        with naming("its time"):
            return seconds(str(self._api.info()["SystemTime"]))

    def networks(self) -> Mapping[str, str]:
        """Names of its networks by what the project calls them."""
        with naming(f"networks of {self._project}"):
            return {found["Labels"][f"{LABEL}network"]: found["Name"] for found in self._api.networks(filters=self._mine)}

    def volumes(self) -> Mapping[str, str]:
        """Names of its volumes by what the project calls them."""
        with naming(f"volumes of {self._project}"):
            found = self._api.volumes(filters=self._mine)["Volumes"] or ()
        return {volume["Labels"][f"{LABEL}volume"]: volume["Name"] for volume in found}

    def volume_exists(self, name: str) -> bool:
        with naming(f"volume {name}"), unless_gone():
            self._api.inspect_volume(name)
            return True
        return False

    def life(self, container: str) -> Life:
        with naming(f"container {container[:12]}"):
            found = self._api.inspect_container(container)
        return Life(seconds(found["State"]["StartedAt"]), int(found["RestartCount"]), str(found["Config"]["Image"]))

    def mounts(self, container: str) -> tuple[Mount, ...] | None:
        """None where the engine does not know the container: it is another engine's."""
        with naming(f"container {container[:12]}"), unless_gone():
            return Container.of(self._api.inspect_container(container)).mounts
        return None

    def inspected(self, container: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """All that the engine says of a container, and of the image that it runs."""
        with naming(f"container {container[:12]}"):
            found = self._api.inspect_container(container)
            image: Mapping[str, Any] = self._api.inspect_image(found["Image"])  # type: ignore[no-untyped-call]
        return found, image

    def image(self, reference: str) -> str:
        """ID of the image that the reference (or ID) means on this host; empty where there is none."""
        return image_id(self._api, reference)

    def tag(self, image: str, reference: str) -> None:
        """Lets the reference mean this image on this host."""
        repository, colon, tag = reference.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = reference, "latest"
        with naming(f"tag {reference}"):
            self._api.tag(image, repository, tag, force=True)

    def restart(self, container: str) -> None:
        with naming(f"restart of {container[:12]}"):
            # `restart` of the API would stop it with a grace period of its own.
            self._api.stop(container, timeout=None)
            self._api.start(container)

    def unpause(self, container: str) -> None:
        with naming(f"unpausing {container[:12]}"):
            self._api.unpause(container)

    def remove(self, container: str) -> None:
        """Stops it as it wants to be stopped, and removes it; its volumes stay."""
        with naming(f"removal of {container[:12]}"), unless_gone():
            self._api.stop(container, timeout=None)
            self._api.remove_container(container, force=True)

    def remove_network(self, name: str) -> None:
        with naming(f"removal of network {name}"), unless_gone():
            self._api.remove_network(name)

    def remove_volume(self, name: str) -> None:
        with naming(f"removal of volume {name}"), unless_gone():
            self._api.remove_volume(name)

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    @property
    def _mine(self) -> dict[str, list[str]]:
        return {"label": [f"{LABEL}project={self._project}"]}

    @property
    def _api(self) -> docker.APIClient:
        if self._connected is None:
            self._connected = connect(self._address, self._timeout)
        return self._connected
