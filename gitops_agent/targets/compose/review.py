"""The last word on a plan: reasons in words, what needs consent, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action, Change, State
from gitops_agent.plan import Plan
from gitops_agent.targets.compose.behaviour import RECREATE, RESTART, Behaviour
from gitops_agent.targets.compose.declared import definition
from gitops_agent.targets.compose.observed import CONFIG, CUT, FILES, STATE, Look
from gitops_agent.targets.compose.project_files import PREFIX

_SERVICE, _VOLUME = "service:", "volume:"
_DECLARED = ("service:", "network:", "volume:")
_NUMBERS = re.compile(r"\d+")


def review(plan: Plan, look: Look, desired: State, project: str) -> Plan:
    """Raises UnsafePlan for a volume that would have to be made anew under the same name."""
    changes = [_explained(change) for change in plan]
    made_anew = [change.name.removeprefix(_SERVICE) for change in changes if how(change) == RECREATE]
    rewired = {change.name.removeprefix("network:") for change in changes if change.action is Action.UPDATE}
    on_it = [name for name, service in look.facts.services.items() if rewired.intersection(service.networks)]
    followers = [*on_it, *look.facts.followers([*made_anew, *on_it])]
    changes += _following(changes, followers, look, desired)
    return replace(plan, changes=tuple(_with_what_is_lost(change, look, project) for change in changes))


def fold(plan: Plan, compose_files: Sequence[str]) -> tuple[Plan, tuple[Change, ...]]:
    """The plan without the Compose files where it has what they declare: nobody wants to read the same diff twice. They are
    published with it."""
    if not any(change.name.startswith(_DECLARED) and change.action is not Action.ADOPT for change in plan):
        return plan, ()
    names = {f"{PREFIX}{path}" for path in compose_files}
    folded = tuple(change for change in plan if change.name in names and change.action in (Action.CREATE, Action.UPDATE))
    return replace(plan, changes=tuple(change for change in plan if change not in folded)), folded


def how(change: Change) -> str:
    """What happens to the containers of a service: `recreate`, `restart`, `reload`, `start`, or nothing."""
    if not change.name.startswith(_SERVICE) or change.after is None or change.action not in (Action.CREATE, Action.UPDATE):
        return ""
    seen = change.before.spec if change.before is not None else {CONFIG: ""}
    if CONFIG in seen or CUT in seen:
        return RECREATE
    if FILES in seen and (reaction := Behaviour.of(definition(change.after)).on_changes(seen[FILES]).how) == RECREATE:
        return RECREATE
    if STATE in seen:
        return "start"
    return reaction if FILES in seen else RESTART


def _explained(change: Change) -> Change:
    if not change.name.startswith(_SERVICE) or change.before is None or change.after is None or change.action is Action.ADOPT:
        return change
    seen = change.before.spec
    reasons = []
    if CONFIG in seen:
        same = seen["definition"] == change.after.spec["definition"]
        if str(seen[CONFIG]).startswith("differs"):
            reasons.append(f"another Compose made it, and it {seen[CONFIG]}")
        else:
            reasons.append("what its definition refers to changed" if same else "its definition changed")
    if FILES in seen:
        reaction = how(replace(change, before=replace(change.before, spec={FILES: seen[FILES]}), action=Action.UPDATE))
        reasons.append(f"{', '.join(seen[FILES][:3])} changed: {reaction}")
    if STATE in seen:
        reasons.append(str(seen[STATE]))
    if CUT in seen:
        reasons.append("an earlier change was cut short")
    text = "; ".join(reasons)
    return replace(
        change, reason=f"{change.reason.partition(' and differs')[0]}; {text}" if change.action is Action.REFUSE else text
    )


def _following(changes: list[Change], followers: list[str], look: Look, desired: State) -> Iterator[Change]:
    known = {change.name for change in changes}
    for name in dict.fromkeys(followers):
        resource = desired.get(f"{_SERVICE}{name}")
        if resource is not None and resource.name not in known and look.of(name):
            before = replace(resource, spec={**resource.spec, CONFIG: "follows"})
            yield Change(Action.UPDATE, resource.name, "follows what it cannot outlive", before, resource)


def _with_what_is_lost(change: Change, look: Look, project: str) -> Change:
    if change.action is Action.ADOPT:
        return change
    if change.name.startswith(_VOLUME):
        if change.action is Action.UPDATE:
            raise UnsafePlan(f"{change.name}: Docker cannot change a volume's settings; name a new one and move the data")
        return replace(change, destructive=change.name) if change.action is Action.DELETE else change
    if not change.name.startswith(_SERVICE):
        return change
    name = change.name.removeprefix(_SERVICE)
    lost = "; ".join([*_downgraded(change, name, look), *_emptied(name, look, project)])
    return replace(change, destructive=lost, held=_held(change, name, look))


def _held(change: Change, name: str, look: Look) -> str:
    running = any(member.state in ("running", "paused") for member in look.of(name))
    declared = change.after is not None and Behaviour.of(definition(change.after)).hold
    recorded = name in look.record.services and look.record.services[name].hold
    stops = change.action is Action.DELETE or how(change) in (RECREATE, RESTART)
    return f"stops the running {name} (hold)" if running and stops and (declared or recorded) else ""


def _downgraded(change: Change, name: str, look: Look) -> Iterator[str]:
    if change.after is None or name not in look.facts.services or name not in look.record.services:
        return
    now, loaded = look.facts.services[name].image, look.record.services[name]
    # What an apply that failed was about to start may have changed the data already.
    older = [then for then in (loaded.reference, loaded.tried) if now != then and is_older(now, then)]
    if older and Behaviour.of(definition(change.after)).forward_only:
        yield f"{name}'s data: {_parts(now)[1] or now} is older (forward_only)"


def is_older(image: str, than: str) -> bool:
    """Whether an image's tag is an older version, or cannot be told to be newer: a digest, another repository."""
    (repository, tag), (other, known) = _parts(image), _parts(than)
    numbers, numbers_known = [*map(int, _NUMBERS.findall(tag))], [*map(int, _NUMBERS.findall(known))]
    if repository != other or not numbers or not numbers_known:
        return bool(than)
    return numbers < numbers_known


def _parts(image: str) -> tuple[str, str]:
    if "@" in image:
        return image.partition("@")[0], ""
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "")


def _emptied(name: str, look: Look, project: str) -> Iterator[str]:
    """A service is never started on an empty volume while its old one exists."""
    if name not in look.facts.services:
        return
    if look.record.project not in ("", project):
        yield f"the place of project {look.record.project}, whose containers and volumes are left"
        return
    there = {*look.volumes.values()}
    for target, volume in look.facts.services[name].volumes.items():
        for other in _used_at(target, name, look):
            if other != volume and volume not in there and other in there:
                yield f"{name}'s hold on {other}: it would start on the empty volume {volume}"


def _used_at(target: str, name: str, look: Look) -> set[str]:
    recorded: Mapping[str, str] = look.record.services[name].volumes if name in look.record.services else {}
    used = {member.volumes[target] for member in look.of(name) if target in member.volumes}
    return used | ({recorded[target]} if target in recorded else set())
