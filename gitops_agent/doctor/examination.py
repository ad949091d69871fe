"""All systems at once, none for longer than the time that is given: one that hangs must not keep the others from being told."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from gitops_agent.doctor.finding import Finding
from gitops_agent.doctor.looks import looks
from gitops_agent.doctor.stack import Stack
from gitops_agent.errors import AgentError
from gitops_agent.model import Value
from gitops_agent.settings import AgentSettings

_CONTAINERS = {"nomad": "nomad-server", "workers": "nomad-server", "concourse": "concourse-web", "hostnames": "nginx"}


def examine(settings: AgentSettings, environment: str, values: Mapping[str, Value], limit: float = 8) -> Iterator[Finding]:
    """What is found in the systems of an environment, in the order of targets, after `limit` seconds at most. `values` are those
    of the config repo; without `hostnames` among them no hostname is looked at."""
    stack, wanted = looks(settings, environment, values)
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()

    def ask(name: str, look: Callable[[], Iterable[Finding]]) -> None:
        answers.put((name, _findings(name, look, stack)))

    for asked in wanted.items():  # daemons: one that hangs ends with the command
        threading.Thread(target=ask, args=asked, name=f"doctor {asked[0]}", daemon=True).start()
    end = time.monotonic() + limit
    found: dict[str, list[Finding]] = {}
    while len(found) < len(wanted):
        try:
            name, findings = answers.get(timeout=max(end - time.monotonic(), 0.001))
        except queue.Empty:
            break
        found[name] = findings
    for name in wanted:
        late = Finding(name, "answers", False, f"did not answer within {limit:.0f} s", _container(name, stack))
        yield from found.get(name, [late])


def _findings(name: str, look: Callable[[], Iterable[Finding]], stack: Stack) -> list[Finding]:
    findings: list[Finding] = []
    remedy = _container(name, stack)
    try:
        findings.extend(look())
    except AgentError as error:
        findings.append(Finding(name, "answers", False, str(error), remedy))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"answered something strange: {type(error).__name__}: {error}"
        findings.append(Finding(name, "answers", False, said, f"is that {name}? its address is in agent.toml; {remedy}"))
    return findings


def _container(name: str, stack: Stack) -> str:
    system = name.partition(" ")[0]
    service = _CONTAINERS.get(system, system)
    return f"docker start {stack.container(service)}; {stack.logs(service)}"
