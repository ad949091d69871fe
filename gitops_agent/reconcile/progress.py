"""A run while it runs: the timeline grows, plans arrive, targets get their results; whoever looks sees a frozen `Run`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gitops_agent.errors import AgentError, AwaitingApproval, Superseded, Unavailable
from gitops_agent.model import Outcome, Run, Step
from gitops_agent.plan import Plan
from gitops_agent.secret import mask


@dataclass(frozen=True)
class TargetResult:
    """What a run did to one target. `changed` is false where it found nothing to do."""

    outcome: Outcome
    message: str
    changed: bool = False
    drift: bool = False
    """Something had drifted and was left, as the target's policy says."""
    left: tuple[str, ...] = ()
    """What was not brought back, because it only goes forward."""


class Progress:
    """Collects what happens in one run. Planning runs in several threads, so everything here takes the lock."""

    def __init__(self, run: Run) -> None:
        self._lock = threading.Lock()
        self.run = run
        self.results: dict[str, TargetResult] = {}
        self.undone = False
        """Something was not as the agent had left it."""
        self.touched = False
        """True from the moment before the first write: what came of it is not known until it is observed again."""

        self.outstanding = ""
        """What only an operator can do, of what the revision says."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a part of the run and notes how it ended."""
        started = time.time()
        outcome, detail = "ok", ""
        try:
            yield
        except Superseded as error:
            outcome, detail = "superseded", str(error)
            raise
        except AwaitingApproval as error:
            outcome, detail = "awaiting", str(error)
            raise
        except Unavailable as error:
            outcome, detail = "unreachable", mask(str(error))
            raise
        except AgentError as error:
            outcome, detail = "failed", mask(str(error))
            raise
        except Exception as error:
            outcome, detail = "failed", mask(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.note(Step(name, started, time.time(), outcome, detail))

    def note(self, step: Step) -> None:
        self._update(lambda run: replace(run, steps=(*run.steps, step)))

    def planned(self, plan: Plan | None) -> None:
        """Shows the plan, unless it is empty; a target planned again, because its turn came late, replaces its earlier one."""
        if plan:
            kept = tuple(other for other in self.run.plans if other["target"] != plan.target)
            self._update(lambda run: replace(run, plans=(*kept, plan.to_json())))

    def end(self, outcome: Outcome, message: str) -> Run:
        self._update(lambda run: replace(run, outcome=outcome, message=mask(message), ended=time.time()))
        return self.run

    def undoing(self) -> Progress:
        """For the part of the run that takes back what it did: in the same timeline, with results of its own."""
        return _Undoing(self)

    def _update(self, change: Callable[[Run], Run]) -> None:
        with self._lock:
            self.run = change(self.run)


class _Undoing(Progress):
    def __init__(self, undone: Progress) -> None:
        super().__init__(undone.run)
        self._undone = undone

    def note(self, step: Step) -> None:
        self._undone.note(replace(step, name=f"restore: {step.name}"))

    def planned(self, plan: Plan | None) -> None:
        """People see what was tried; of a target that was not planned before, what brings it back."""
        if plan and plan.target not in [shown["target"] for shown in self._undone.run.plans]:
            self._undone.planned(plan)
