"""nginx as a target."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import FileTarget
from gitops_agent.model import Files, Health, HealthStatus, State
from gitops_agent.target import Site
from gitops_agent.targets.nginx import generation
from gitops_agent.targets.nginx.local import LocalNginx
from gitops_agent.targets.nginx.program import Nginx, Presence, Sight
from gitops_agent.targets.nginx.rehearsal import rehearse
from gitops_agent.targets.nginx.settings import NginxSettings

_log = logging.getLogger(__name__)
_LOOK = 5.0
"""Seconds between looks for reloads that are not ours."""


class NginxTarget(FileTarget):
    class Settings(NginxSettings):
        """All of them are in settings.py."""

    settings: Settings

    def __init__(self, settings: Settings, site: Site) -> None:
        super().__init__(settings, site)
        self.nginx: Nginx = _nginx(settings, self.publisher.live)
        self._before: Mapping[int, bool] | None = None
        self._foreign = generation.ForeignReloads()
        self._loop = ""

    def parse(self, files: Files) -> State:
        main = self.settings.config
        if not PurePosixPath(main).is_absolute() and main not in files:
            raise InvalidRevision(f"has no {main}; `config` in agent.toml names the main configuration file", file=main)
        return super().parse(files)

    def check(self, staged: Path) -> None:
        self.nginx.test(staged)

    def rehearse(self, files: Files, directory: Path) -> str:
        if PurePosixPath(self.settings.config).is_absolute():
            return ""  # what includes these files is not here
        rehearse(files, self.settings.config, self.publisher.live, directory)
        return "nginx"

    def edit(self, staged: Path, content: bytes) -> bytes:
        return self.nginx.edit(staged, content)

    def reload(self) -> None:
        self._foreign.ours()
        self._before = generation.reload(self.nginx, self.settings.reload_timeout)

    def verify(self) -> None:
        if self._before is None:
            return
        try:
            self._foreign.ours(generation.verify(self.nginx, self._before, self.settings.reload_timeout))
        except ApplyFailed as error:
            raise ApplyFailed(str(error).replace(f"{self.publisher.live}/", "")) from None

    def health(self) -> Health:
        sight = self.nginx.look()
        presence = sight.presence
        if presence is Presence.ABSENT:
            return Health(HealthStatus.HEALTHY, f"container {self.settings.container} does not exist yet and will read the files")
        if presence is Presence.STARTING:
            return Health(HealthStatus.PROGRESSING, "nginx is starting")
        if presence is Presence.STOPPED:
            return Health(HealthStatus.PROGRESSING if self.settings.container else HealthStatus.DEGRADED, "nginx is not running")
        if not self.publisher.settled():
            return Health(HealthStatus.DEGRADED, "nginx has not loaded what is published")
        return Health(HealthStatus.HEALTHY, self._look_for_others(sight))

    def watch(self) -> Iterator[str]:
        """Also looks, now and then, whether somebody else reloads nginx all the time."""
        nginx, looked = _nginx(self.settings, self.publisher.live), 0.0  # connections are for one thread each
        try:
            for reason in super().watch():
                yield reason
                if time.monotonic() - looked > _LOOK:
                    looked = time.monotonic()
                    with suppress(Unavailable):
                        self._look_for_others(nginx.look())
        finally:
            nginx.close()

    def _look_for_others(self, sight: Sight) -> str:
        loop = self._foreign.look(sight.workers)
        if loop and not self._loop:
            _log.warning(loop, extra={"target": self.name})
        self._loop = loop
        return loop

    def close(self) -> None:
        self.nginx.close()


def _nginx(settings: NginxSettings, live: Path) -> Nginx:
    if not settings.container:
        return LocalNginx(settings, live)
    # The Docker SDK takes as long to import as everything else together.
    from gitops_agent.targets.nginx.contained import ContainedNginx

    return ContainedNginx(settings, live)
