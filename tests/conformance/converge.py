"""One target's part of a run, as `reconcile` does it: parse, resolve, observe, compare, review, guard, apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitops_agent import secret
from gitops_agent.errors import Unavailable
from gitops_agent.model import Action, Batch, Files, State
from gitops_agent.plan import Limits, Plan, compare, guard
from gitops_agent.target import Target

CANARY = "canary-Wq7-value"


def desired(target: Target, files: Files, secrets: Mapping[str, str] | None = None) -> State:
    values = {"file:canary": CANARY} if secrets is None else secrets

    def lookup(reference: str) -> str:
        if reference not in values:
            raise Unavailable(f"secret {reference!r} does not exist yet")
        return values[reference]

    return secret.resolve(target.parse(files), target.site.key, lookup, target.settings.secrets)


def plan(target: Target, files: Files, *, applied: Files | None = None, secrets: Mapping[str, str] | None = None) -> Plan:
    """What is to be done; not guarded."""
    wanted = desired(target, files, secrets)
    before = None if applied is None else desired(target, applied, secrets)
    settings = target.settings
    made = compare(target.name, wanted, target.observe(wanted), applied=lambda: before, adopt=settings.adopt, prune=settings.prune)
    return target.review(made)


def carry_out(target: Target, what: Plan) -> Iterator[Batch]:
    """Deletions last, in a second apply, but for atomic kinds: as `reconcile` has it."""
    guard(what, Limits(), consented=[what.digest])
    parts = [what] if target.atomic else [what.without(Action.DELETE), what.only(Action.DELETE)]
    for part in parts:
        if part:
            yield from target.apply(part)


def converge(
    target: Target, files: Files, *, applied: Files | None = None, secrets: Mapping[str, str] | None = None, batches: int = -1
) -> Plan:
    """Plans and applies; stops consuming after `batches` of them, as a superseded run does. Gives the plan."""
    what = plan(target, files, applied=applied, secrets=secrets)
    carried_out = carry_out(target, what)
    for count, _batch in enumerate(carried_out, start=1):
        if count == batches:
            carried_out.close()  # type: ignore[attr-defined]  # a generator, as its contract says
            break
    return what
