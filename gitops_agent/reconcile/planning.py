"""Plans targets: resolve secrets, observe, compare, review, guard. Reads only; all targets at once, in a small thread pool."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.model import State
from gitops_agent.plan import Limits, Plan, compare, guard, leave
from gitops_agent.reconcile.applied import LastApplied
from gitops_agent.reconcile.desired import Desired
from gitops_agent.reconcile.progress import Progress
from gitops_agent.secret import Resolver, fingerprint, resolve
from gitops_agent.target import Target

_THREADS = 8
"""More targets than this wait for each other; each waits for its system most of the time."""


@dataclass(frozen=True)
class TargetPlan:
    """A target with its plan, or with the error that prevented one; an unsafe plan comes with both."""

    target: Target
    plan: Plan | None
    error: AgentError | None = None
    secrets: str = ""
    """Keyed digest of the values of all its secrets: tells a rotation from drift."""
    left: tuple[str, ...] = ()
    """What only goes forward, and so stays as it is while what was applied before is brought back."""


class Planner:
    """Plans the targets of one run; the values of secrets are asked for once a run."""

    def __init__(
        self,
        key: bytes,
        lookup: Resolver,
        applied: LastApplied,
        consented: Collection[str] = (),
        *,
        back: bool = False,
        holding: bool = False,
    ) -> None:
        """`back`, `holding`: see `Reconciler.prepare`; in both cases nobody can be asked for consent."""
        self._key = key
        self._lookup: Resolver = functools.cache(lookup)
        self._applied = applied
        self._consented = consented
        self._back = back
        self._asks = not back and not holding

    def plan_all(
        self, targets: Sequence[Target], desired: Desired, progress: Progress, stop: Callable[[], None]
    ) -> list[TargetPlan]:
        """Plans in the order of `targets`. What prevents a plan comes back with the target; only bugs are raised."""
        if len(targets) < 2:
            planned = [self.plan(target, desired, progress) for target in targets]
        else:
            with ThreadPoolExecutor(min(len(targets), _THREADS), thread_name_prefix="plan") as pool:
                planned = list(pool.map(lambda target: self.plan(target, desired, progress), targets))
        for each in planned:  # shown in the order of the targets, not in that of their answers
            progress.planned(each.plan)
        stop()
        return planned

    def plan(self, target: Target, desired: Desired, progress: Progress) -> TargetPlan:
        plan: Plan | None = None
        secrets = ""
        left: tuple[str, ...] = ()
        try:
            with progress.step(f"plan {target.name}"), _in_repository(target):
                wanted = resolve(desired[target.name], self._key, self._lookup, target.settings.secrets)
                secrets = _secrets(wanted, self._key)
                plan = self._compare(target, wanted, target.observe(wanted))
                if not self._asks:
                    plan, left = leave(plan)
                # What is deleted on the way back is what the commit that did not work out had made.
                guard(plan, Limits(100 if self._back else target.settings.max_delete_percent), self._consented)
        except AgentError as error:
            return TargetPlan(target, plan, error, secrets)
        return TargetPlan(target, plan, None, secrets, left)

    def _compare(self, target: Target, wanted: State, observed: State) -> Plan:
        settings = target.settings
        plan = compare(
            target.name,
            wanted,
            observed,
            applied=functools.cache(lambda: self._applied.state(target.name, self._key, self._lookup, settings.secrets)),
            adopt=settings.adopt,
            prune=settings.prune,
        )
        return target.review(plan)


def _secrets(state: State, key: bytes) -> str:
    digest = hashlib.sha256()
    for resource in state:
        if resource.sensitive:
            digest.update(fingerprint(f"{resource.name}={resource.spec!r}", key).encode())
    return digest.hexdigest()


@contextmanager
def _in_repository(target: Target) -> Iterator[None]:
    """Targets name files as they lie in their folder; people look for them from the repository's root."""
    try:
        yield
    except InvalidRevision as error:
        raise error.below(target.settings.folder) from None
