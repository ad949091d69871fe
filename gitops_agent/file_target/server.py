"""What kinds share whose program reads files and answers over HTTP: Prometheus, Loki, Promtail, Grafana."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from gitops_agent.api import Answer, Api
from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import commands
from gitops_agent.file_target.complaint import complaint
from gitops_agent.file_target.moved import moved
from gitops_agent.file_target.settings import FileTargetSettings
from gitops_agent.file_target.target import FileTarget
from gitops_agent.model import HEALTHY, Files, Health, HealthStatus, State
from gitops_agent.secret import mask
from gitops_agent.target import Seconds


def in_one_line(output: str) -> str:
    """Go's YAML library says `F: yaml: unmarshal errors:`, and the line's number in the line below."""
    return re.sub(r"yaml: (?:unmarshal errors:\s+)?line ", "line ", output)


class ServerSettings(FileTargetSettings):
    """A kind gives `address` and `check` their defaults."""

    address: str
    """The program's address: `http://127.0.0.1:9090`, `https://monitoring.example.org/prometheus`."""
    config: str = ""
    """The main configuration file, one of the folder; where unset, there is none."""
    username: str = ""
    """User name, where it asks for one; with `password_file`."""
    password_file: Path | None = None
    """File with that user's password, read for each request."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
    seen_as: Path | None = None
    """Where the program sees `directory`, if elsewhere: the path in its container. In the copy that is checked, paths that begin
    with it lead to the copy."""
    check: tuple[str, ...] = ()
    """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
    as they will be, `{config}` for the name above. An empty list checks nothing."""
    check_timeout: Seconds = Field(default=30, gt=0)
    """Seconds for `check`."""
    reload: tuple[str, ...] = ()
    """Command that makes the program read its files, as a list, where it is not to be told over HTTP: a signal, or a restart."""
    reload_timeout: Seconds = Field(default=30, gt=0)
    """Seconds until the program must be seen to use what was published."""

    @field_validator("address")
    @classmethod
    def _http(cls, address: str) -> str:
        if not re.match(r"https?://[^/]", address):
            raise ValueError("must begin with http:// or https://")
        return address.rstrip("/")


class ServerTarget(FileTarget):
    """A kind says how to `reload` and `verify`; the check is the command of its settings."""

    class Settings(ServerSettings):
        """A kind adds its own fields here."""

    settings: ServerSettings
    ready: ClassVar[str] = "/ready"
    """Path that answers 200 once the program works."""

    def parse(self, files: Files) -> State:
        if self.settings.config and self.settings.config not in files:
            raise InvalidRevision("is missing; `config` in agent.toml names the main configuration file", file=self.settings.config)
        return super().parse(files)

    @property
    def checks(self) -> bool:
        return bool(self.settings.check)

    def check(self, staged: Path) -> None:
        status, output = commands.look(self._filled(self.settings.check, staged), timeout=self.settings.check_timeout)
        if status:
            raise self.verdict(output, staged)

    def verdict(self, output: str, staged: Path) -> AgentError:
        """What the checker's output means; see `check`."""
        return complaint(in_one_line(output), staged)

    def edit(self, staged: Path, content: bytes) -> bytes:
        content = moved(content, self.publisher.live, staged)
        if self.settings.seen_as is not None:
            below = self.publisher.live.relative_to(self.settings.directory)
            content = moved(content, self.settings.seen_as / below, staged)
        return content

    @cached_property
    def api(self) -> Api:
        return Api(self.settings.kind, self.settings.address, timeout=self.settings.timeout, ca_file=self.settings.ca_file)

    def call(self, method: str, path: str, accept: Collection[int] = ()) -> Answer:
        """As Api.call, logged in."""
        return self.api.call(method, path, headers=self._login(), accept=accept)

    def told(self, path: str, off: str) -> None:
        """POST to `path`, which reloads. Raises ApplyFailed with what the program says; with `off` where it has no such path."""
        answer = self.call("POST", path, accept=(400, 403, 404, 405, 500))
        if answer.status in (403, 404, 405):
            raise ApplyFailed(f"{self.settings.kind} answered {answer.status} to POST {path}: {off}")
        if answer.status >= 300:
            raise ApplyFailed(f"{self.settings.kind} refused the new files: {self.shown(answer)}")

    def shown(self, answer: Answer) -> str:
        """The body in one line, without where the files lie, without secrets."""
        said = mask(" ".join(answer.text.split())).replace(f"{self.publisher.live}/", "")
        return said[:300] or f"status {answer.status}"

    def run_reload(self) -> None:
        """The command of the settings."""
        commands.run(self._filled(self.settings.reload, self.publisher.live), timeout=self.settings.reload_timeout)

    def metric(self, name: str) -> float | None:
        """One of the program's own metrics, without labels; None where it has none of that name."""
        text = self.call("GET", "/metrics").text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else None

    def health(self) -> Health:
        if not self.api.listens():
            return Health(
                HealthStatus.PROGRESSING, f"{self.settings.kind} does not run: nothing listens at {self.settings.address}"
            )
        answer = self.call("GET", self.ready, accept=range(500, 600))
        if answer.status != 200:
            return Health(HealthStatus.PROGRESSING, f"{self.settings.kind} is not ready: {self.shown(answer)}")
        if not self.publisher.settled():
            return Health(HealthStatus.DEGRADED, f"{self.settings.kind} has not loaded what is published")
        return HEALTHY

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()

    def _filled(self, command: Sequence[str], staged: Path) -> list[str]:
        return commands.fill(command, staged=staged, directory=self.publisher.live, config=self.settings.config)

    def _login(self) -> dict[str, str]:
        if self.settings.password_file is None:
            return {}
        try:
            password = self.settings.password_file.read_text().strip()
        except OSError as error:
            raise Unavailable(f"{self.settings.password_file}: {error.strerror}") from None
        return {"Authorization": "Basic " + base64.b64encode(f"{self.settings.username}:{password}".encode()).decode()}
