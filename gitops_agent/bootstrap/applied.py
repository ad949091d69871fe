"""Targets carried out by bootstrap itself: what a run does, with some of the targets, and other credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import Unavailable
from gitops_agent.model import Revision, Run
from gitops_agent.reconcile import Prepared, Progress, Reconciler, Waiting, carry_out, refuse
from gitops_agent.target import TargetSettings

Choose = Callable[[TargetSettings], TargetSettings | None]
"""Gives the settings to use for a target, None for one that is left to the agent. May raise Unavailable."""


class Applied(Step):
    """While an agent runs, these targets are its own, and there is nothing to do."""

    patience = 60

    def __init__(self, ground: Ground, name: str, choose: Choose, *, settle: bool = True) -> None:
        """Without `settle` nothing is waited for."""
        self.name = name
        self._ground = ground
        self._choose = choose
        self._settle = settle

    def missing(self) -> str:
        if not self._ground.state.exists():
            return "nothing is there yet"
        if self._ground.agent_runs():
            if not self._ground.agent_is_up():  # `compose up` of a bootstrap that was killed goes on without it
                raise Unavailable(f"{self._ground.owner()} still has {self._ground.blueprint.environment}")
            return ""
        with self._prepared() as (prepared, _, _):
            error = prepared.first_error() or next((plan.error for plan in prepared.plans if plan.error is not None), None)
            if error is not None:
                raise error
            plans = [plan.plan for plan in prepared.plans if plan.plan is not None and plan.plan.writes]
            return "; ".join(f"{plan.target}: {plan.count()}" for plan in plans)

    def do(self) -> None:
        """Files are there before the containers that read them, so nobody's health can be waited for until all are started; and
        that of some only comes with the steps that follow."""
        with self._prepared() as (prepared, reconciler, progress):
            if not self._settle:
                refuse(prepared, progress, prepared.first_error())
                for planned in prepared.plans:
                    if planned.error is not None:
                        raise planned.error
                    if planned.plan:
                        for _batch in planned.target.apply(planned.plan):
                            pass
                return
            carry_out(prepared, reconciler.source, progress, Waiting(), secrets={}, fetched=False)

    @contextmanager
    def _prepared(self) -> Iterator[tuple[Prepared, Reconciler, Progress]]:
        blueprint = self._ground.blueprint
        environment = blueprint.settings.environments[blueprint.environment]
        targets = tuple(chosen for target in environment.targets if (chosen := self._choose(target)) is not None)
        changed = {"targets": targets, "source": str(blueprint.place), "token_file": None, "refs": None, "validation": None}
        settings = blueprint.settings.model_copy(
            update={
                "environments": {blueprint.environment: environment.model_copy(update=changed)},
                "secrets": blueprint.settings.secrets.model_copy(update={"vault": None}),
            }
        )
        reconciler = self._ground.make(settings, blueprint.environment, str(blueprint.place))
        try:
            revision: Revision = reconciler.source.fetch()
            progress = Progress(Run("", blueprint.environment, "bootstrap", revision, time.time()))
            yield reconciler.prepare(revision, progress, trusted=True), reconciler, progress
        finally:
            reconciler.close()


def reached(ground: Ground, settings: TargetSettings) -> TargetSettings:
    """The same with an address that this process can connect to; as it is where its system does not run yet."""
    address = getattr(settings, "address", "")
    if not address:
        return settings
    try:
        return settings.model_copy(update={"address": ground.reach(address)})
    except Unavailable:
        return settings
