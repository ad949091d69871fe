"""All systems at once, none for longer than the time that is given: one that hangs must not keep the others from being told."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from gitops_agent.doctor import concourse, consul, disk, gitea, grafana, hostnames, logs, nomad, prometheus, vault
from gitops_agent.doctor.finding import Finding
from gitops_agent.errors import AgentError
from gitops_agent.model import Value
from gitops_agent.settings import AgentSettings
from gitops_agent.targets.gitea.settings import GiteaSettings

Look = Callable[[], Iterable[Finding]]
_KINDS: Mapping[str, Callable[[Any], Iterable[Finding]]] = {
    "concourse": concourse.look,
    "consul": consul.look,
    "grafana": grafana.look,
    "loki": logs.loki,
    "nomad": nomad.look,
    "prometheus": prometheus.look,
    "promtail": logs.promtail,
    "vault": vault.look,
}
_TOKENS: Mapping[str, Callable[[Any, Path], Iterable[Finding]]] = {
    "consul": consul.tokens,
    "nomad": nomad.tokens,
    "vault": vault.tokens,
}


def examine(settings: AgentSettings, environment: str, values: Mapping[str, Value], limit: float = 8) -> Iterator[Finding]:
    """What is found in the systems of an environment, in the order of targets, after `limit` seconds at most. `values` are those
    of the config repo; without `hostnames` among them no hostname is looked at."""
    looks = dict(_looks(settings, environment, values))
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()

    def ask(name: str, look: Look) -> None:
        answers.put((name, _findings(name, look)))

    for asked in looks.items():  # daemons: one that hangs ends with the command
        threading.Thread(target=ask, args=asked, name=f"doctor {asked[0]}", daemon=True).start()
    end = time.monotonic() + limit
    found: dict[str, list[Finding]] = {}
    while len(found) < len(looks):
        try:
            name, findings = answers.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            break
        found[name] = findings
    for name in looks:
        yield from found.get(name, [Finding(name, "answers", False, f"did not answer within {limit:.0f} s", _restart(name))])


def _looks(settings: AgentSettings, environment: str, values: Mapping[str, Value]) -> Iterator[tuple[str, Look]]:
    directories = {"state": settings.state}
    for target in settings.environments[environment].targets:
        if target.kind in _KINDS:
            yield target.name, partial(_KINDS[target.kind], target)
        if isinstance(target, GiteaSettings):
            yield target.name, partial(gitea.look, target, settings.serve)
        if (directory := getattr(target, "directory", None)) is not None:
            directories[target.name] = directory
        if target.kind in _TOKENS:
            store = settings.secrets.directory or settings.state / "secrets"
            yield f"{target.name} tokens", partial(_TOKENS[target.kind], target, store)
    yield "disk", partial(disk.look, directories.values())
    if values.get("hostnames"):
        yield "hostnames", partial(hostnames.look, values)


def _findings(name: str, look: Look) -> list[Finding]:
    findings: list[Finding] = []
    try:
        findings.extend(look())
    except AgentError as error:
        findings.append(Finding(name, "answers", False, str(error), _restart(name)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        findings.append(Finding(name, "answers", False, f"answered something strange: {type(error).__name__}: {error}"))
    return findings


def _restart(name: str) -> str:
    return f"docker ps --all --filter label=com.docker.compose.service={name.partition(' ')[0]}; docker logs of that container"
