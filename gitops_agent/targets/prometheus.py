"""`prometheus`: its configuration, rules and file targets, checked by promtool, reloaded, and seen to be loaded by its metrics."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple

from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target.checked import in_one_line
from gitops_agent.file_target.complaint import complaint
from gitops_agent.file_target.server import ServerSettings, ServerTarget
from gitops_agent.model import Health, HealthStatus

_PAUSE = 0.05
"""Seconds between looks at the metrics."""
_OFF = "start it with --web.enable-lifecycle, or let `reload` in agent.toml send it SIGHUP"
_ELSEWHERE = re.compile(r'(?:file|dir\w*) "?/.*(?:no such file|permission denied)', re.IGNORECASE)


class _Loaded(NamedTuple):
    """What Prometheus says of its last reload; `at` is in seconds since 1970."""

    successful: bool
    at: float


class PrometheusTarget(ServerTarget):
    class Settings(ServerSettings):
        address: str = "http://127.0.0.1:9090"
        """Address of Prometheus, with the path of its `--web.external-url` if it has one."""
        config: str = "prometheus.yml"
        """The main configuration file, one of the folder."""
        check: tuple[str, ...] = ("promtool", "check", "config", "{staged}/{config}")
        """Command that looks at the files before they are published; `{staged}` stands for a directory that holds them as they
        will be, `{config}` for the main file's name. promtool also looks for the files that the configuration names (credentials,
        certificates): where only Prometheus' container has those, run it there, or with `--syntax-only`, which leaves out the
        rules too."""

    settings: Settings
    ready = "/-/ready"
    _before: _Loaded | None = None

    def verdict(self, output: str, staged: Path) -> AgentError:
        """Said as `FAILED: parsing YAML file F: yaml: …`, or `F: LINE:COLUMN: …` of a rule."""
        output = re.sub(r"(?m)^\s*(?:Checking|SUCCESS).*$", "", output)
        output = re.sub(r"(: *\d+):\d+: ", r"\1: ", output).replace("FAILED:", "").replace("parsing YAML file", "")
        said = complaint(in_one_line(output), staged)
        if f"{staged}/" not in output and _ELSEWHERE.search(output):
            # Something outside the folder that the configuration names: it may be there tomorrow.
            return Unavailable(f"promtool: {said}")
        if (staged / said.file).is_file():
            return said
        return InvalidRevision(f"{said.file}: {said.message}" if said.file else said.message, file=self.settings.config)

    def reload(self) -> None:
        self._before = self._loaded() if self.api.listens() else None
        if self.settings.reload:
            self.run_reload()
        elif self._before is not None:
            self.told("/-/reload", _OFF)

    def verify(self) -> None:
        before = self._before
        if before is None:  # it opens its port before it reads its configuration: what it reads is what is published
            return
        deadline = time.monotonic() + self.settings.reload_timeout
        while (now := self._loaded()).at <= before.at or not now.successful:
            if before.successful and not now.successful:
                raise ApplyFailed("prometheus refused the new files (prometheus_config_last_reload_successful is 0)")
            if time.monotonic() > deadline:
                raise ApplyFailed(f"prometheus has not reloaded its configuration within {self.settings.reload_timeout:g} s")
            time.sleep(_PAUSE)

    def health(self) -> Health:
        health = super().health()
        if health.status is HealthStatus.HEALTHY and not self._loaded().successful:
            return Health(HealthStatus.DEGRADED, "prometheus refused its files at the last reload and still uses older ones")
        return health

    def _loaded(self) -> _Loaded:
        successful = self.metric("prometheus_config_last_reload_successful")
        return _Loaded(bool(successful), self.metric("prometheus_config_last_reload_success_timestamp_seconds") or 0)


TARGET = PrometheusTarget
