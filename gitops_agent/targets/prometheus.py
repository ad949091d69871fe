"""`prometheus`: its configuration, rules and file targets, checked by promtool, reloaded, and seen to be loaded by its metrics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gitops_agent.errors import AgentError, InvalidRevision, Unavailable
from gitops_agent.file_target.checked import in_one_line
from gitops_agent.file_target.complaint import complaint
from gitops_agent.file_target.reloaded import ReloadedTarget
from gitops_agent.file_target.server import ServerSettings
from gitops_agent.model import Files

_RULES = re.compile(rb"^groups:", re.MULTILINE)
_ELSEWHERE = re.compile(r'(?:file|dir\w*) "?/.*(?:no such file|permission denied)', re.IGNORECASE)


class PrometheusTarget(ReloadedTarget):
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
    successful = "prometheus_config_last_reload_successful"
    at = "prometheus_config_last_reload_success_timestamp_seconds"
    off = "start it with --web.enable-lifecycle, or let `reload` in agent.toml send it SIGHUP"

    def rehearsals(self, files: Files) -> Sequence[Sequence[str]]:
        """Files that the configuration names are elsewhere, so it is read for itself, and so are the rules."""
        rules = [f"{{staged}}/{path}" for path, content in files.items() if _RULES.search(content)]
        looks = [("promtool", "check", "config", "--syntax-only", "{staged}/{config}")]
        return [*looks, ("promtool", "check", "rules", *rules)] if rules else looks

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


TARGET = PrometheusTarget
