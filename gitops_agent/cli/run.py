"""`plan` and `apply`: one run by hand, without the agent; the same code as the agent's own runs."""

from __future__ import annotations

import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from gitops_agent.cli import options
from gitops_agent.cli.console import Console

if TYPE_CHECKING:
    from gitops_agent.cli.once import Once
    from gitops_agent.worker.attempt import Attempt

NOTHING_TO_DO, FAILED, CHANGED = 0, 1, 3
_LOOK = 0.05

From: TypeAlias = Annotated[
    Path | None,
    typer.Option("--from", metavar="PATH", help="A local clone instead of the configured source: for a host without Gitea."),
]
Consent: TypeAlias = Annotated[
    list[str] | None, typer.Option("--allow-deletes", metavar="DIGEST", help="Consent to the plan with this digest.")
]
Approve: TypeAlias = Annotated[
    str, typer.Option("--approve", metavar="DIGEST", help="Approve the plan with this digest, as an earlier try showed it.")
]
SkipGate: TypeAlias = Annotated[
    bool, typer.Option("--skip-gate", help="Nothing has to be green for this run. The commit's status says so.")
]
Diffs: TypeAlias = Annotated[bool, typer.Option("--diffs/--no-diffs", help="With the differences, or only what changes.")]


def plan(
    environment: options.Environment = "",
    source: From = None,
    allow_deletes: Consent = None,
    diffs: Diffs = True,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """What a run would change now, and why. Changes nothing.

    Exits with 0 when there is nothing to do, 3 when there is, 1 when something forbids it or a system cannot be reached.
    """
    console = Console()
    with _once(config, environment, source) as once, console.waiting(f"{once.name}: planning"):
        planned = once.plan(allow_deletes or [])
    plans = list(planned.run.plans)
    if as_json:
        revision = {"branch": planned.revision.branch, "sha": planned.revision.sha, "subject": planned.revision.subject}
        console.json({"environment": once.name, "revision": revision, "plans": plans, "errors": planned.errors})
    else:
        from gitops_agent.cli import describe

        console.text(f"{once.name} at {planned.revision.short} {planned.revision.subject}")
        if planned.stale:
            console.text("(the agent is running; this is the newest revision it has fetched)")
        for each in plans:
            console.rich(describe.plan(each, diffs=diffs))
        for target, error in planned.errors.items():
            console.line(error, mark=False, head=target)
        if not plans and not planned.errors:
            console.line("nothing to do", mark=True)
    if planned.errors:
        return FAILED
    return CHANGED if plans else NOTHING_TO_DO


def apply(
    environment: options.Environment = "",
    source: From = None,
    allow_deletes: Consent = None,
    approve: Approve = "",
    skip_gate: SkipGate = False,
    diffs: Diffs = False,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Do one run and exit, without the agent.

    Fetch, plan, apply, wait for health, report: for hosts and jobs where no agent runs, also while the environment is suspended.
    Where one runs, `sync` asks it. Ctrl-C ends the run between two changes. Exits with 0 when there was nothing to do, 3 when
    something was changed, 1 when it failed.
    """
    from gitops_agent.errors import AwaitingApproval
    from gitops_agent.worker.wishes import Wishes

    console = Console()
    with _once(config, environment, source) as once:
        with console.waiting(f"{once.name}: fetching"):
            attempt = once.begin(Wishes(allow_deletes or [], skip_gate=skip_gate), approve)
        error = _carry_out(once, attempt, console, quiet=as_json)
    from gitops_agent.cli import describe
    from gitops_agent.web import shape

    run = shape.whole(attempt.progress.run, "")
    if as_json:
        console.json(run)
    else:
        for each in run["plans"]:
            console.rich(describe.plan(each, diffs=diffs))
        console.line(run["message"], mark=error is None, head=f"{once.name} {run['outcome']}")
        if isinstance(error, AwaitingApproval):
            console.text(f"to approve and apply it without the agent: gitops-agent apply {once.name} --approve {error.digest}")
    if error is not None:
        return FAILED
    return CHANGED if attempt.progress.touched else NOTHING_TO_DO


def _once(config: Path | None, environment: str, source: Path | None) -> Once:
    from gitops_agent.cli.once import Once

    settings = options.settings(config)
    name = options.the_one(environment, list(settings.environments))
    return Once(settings, name, str(source.absolute()) if source else "")


def _carry_out(once: Once, attempt: Attempt, console: Console, *, quiet: bool) -> Exception | None:
    """Shows each step when it is done; Ctrl-C and SIGTERM end the run between two changes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: once.stop())
    with ThreadPoolExecutor(1, thread_name_prefix="apply") as pool:
        running: Future[Exception | None] = pool.submit(once.carry_out, attempt)
        shown = 0
        while True:
            done = running.done()  # asked first: a step that ends between the two questions is still shown
            steps: tuple[Any, ...] = attempt.progress.run.steps
            for step in () if quiet else steps[shown:]:
                console.step(step.name, step.ended - step.started, step.outcome, step.detail)
            shown = len(steps)
            if done:
                return running.result()
            time.sleep(_LOOK)
