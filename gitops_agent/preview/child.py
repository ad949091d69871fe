"""The process that looks at a pull request. Started without the agent's environment; it takes from itself what it does not need
before it reads a word that a stranger wrote."""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from gitops_agent import targets
from gitops_agent.concourse import packed
from gitops_agent.errors import AgentError, InvalidRevision, Unavailable
from gitops_agent.model import Revision
from gitops_agent.preview.planning import sections
from gitops_agent.preview.request import Answer, Bounds, Request, Section
from gitops_agent.reconcile.desired import Desired, parse
from gitops_agent.render import Renderer
from gitops_agent.secret import mask
from gitops_agent.source import Merges
from gitops_agent.target import Site, Target

_LONGEST = 2000


def main() -> None:
    """A request on standard input, an answer on standard output."""
    request = Request.from_json(json.load(sys.stdin))
    built = [_target(request, table) for table in request.targets]  # what has to be imported is imported before there are limits
    _confine(request.bounds)
    json.dump(asdict(_answer(request, built)), sys.stdout)


def _confine(bounds: Bounds) -> None:
    """Programs that it starts (git, the renderer) inherit all of it but the alarm."""
    for limit, most in (
        (resource.RLIMIT_AS, bounds.memory),
        (resource.RLIMIT_FSIZE, bounds.file),
        (resource.RLIMIT_CPU, int(bounds.seconds) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        lowered = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (lowered, lowered))
    signal.alarm(int(bounds.seconds) + 5)  # should whoever waits for it be gone


def _target(request: Request, table: Mapping[str, Any]) -> Target:
    settings = targets.load(table["kind"]).Settings.model_validate(table)
    directory = request.state / "targets" / settings.name
    return targets.load(settings.kind)(settings, Site(request.environment, directory, request.key))


def _answer(request: Request, built: list[Target]) -> Answer:
    answer = Answer()
    merges = Merges(request.remote, request.directory)
    try:
        base, head = merges.fetch(request.number)
        answer = replace(answer, base=base.sha, head=head)
        merged = merges.merge(base, head)
        applied = Revision(base.branch, request.applied) if request.applied else None
        answer = replace(answer, sections=_sections(request, built, merges, (base, merged, applied)))
        return replace(answer, task=_for_validation(request, merges, base, merged)) if request.task else answer
    except InvalidRevision as error:
        return replace(answer, failure=_said(error))
    except AgentError as error:
        return replace(answer, error=_said(error))
    except (MemoryError, RecursionError) as error:
        much = f"{request.bounds.memory >> 20} MiB of memory" if isinstance(error, MemoryError) else "nesting that is too deep"
        return replace(answer, failure=f"looking at it takes more than {much}")
    finally:
        merges.close()


def _sections(
    request: Request, built: list[Target], merges: Merges, revisions: tuple[Revision, Revision, Revision | None]
) -> tuple[Section, ...]:
    bounds = request.bounds
    renderer = Renderer(bounds.render_seconds, bounds.render_memory)
    base, merged, applied = revisions

    def read(revision: Revision) -> Desired:
        tree = renderer.render(merges.read(revision), request.environment, revision, request.key)
        return parse(tree, built, request.key)

    try:
        return sections(built, request.key, read, base, merged, applied)
    finally:
        renderer.close()


def _for_validation(request: Request, merges: Merges, base: Revision, merged: Revision) -> str:
    """The task file of the branch; what it shall judge is put where it can be sent from. Empty where the branch has none."""
    task = merges.read(base).get(request.task, b"")
    archive = request.archive(request.number)
    staged = archive.with_suffix(".new")  # the last one may be being read
    try:
        staged.write_bytes(packed(merges.read(merged)))
        staged.replace(archive)
    except OSError as error:
        raise Unavailable(f"{archive} cannot be written: {error.strerror}") from None
    return task.decode(errors="replace")


def _said(error: AgentError) -> str:
    return mask(str(error))[:_LONGEST]


if __name__ == "__main__":
    main()
