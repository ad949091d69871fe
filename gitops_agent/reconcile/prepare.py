"""The reading half of a run: from a revision to a plan for every target, with nothing touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitops_agent.errors import AgentError, Unavailable, UnsafePlan
from gitops_agent.model import Files, Revision
from gitops_agent.plan import Plan
from gitops_agent.reconcile.applied import LastApplied
from gitops_agent.reconcile.desired import Desired, parse
from gitops_agent.reconcile.planning import Planner, TargetPlan
from gitops_agent.reconcile.progress import Progress
from gitops_agent.render import Renderer
from gitops_agent.secret import Resolver
from gitops_agent.source import Source
from gitops_agent.target import Drift, Target


@dataclass(frozen=True)
class Prepared:
    """Everything a run is going to do, before it does anything."""

    revision: Revision
    desired: Desired
    plans: tuple[TargetPlan, ...]
    planner: Planner = field(repr=False)
    whole: bool = True
    """Everything that differs is applied; otherwise each target's drift policy decides."""

    approved: bool = False
    """Somebody approved exactly these plans."""

    def first_error(self) -> AgentError | None:
        """What forbids the run: the author's mistakes anywhere. What cannot be reached is planned again when its turn comes."""
        errors = [plan.error for plan in self.plans if plan.error is not None]
        return next((error for error in errors if not isinstance(error, Unavailable)), None)

    def due(self, secrets: Mapping[str, str]) -> list[Plan]:
        """The plans that will be carried out, as far as they could be made. `secrets`: see `to_do`."""
        return [plan for planned in self.plans if (plan := self.to_do(planned, secrets))]

    def to_do(self, planned: TargetPlan, secrets: Mapping[str, str]) -> Plan:
        """Its plan without the drift that the target's policy leaves. `secrets` are the digests of the last successful run: a
        secret that got another value is no drift, nor is time that has come."""
        plan = planned.plan or Plan(planned.target.name)
        if self.whole or planned.target.settings.drift is Drift.HEAL:
            return plan
        return plan.following() if secrets.get(planned.target.name, planned.secrets) == planned.secrets else plan

    def before_approval(self) -> AgentError | None:
        """What stands in the way of asking for approval: people are asked about whole plans only. A plan that needs consent is one
        that they can be asked about."""
        errors = [plan.error for plan in self.plans if plan.error is not None]
        return next((error for error in errors if not (isinstance(error, UnsafePlan) and error.digest)), None)

    def as_approved(self) -> Prepared:
        """The same, after somebody approved it: that is consent as well."""
        return replace(self, plans=tuple(replace(plan, error=None) for plan in self.plans), approved=True)


class Reconciler:
    """Prepares the runs of one environment: its source, its renderer, its targets and its secrets."""

    def __init__(
        self,
        environment: str,
        *,
        source: Source,
        renderer: Renderer,
        targets: Sequence[Target],
        lookup: Resolver,
        key: bytes,
        state: Path,
        outstanding: Callable[[Files], str] = lambda _tree: "",
    ) -> None:
        """`outstanding` is shown a rendered tree, and says what in it only an operator can do."""
        self.environment = environment
        self.source = source
        self.targets = tuple(targets)
        self._renderer = renderer
        self._lookup = lookup
        self._key = key
        self._outstanding = outstanding
        self._secrets = state / "secrets.json"
        self.applied = LastApplied(source.applied, self._read_and_parse)

    def start(self) -> None:
        """Starts what takes a while, without waiting for it."""
        self._renderer.start()

    def close(self) -> None:
        for target in self.targets:
            target.close()
        self._renderer.close()
        self.source.close()

    def prepare(
        self,
        revision: Revision,
        progress: Progress,
        *,
        whole: bool = True,
        consented: Collection[str] = (),
        stop: Callable[[], None] = lambda: None,
        back: bool = False,
        trusted: bool = False,
    ) -> Prepared:
        """Raises InvalidRevision for mistakes that show without asking a system; the others come with their target's plan.

        `back`: a later revision did not work out, and this one is brought back. Nobody can be asked for consent then, so what would
        need it stays as it is. The same goes for holding the systems at what was applied while the branch's head is no good.
        `trusted`: nobody is asked who signed it."""
        holding = not whole and revision != self.source.head()
        if self.source.signed and not (back or holding or trusted):
            with progress.step("signatures"):
                self.source.verify(revision)
        with progress.step("read"):
            files = self.source.read(revision)
        with progress.step("render"):
            tree = self._renderer.render(files, self.environment, revision, self._key)
            progress.outstanding = self._outstanding(tree)
            desired = parse(tree, self.targets, self._key)
        stop()
        planner = Planner(self._key, self._lookup, self.applied, consented, back=back, holding=holding)
        targets = [target for target in self.targets if whole or target.settings.drift is not Drift.IGNORE]
        plans = planner.plan_all(targets, desired, progress, stop)
        return Prepared(revision, desired, tuple(plans), planner, whole)

    def succeeded(self, prepared: Prepared) -> None:
        """Remembers what is now real: the revision, what it says, and the secrets it used."""
        if self.source.applied() != prepared.revision:
            self.source.mark_applied(prepared.revision)
        self.applied.remember(prepared.revision, prepared.desired)
        secrets = {**self.known_secrets(), **{plan.target.name: plan.secrets for plan in prepared.plans}}
        if secrets != self.known_secrets():
            staged = self._secrets.with_suffix(".new")
            staged.write_text(json.dumps(secrets))
            staged.replace(self._secrets)

    def known_secrets(self) -> Mapping[str, str]:
        """The keyed digest of each target's secrets at the last successful run."""
        with suppress(OSError, ValueError):
            known = json.loads(self._secrets.read_text())
            if isinstance(known, dict):
                return known
        return {}

    def _read_and_parse(self, revision: Revision) -> Desired:
        tree = self._renderer.render(self.source.read(revision), self.environment, revision, self._key)
        return parse(tree, self.targets, self._key)
