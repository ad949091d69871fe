"""The agent itself: git, its directory, whether it runs, and the files that agent.toml names."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from gitops_agent import process
from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings, Repair
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.settings import AgentSettings
from gitops_agent.settings.models import EnvironmentSettings

_OTHERS, _EVERYBODY = 0o077, 0o007
_FILES = ("token_file", "ssh_key_file", "webhook_secret_file", "notify_file")


def look(settings: AgentSettings) -> Findings:
    yield _git()
    yield _state(settings.state)
    yield _process(settings)


def files(environment: EnvironmentSettings) -> Findings:
    """What one environment needs on this host."""
    for setting in _FILES:
        if (file := getattr(environment, setting)) is not None:
            yield _private(setting, file)
    if (refs := environment.refs) is not None:
        there = (refs / "refs").is_dir()
        said, remedy = (
            (str(refs), "") if there else (f"{refs} is no bare repository", "set `refs` in agent.toml to one, or leave it out")
        )
        yield Finding("files", "refs", there, said, remedy)


def _git() -> Finding:
    try:
        return Finding("agent", "git", True, process.run(["git", "--version"], timeout=10).text.strip())
    except AgentError as error:
        return Finding("agent", "git", False, str(error), "apt-get install git")


def _state(directory: Path) -> Finding:
    if not directory.exists():
        return Finding("agent", "state", True, f"{directory} will be made at the first start")
    if directory.stat().st_mode & _OTHERS:
        return _closing("state", directory, 0o700, f"{directory} can be read by others")
    if not os.access(directory, os.W_OK):
        return Finding("agent", "state", False, f"{directory} cannot be written", f"chown --recursive USER {directory}")
    return Finding("agent", "state", True, str(directory))


def _process(settings: AgentSettings) -> Finding:
    with closing(Api("gitops-agent", settings.serve.reachable, timeout=5)) as api:
        try:
            answer = api.call("GET", "/readyz", accept=(503,))
        except Unavailable:
            return Finding("agent", "process", True, f"is not running at {settings.serve.listen}")
    if not isinstance(answer.data, dict):
        remedy = f"ss --listening --tcp --processes 'sport = {settings.serve.listen.rpartition(':')[2]}'"
        return Finding("agent", "process", False, f"another program answers at {settings.serve.listen}", remedy)
    reasons = answer.data.get("reasons", {})
    if reasons:
        said = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        return Finding("agent", "process", False, said, "gitops-agent status")
    return Finding("agent", "process", True, f"is running and ready at {settings.serve.listen}")


def _private(setting: str, file: Path) -> Finding:
    try:
        if not file.read_text().strip():
            return Finding("files", setting, False, f"{file} is empty", f"put the secret into {file}")
        if file.stat().st_mode & _EVERYBODY:
            return _closing(setting, file, 0o600, f"{file} can be read by everybody", system="files")
    except OSError as error:
        return Finding("files", setting, False, f"{file}: {error.strerror}", f"install -m 600 /dev/stdin {file}")
    return Finding("files", setting, True, str(file))


def _closing(what: str, path: Path, mode: int, said: str, *, system: str = "agent") -> Finding:
    """Its owner keeps it, everybody else is shut out."""
    command = f"chmod {mode:o} {path}"

    def make() -> None:
        try:
            path.chmod(mode)
        except OSError as error:
            raise Unavailable(f"{command}: {error.strerror}") from None

    return Finding(system, what, False, said, command, Repair(command, make))
