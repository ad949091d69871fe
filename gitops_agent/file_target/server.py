"""What kinds share whose program reads files and answers over HTTP: Prometheus, Loki, Promtail, Grafana."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import field_validator

from gitops_agent.api import Answer, Api
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.file_target.checked import CheckedSettings, CheckedTarget
from gitops_agent.model import HEALTHY, Health, HealthStatus
from gitops_agent.secret import mask


class ServerSettings(CheckedSettings):
    """A kind gives `address`, `config` and `check` their defaults."""

    address: str
    """The program's address: `http://127.0.0.1:9090`, `https://monitoring.example.org/prometheus`."""
    username: str = ""
    """User name, where it asks for one; with `password_file`."""
    password_file: Path | None = None
    """File with that user's password, read for each request."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""

    @field_validator("address")
    @classmethod
    def _http(cls, address: str) -> str:
        if not re.match(r"https?://[^/]", address):
            raise ValueError("must begin with http:// or https://")
        return address.rstrip("/")


class ServerTarget(CheckedTarget):
    """A kind says how to `reload` and `verify`."""

    class Settings(ServerSettings):
        """A kind adds its own fields here."""

    settings: ServerSettings
    ready: ClassVar[str] = "/ready"
    """Path that answers 200 once the program works."""

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

    def _login(self) -> dict[str, str]:
        if self.settings.password_file is None:
            return {}
        try:
            password = self.settings.password_file.read_text().strip()
        except OSError as error:
            raise Unavailable(f"{self.settings.password_file}: {error.strerror}") from None
        return {"Authorization": "Basic " + base64.b64encode(f"{self.settings.username}:{password}".encode()).decode()}
