"""Settings of the targets that look after files: in place, so that nothing that mounts them notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitops_agent.adopt.areas import Area
from gitops_agent.adopt.landscape import Landscape, Service
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.mounts import Mounts
from gitops_agent.adopt.project import Project
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.tables import Table
from gitops_agent.model import Files

Has = Callable[[str, str], bool]
"""Whether a container (by name) has a program."""
Try = Callable[[Table, Files], str]
"""What a target of that table has against the files, or is not well with; empty where it is fine."""
_CHECKS = {
    "prometheus": ("promtool", "check", "config", "{staged}/{config}"),
    "loki": ("loki", "-config.file={staged}/{config}", "-verify-config"),
    "promtail": ("promtail", "-config.file={staged}/{config}", "-check-syntax"),
    "alloy": ("alloy", "validate", "{staged}/{config}"),
    "consul-template": ("consul-template", "-config", "{staged}/{config}", "-parse-only", "-dry", "-pid-file", "/tmp/check.pid"),  # noqa: S108
}
"""What each kind's own check would run, if the program were where the agent is."""


class FileTables:
    def __init__(
        self,
        landscape: Landscape,
        mounts: Mounts,
        reaching: Reaching,
        credentials: Mapping[str, Path],
        has: Has,
        try_: Try,
        left: Left,
    ) -> None:
        self._landscape = landscape
        self._mounts = mounts
        self._reaching = reaching
        self._credentials = credentials
        self._has = has
        self._try = try_
        self._left = left

    def of(self, area: Area) -> Table:
        """Of the program's own kind where the agent can reach it and knows its main file, of kind `files` otherwise."""
        program = area.service.program
        kind = program.kind if program else "files"
        settings: dict[str, Any] = {"directory": area.directory, "publish": "in-place", "secrets": ["file:*"]}
        written = self._written(area.directory)
        if written:
            settings["ignore"] = [_pattern(path, area.directory) for path in written]
        if kind == "nginx":
            return Table(kind, area.name, {**settings, **self._nginx(area, written)})
        fallback = Table("files", area.name, {**settings, **_told(area)})
        if kind == "files":
            return fallback
        more, missing = self._served(area, kind)
        table = Table(kind, area.name, {**settings, **more})
        missing = missing or self._try(table, area.files)
        if missing:
            self._left.add(Why.ATTENTION, area.name, f"is a target of kind files, not {kind}: {missing}")
            return fallback
        if table.settings.get("check") == []:
            self._left.add(Why.ATTENTION, area.name, "nobody checks its files before they are published: its image has no checker")
        return table

    def project(self, project: Project, areas: Sequence[Area]) -> Table:
        """`ignore` leaves to other targets what is theirs, and to programs what they write."""
        directory = project.directory
        inside = [area.directory for area in areas if area.directory.is_relative_to(directory)]
        others = [path for path in self._written(directory) if not any(path.is_relative_to(place) for place in inside)]
        ignored = [_pattern(path, directory) for path in [*inside, *others]]
        settings: dict[str, Any] = {"directory": directory, "project": self._landscape.project}
        if self._landscape.files != ("compose.yaml",):
            settings["files"] = self._landscape.files
        if any("build" in service for service in project.declared.values()):
            settings["allow_build"] = True
        return Table("compose", "compose", {**settings, **({"ignore": ignored} if ignored else {}), "secrets": ["file:*"]})

    def _written(self, directory: Path) -> list[Path]:
        below = sorted(path for path in self._mounts.written if path.is_relative_to(directory) and path != directory)
        return [path for path in below if not any(path != other and path.is_relative_to(other) for other in below)]

    def _nginx(self, area: Area, written: Sequence[Path]) -> dict[str, Any]:
        service, program = area.service, area.service.program
        seen = program.main_file(service.found) if program else ""
        settings: dict[str, Any] = {"container": f"{self._landscape.project}/{service.name}", "config": _main(area, seen) or seen}
        if program and (prefix := program.option(service.found, "-p")):
            settings["prefix"] = prefix
        read = [path if path.is_dir() else path.parent for path in written]
        mine = {area.directory / path for path in area.files}
        reads = [path for path in dict.fromkeys(read) if not any(file.is_relative_to(path) for file in mine)]
        return {**settings, "reads": reads} if reads else settings

    def _grafana(self, service: Service) -> tuple[dict[str, Any], str]:
        """Its provisioning has no main file, and Grafana lets only a server administrator reload it."""
        password = self._credentials.get("grafana")
        address = self._reaching.address(service)
        if password is None or not address:
            return {}, "an administrator's --grafana-password is needed" if address else "nothing answers at its port"
        user = service.variable("GF_SECURITY_ADMIN_USER") or "admin"
        return {"address": address, "username": user, "password_file": password}, ""

    def _served(self, area: Area, kind: str) -> tuple[dict[str, Any], str]:
        """The kind's settings, or why it cannot be used."""
        service, program = area.service, area.service.program
        settings: dict[str, Any] = {}
        if program is None:
            return settings, "its program is not known"
        if kind == "grafana":
            return self._grafana(service)
        config = _main(area, program.main_file(service.found))
        if not config:
            return {}, "its main file is not in the directory"
        settings["config"] = config
        if program.port:
            settings["address"] = self._reaching.address(service)
            if not settings["address"]:
                return {}, f"nothing answers at port {program.port}"
        if area.seen_as is not None and str(area.seen_as) != str(area.directory):
            settings["seen_as"] = area.seen_as
        if kind == "consul-template":
            settings["renders"] = [path for path in self._mounts.written if path.is_file()]
        tool = _CHECKS[kind][0]
        if self._has(service.container, tool):
            run = ("docker", "run", "--rm", "--user", "0", "--volume", "{staged}:{staged}:ro", "--entrypoint", tool)
            settings["check"] = [*run, service.found.reference, *_CHECKS[kind][1:]]
        else:
            settings["check"] = []
        lifecycle = "--web.enable-lifecycle" in service.found.command
        return {**settings, **({} if lifecycle else _told(area))}, ""


def _told(area: Area) -> dict[str, Any]:
    program = area.service.program
    return {"reload": ["docker", *program.told, area.service.container]} if program and program.told else {}


def _main(area: Area, seen: str) -> str:
    """The main file as a path of the area; empty where it is the container's own."""
    outside = area.service.outside(seen) if seen else None
    below = str(outside.relative_to(area.directory)) if outside and outside.is_relative_to(area.directory) else ""
    return below if below in area.files else ""


def _pattern(path: Path, directory: Path) -> str:
    below = path.relative_to(directory)
    return f"{below}/*" if path.is_dir() or not path.exists() else str(below)
