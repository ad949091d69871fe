"""The doctor's looks at systems that CI cannot have, at an address and with a secret: recorded on real ones, played back here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from gitops_agent.doctor import Finding, concourse, gitea, logs, nomad
from gitops_agent.settings import AgentSettings
from gitops_agent.targets.concourse.settings import ConcourseSettings
from gitops_agent.targets.gitea.settings import GiteaSettings
from gitops_agent.targets.loki import TARGET as LOKI
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.promtail import TARGET as PROMTAIL
from tests.doctor.stage import STACK

METRICS = ("promtail_sent_entries_total", "promtail_read_lines_total", "promtail_dropped_entries_total")
"""Those that the doctor reads."""
Look: TypeAlias = Callable[[str, Path, str], Iterable[Finding]]


def _kept(directory: Path, secret: str) -> Path:
    file = directory / "secret"
    file.write_text(secret)
    return file


def _gitea(url: str, directory: Path, token: str) -> Iterable[Finding]:
    settings = GiteaSettings(kind="gitea", name="gitea", address=url, token_file=_kept(directory, token))
    return gitea.look(settings, AgentSettings(state=directory), STACK)


def _nomad(url: str, directory: Path, token: str) -> Iterable[Finding]:
    return nomad.look(NomadSettings(kind="nomad", name="nomad", address=url, token_file=_kept(directory, token)), STACK)


def _concourse(url: str, directory: Path, login: str) -> Iterable[Finding]:
    name, _, password = login.partition(":")
    file = _kept(directory, password)
    settings = ConcourseSettings(kind="concourse", name="concourse", address=url, username=name, password_file=file)
    return concourse.look(settings, STACK)


def _loki(url: str, _directory: Path, _secret: str) -> Iterable[Finding]:
    table = {"kind": "loki", "name": "loki", "directory": "/x", "address": url}
    return logs.loki(LOKI.Settings.model_validate(table), STACK)


def _promtail(url: str, _directory: Path, _secret: str) -> Iterable[Finding]:
    table = {"kind": "promtail", "name": "promtail", "directory": "/x", "address": url}
    return logs.promtail(PROMTAIL.Settings.model_validate(table), STACK)


LOOKS: Mapping[str, Look] = {
    "gitea": _gitea,
    "nomad": _nomad,
    "concourse": _concourse,
    "loki": _loki,
    "promtail": _promtail,
}
