"""Grafana as a target."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gitops_agent.errors import ApplyFailed
from gitops_agent.file_target import tree
from gitops_agent.file_target.restarted import RestartedTarget
from gitops_agent.file_target.server import ServerSettings
from gitops_agent.model import Files, State
from gitops_agent.target import Site
from gitops_agent.targets.grafana.declared import Declared, declared

_ALWAYS = ("datasources", "dashboards")
_WHERE_THERE = ("plugins", "access-control", "alerting")
_SECOND = 10**9
_MOST = 5000
"""Dashboards that one search gives."""


class GrafanaTarget(RestartedTarget):
    class Settings(ServerSettings):
        address: str = "http://127.0.0.1:3000"
        """Address of Grafana, with its path if it has one."""
        username: str = "admin"
        """A server administrator: Grafana lets nobody else reload, and no token. With `password_file`."""
        reload: tuple[str, ...] = ()
        """Command that restarts Grafana, as a list. Unset, it is told over HTTP."""

    settings: Settings
    ready = "/api/health"
    _told = False

    def __init__(self, settings: Settings, site: Site) -> None:
        super().__init__(settings, site)
        self._modified: dict[Path, int] = {}
        """When the dashboards that Grafana was told of last were written, in nanoseconds."""

    def parse(self, files: Files) -> State:
        declared({path: content for path, content in files.items() if not self.ignores(path)})
        return super().parse(files)

    def reload(self) -> None:
        self._before, self._told = None, False
        if self.settings.reload:
            super().reload()
        elif self.api.listens():
            self._make_younger()
            for area in (*_ALWAYS, *(area for area in _WHERE_THERE if (self.publisher.live / area).is_dir())):
                self.told(
                    f"/api/admin/provisioning/{area}/reload", "it takes a server administrator's `username` and `password_file`"
                )
            self._told = True

    def _make_younger(self) -> None:
        """Up to 7.5, Grafana takes a file that was written anew within the same second for the one that it knows."""
        modified = {}
        for path in (self.publisher.live / "dashboards").resolve().rglob("*.json"):
            now, before = path.stat().st_mtime_ns, self._modified.get(path, 0)
            if now != before and now // _SECOND <= before // _SECOND:
                now = (before // _SECOND + 1) * _SECOND
                with suppress(PermissionError):  # somebody else's file that the agent may write
                    os.utime(path, ns=(now, now))
            modified[path] = now
        self._modified = modified

    def verify(self) -> None:
        super().verify()
        if not self._told:
            return
        wanted = declared(_published(self.publisher.live))
        sources = {found["uid"]: found["name"] for found in self.call("GET", "/api/datasources").data}
        dashboards = {found["uid"]: found["title"] for found in self.call("GET", f"/api/search?type=dash-db&limit={_MOST}").data}
        missing = _missing(wanted, Declared(sources, dashboards))
        if missing:
            raise ApplyFailed(f"grafana has not taken {', '.join(missing)}: its log says why")


def _missing(wanted: Declared, found: Declared) -> list[str]:
    """What of it is not there as it should be, in words."""
    sources = [f"data source {name!r}" for uid, name in wanted.sources.items() if found.sources.get(uid) != name]
    full = len(found.dashboards) >= _MOST  # then nothing can be said of those that it does not name
    there = found.dashboards
    return sources + [
        f"dashboard {title!r}" for uid, title in wanted.dashboards.items() if there.get(uid, title if full else "") != title
    ]


def _published(live: Path) -> Files:
    found = {path: tree.read(live / path) for path in tree.walk(live)}
    return {path: file.content for path, file in found.items() if isinstance(file, tree.File)}
