"""The writing half of a run: every target in order, then the deletions in reverse order; health after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gitops_agent.errors import AgentError, ApplyFailed, Retry, Superseded, Unavailable
from gitops_agent.model import Action, HealthStatus, Outcome, Step
from gitops_agent.plan import Plan
from gitops_agent.reconcile.planning import TargetPlan
from gitops_agent.reconcile.prepare import Prepared
from gitops_agent.reconcile.progress import Progress, TargetResult
from gitops_agent.source import Source
from gitops_agent.target import Target

_LOOKS = 0.1
"""Seconds between looks at a target that is not healthy yet; grows to a second."""


@dataclass(frozen=True)
class Waiting:
    """How a run waits and stops, handed in by the worker. `stop` raises Superseded when the run shall end; `pause` sleeps at most
    so many seconds and returns early when something rang."""

    stop: Callable[[], None] = lambda: None
    pause: Callable[[float], None] = time.sleep
    source_grace: float = 20.0
    """Seconds that the source may be away after an apply: a restart of what leads to it is not yet a sawn-off branch."""


class SawnOff(ApplyFailed):
    """The source could be reached before a target was applied and cannot be since."""

    retry = Retry.NEVER_FOR_THIS_REVISION


def carry_out(
    prepared: Prepared,
    source: Source,
    progress: Progress,
    waiting: Waiting,
    *,
    secrets: Mapping[str, str],
    settle: bool = False,
    fetched: bool = True,
) -> None:
    """Makes the plans real. `secrets` are the digests of the last successful run (`Reconciler.known_secrets`). `settle`: also waits
    for the health of targets without changes, which an earlier attempt may have changed. `fetched`: the source could be reached
    before the run, so it has to be reachable after every apply as well.

    Raises what ended the run, after every target has its result in `progress`: InvalidRevision or UnsafePlan before the first
    write, ApplyFailed and its kin from the failed target, Unavailable when targets had to be skipped, Superseded.
    """
    refuse(prepared, progress, prepared.first_error())
    _Writer(prepared, source if fetched else None, progress, waiting, secrets).run(settle=settle)


def refuse(prepared: Prepared, progress: Progress, error: AgentError | None) -> None:
    """Raises the error, where there is one that was found in planning, after its targets have their results."""
    if error is not None:
        for plan in prepared.plans:
            if plan.error is not None:
                progress.results[plan.target.name] = TargetResult(Outcome.ERROR, str(plan.error))
        raise error


class _Writer:
    def __init__(
        self, prepared: Prepared, source: Source | None, progress: Progress, waiting: Waiting, secrets: Mapping[str, str]
    ) -> None:
        self._prepared = prepared
        self._source = source
        self._progress = progress
        self._waiting = waiting
        self._secrets = secrets
        self._skipped: dict[str, str] = {}
        self._deletions: dict[str, Plan] = {}

    def run(self, *, settle: bool) -> None:
        plans = list(self._prepared.plans)
        for index, planned in enumerate(plans):
            self._bring(planned, plans[index + 1 :])
        if self._progress.touched:  # a target may have started what an earlier one waited for
            for planned in [each for each in plans if each.target.name in self._skipped]:
                self._bring(planned, [])
        for planned in reversed(plans):
            self._waiting.stop()
            with self._failing(planned.target, []):
                self._make_real(planned.target, self._deletions[planned.target.name])
        if settle:
            self._progress.touched = True  # by the earlier attempt
            for planned in plans:
                result = self._progress.results.get(planned.target.name)
                if result is not None and result.outcome is Outcome.SUCCESS and not result.changed:
                    with self._failing(planned.target, []):
                        self._healthy(planned.target)
        if self._skipped:
            raise Unavailable("; ".join(f"{name} skipped: {why}" for name, why in self._skipped.items()))

    def _bring(self, planned: TargetPlan, rest: list[TargetPlan]) -> None:
        """All but the deletions, which come when every target is through."""
        target = planned.target
        self._waiting.stop()
        with self._failing(target, rest):
            self._skipped.pop(target.name, None)
            plan = self._planned(planned)
            self._deletions[target.name] = Plan(target.name) if target.atomic else plan.only(Action.DELETE)
            self._make_real(target, plan if target.atomic else plan.without(Action.DELETE))

    def _planned(self, planned: TargetPlan) -> Plan:
        """The plan to carry out, made now where it could not be made before; an empty one where there is nothing to do."""
        target = planned.target
        if planned.error is not None:
            planned = self._prepared.planner.plan(target, self._prepared.desired, self._progress)
            self._progress.planned(planned.plan)
            if isinstance(planned.error, Unavailable):
                return self._skip(target, str(planned.error))
            if planned.error is not None:
                raise planned.error
        plan = self._prepared.to_do(planned, self._secrets)
        if plan.held and not self._prepared.approved:  # it could not be planned when approval was asked for
            return self._skip(target, f"{plan.held} needs approval, which the next run asks for")
        names = {change.name for change in plan}
        drift = replace(plan, changes=tuple(change for change in planned.plan or () if change.name not in names))
        said = [plan.count()] if plan or not drift else []
        said += [f"drift: {drift.count()}"] if drift else []
        said += [f"{', '.join(planned.left)} left as it is"] if planned.left else []
        self._progress.results[target.name] = TargetResult(
            Outcome.SUCCESS, "; ".join(said), changed=bool(plan), left=planned.left, drift=bool(drift)
        )
        return plan

    def _skip(self, target: Target, why: str) -> Plan:
        self._skipped[target.name] = why
        self._progress.results[target.name] = TargetResult(Outcome.ERROR, f"skipped: {why}")
        return Plan(target.name)

    def _make_real(self, target: Target, plan: Plan) -> None:
        if not plan:
            return
        with self._progress.step(f"apply {target.name}"):
            # Said before the first write, not after: an apply that dies half-way has touched something.
            self._progress.touched = self._progress.touched or plan.writes
            self._progress.undone = self._progress.undone or any(not change.follows for change in plan.without(Action.ADOPT))
            for _batch in target.apply(plan):
                self._waiting.stop()
        if plan.writes:
            self._healthy(target)
            self._still_on_the_branch(target)

    def _healthy(self, target: Target) -> None:
        with self._progress.step(f"health {target.name}"):
            deadline = time.monotonic() + target.settings.health_timeout
            pause = _LOOKS
            while (health := target.health()).status is not HealthStatus.HEALTHY:
                if health.status is HealthStatus.DEGRADED:
                    raise ApplyFailed(f"{target.name} is degraded: {health.reason}")
                if time.monotonic() > deadline:
                    limit = target.settings.health_timeout
                    raise ApplyFailed(f"{target.name} did not become healthy within {limit:g} s: {health.reason}")
                self._waiting.pause(pause)
                self._waiting.stop()
                pause = min(1.0, pause * 1.5)

    def _still_on_the_branch(self, target: Target) -> None:
        """Never saw off the branch one sits on: without the source no later commit could mend this one (architecture)."""
        if self._source is None:
            return
        with self._progress.step(f"source after {target.name}"):
            deadline = time.monotonic() + self._waiting.source_grace
            while not self._source.reachable():
                if time.monotonic() > deadline:
                    break
                self._waiting.pause(1.0)
            else:
                return
            try:
                done = "brought back what was before" if target.restore() else "it cannot be brought back"
            except AgentError as error:
                done = f"what was before could not be brought back: {error}"
            raise SawnOff(f"the source cannot be reached since {target.name} was applied; {done}")

    @contextmanager
    def _failing(self, target: Target, rest: list[TargetPlan]) -> Iterator[None]:
        """Gives the target, and those that are not attempted because of it, their results when it fails."""
        try:
            yield
        except Superseded:
            raise
        except Exception as error:
            self._fail(target, error, rest)
            raise

    def _fail(self, target: Target, error: Exception, rest: list[TargetPlan]) -> None:
        said = str(error) if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
        outcome = Outcome.FAILURE if self._progress.touched else Outcome.ERROR
        self._progress.results[target.name] = TargetResult(outcome, said, changed=True)
        now = time.time()
        for planned in rest:
            name = planned.target.name
            waiting = bool(planned.plan) or planned.error is not None
            self._progress.results[name] = TargetResult(Outcome.ERROR, f"not attempted: {target.name} failed", changed=waiting)
            self._progress.note(Step(f"apply {name}", now, now, "skipped", f"not attempted: {target.name} failed"))
