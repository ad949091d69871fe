"""What the programs of a mini-cloud are known by, and what is known of them: told by their processes, not by names of images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gitops_agent.container.shapes import Inspected


@dataclass(frozen=True)
class Program:
    """`names`: of its executable, and of its images. `kind`: of the target that looks after its files; empty where the Compose
    project does. `port` is that of its API. `config`: where it reads its main file unless told by one of `options`.
    `told`: how `docker` makes it read its files again."""

    name: str
    names: tuple[str, ...]
    port: int = 0
    kind: str = ""
    config: str = ""
    options: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    data: tuple[str, ...] = field(default=())

    def main_file(self, found: Inspected) -> str:
        """Where its main configuration file is, as it sees it."""
        return next((said for option in self.options if (said := self.option(found, option))), self.config)

    def option(self, found: Inspected, name: str) -> str:
        """What one of its processes, or the command of its container, gives an option; empty where none does."""
        own = [title for title in found.titles if self._runs_as(title)]
        for words in own or [" ".join(found.command)]:
            if match := re.search(rf"(?:^|\s){re.escape(name)}[= ]\s*([^\s'\";]+)", words):
                return match[1]
        return ""

    def _runs_as(self, title: str) -> bool:
        return PurePosixPath(title.partition(" ")[0].rstrip(":")).name in self.names


_RESTART, _HANG_UP = ("restart",), ("kill", "--signal", "HUP")
_CONFIG_FILE = ("--config.file", "-config.file")
_ALL = (
    Program("nginx", ("nginx",), 80, "nginx", "/etc/nginx/nginx.conf", ("-c",)),
    Program("consul-template", ("consul-template",), 0, "consul-template", "", ("-config", "--config"), _HANG_UP),
    Program("consul", ("consul",), 8500, "files", told=_RESTART, data=("/consul/data", "/opt/consul")),
    Program("vault", ("vault", "bao", "openbao"), 8200, "files", told=_HANG_UP, data=("/vault/file", "/vault/data", "/vault/logs")),
    Program("nomad", ("nomad",), 4646, "files", told=_RESTART, data=("/nomad/data", "/opt/nomad")),
    Program(
        *("prometheus", ("prometheus",), 9090, "prometheus", "/etc/prometheus/prometheus.yml"),
        *(_CONFIG_FILE, _HANG_UP, ("/prometheus",)),
    ),
    Program("grafana", ("grafana", "grafana-server"), 3000, "grafana", told=_RESTART),
    Program("loki", ("loki",), 3100, "loki", "/etc/loki/local-config.yaml", _CONFIG_FILE, _RESTART, ("/loki",)),
    Program("promtail", ("promtail",), 9080, "promtail", "/etc/promtail/config.yml", _CONFIG_FILE, _RESTART),
    Program("alloy", ("alloy",), 12345, "alloy", "/etc/alloy/config.alloy", told=_HANG_UP),
    Program("gitea", ("gitea",), 3000),
    Program("concourse", ("concourse",), 8080),
    Program("postgres", ("postgres",), 5432),
    Program("pgadmin", ("pgadmin4", "pgadmin"), 80),
)
_BY_NAME: Mapping[str, Program] = {name: program for program in _ALL for name in program.names}


def program_of(found: Inspected) -> Program | None:
    """By its processes, then by what it was started with, then by its image. A shell around it is none."""
    words = [*(title.split() for title in found.titles), [*found.command]]
    for said in words:
        if (program := _BY_NAME.get(PurePosixPath(said[0].rstrip(":")).name if said else "")) is not None:
            return program
    started = re.findall(r"[\w./-]+", " ".join(found.command))
    image = PurePosixPath(found.reference.partition("@")[0].rpartition(":")[0] or found.reference).name
    for word in [*(PurePosixPath(word).name for word in started), image]:
        if word in _BY_NAME:
            return _BY_NAME[word]
    return None
