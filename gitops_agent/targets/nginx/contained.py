"""nginx in a container."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from gitops_agent.container.engine import Engine
from gitops_agent.container.shapes import Container
from gitops_agent.errors import ApplyFailed, CommandFailed, Unavailable
from gitops_agent.file_target import tree
from gitops_agent.targets.nginx.mounts import PublishedMounts
from gitops_agent.targets.nginx.program import Nginx, Presence, Sight, is_master, is_starting, processes, takes_connections
from gitops_agent.targets.nginx.settings import NginxSettings
from gitops_agent.targets.nginx.verdict import judge


class ContainedNginx(Nginx):
    """Checks in a throw-away container of the same image, in the same network, that mounts the staged files where the running one
    mounts the published ones: absolute includes, names, certificates and modules are what they will be."""

    pause = 0.02

    def __init__(self, settings: NginxSettings, live: Path) -> None:
        self._settings = settings
        self._live = live
        self._engine = Engine(settings.docker, settings.timeout)
        self._container: Container | None = None
        self._reloaded = 0.0

    def test(self, staged: Path) -> None:
        container = self._find()
        if container is None:
            return  # nothing to check with before it exists; health says so
        mounts = PublishedMounts(container.mounts, self._settings.directory, self._live)
        root = self._root(staged)
        command = [self._settings.binary, "-t", "-q", *self._prefix, "-c", self._config(mounts)]
        try:
            done = self._engine.check(container, command, list(mounts.staged(root)), timeout=self._settings.check_timeout)
        except (CommandFailed, ApplyFailed) as error:
            raise Unavailable(f"nginx -t: {error}") from None
        if done.status:
            raise judge(done.output, lambda path: self._ours(mounts, path))

    def look(self) -> Sight:
        container = self._find()
        if container is None:
            return Sight(Presence.ABSENT)
        if not container.running:
            return Sight(Presence.STOPPED)
        try:
            titles = processes(partial(self._engine.titles, container), self._is_nginx)
        except Unavailable:
            if (again := self._find()) and again.running:
                raise
            return Sight(Presence.STOPPED)  # it ended between the two questions
        master = next((pid for pid, title in titles.items() if is_master(title)), 0)
        if not master:
            return Sight(Presence.STARTING if any(map(self._is_nginx, titles.values())) else Presence.STOPPED)
        found = ((pid, takes_connections(title)) for pid, title in titles.items())
        return Sight(Presence.RUNNING, {pid: takes for pid, takes in found if takes is not None}, master)

    def reload(self, sight: Sight) -> None:
        container = self._container
        if container is None:
            raise ApplyFailed("nginx's container was removed before it could be reloaded")
        self._reloaded = time.time()
        if sight.master == container.pid:
            self._engine.signal(container, "HUP")
            return
        # A shell as process 1 would swallow the signal.
        mounts = PublishedMounts(container.mounts, self._settings.directory, self._live)
        command = [self._settings.binary, *self._prefix, "-c", self._config(mounts), "-s", "reload"]
        done = self._engine.execute(container, command, timeout=self._settings.timeout)
        if done.status:
            raise CommandFailed(f"nginx -s reload: {_last(done.output)}", output=done.output, status=done.status)

    def complaints(self) -> str:
        return self._engine.logs(self._container, self._reloaded) if self._container and self._reloaded else ""

    def close(self) -> None:
        self._engine.close()

    def _is_nginx(self, title: str) -> bool:
        return is_master(title) or is_starting(title, self._settings.binary)

    @property
    def _prefix(self) -> list[str]:
        return ["-p", self._settings.prefix] if self._settings.prefix else []

    def _find(self) -> Container | None:
        self._container = self._engine.find(self._settings.container)
        return self._container

    def _config(self, mounts: PublishedMounts) -> str:
        config = self._settings.config
        return config if config.startswith("/") else str(mounts.inside(self._live / config))

    def _root(self, staged: Path) -> Path:
        """A copy of the mounted directory around the staged files: what programs write beside the links belongs to it."""
        if self._live == self._settings.directory:
            return staged
        for entry in self._settings.directory.iterdir():
            if entry.name not in ("current", "loaded", "versions", tree.PRIVATE):
                tree.copy_any(entry, staged.parent / entry.name)
        return staged.parent

    def _ours(self, mounts: PublishedMounts, path: str) -> str | None:
        outside = mounts.outside(path)
        return str(outside.relative_to(self._live)) if outside and outside.is_relative_to(self._live) else None


def _last(output: str) -> str:
    return next((line for line in reversed(output.splitlines()) if line.strip()), "no output").strip()
