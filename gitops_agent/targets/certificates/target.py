"""The target: certificates as they lie where programs read them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import FileTarget, commands, tree
from gitops_agent.file_target.publisher import Found
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site
from gitops_agent.targets.certificates import condition
from gitops_agent.targets.certificates.authority import AuthorityFiles
from gitops_agent.targets.certificates.declared import AUTHORITY, FILE, PREFIX, VALID, parse
from gitops_agent.targets.certificates.pem import NoPem, Pair, chain_text, issue, key_text
from gitops_agent.targets.certificates.provided import SOON, Provided
from gitops_agent.targets.certificates.settings import CertificatesSettings

_log = logging.getLogger(__name__)
_PUBLISHED_AUTHORITY = "ca.pem"
_UNVERIFIED = "was published and not yet told to anybody"
_OF_TIME = ("expires ", "has expired")

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class Certificates(FileTarget):
    """`certificate:NAME` is two files, `NAME.pem` and `NAME-key.pem`; `authority` is `ca.pem`. Specs say what a certificate is
    for and what is the matter with it; keys are in none."""

    class Settings(CertificatesSettings):
        """All of them are in settings.py."""

    settings: Settings

    def __init__(self, settings: Settings, site: Site, now: Clock = _now) -> None:
        super().__init__(settings, site)
        self._now = now
        self._authority = AuthorityFiles(settings.authority, settings.authority_key)
        self._provided = Provided(settings.provided)
        self._warnings: tuple[str, ...] = ()
        self._measured: frozenset[str] = frozenset()

    @property
    def checks(self) -> bool:
        return False

    def check(self, staged: Path) -> None:
        """Nothing: each was looked at when it was made or taken."""

    def reload(self) -> None:
        if self.settings.reload:
            commands.run(self.settings.reload, timeout=self.settings.timeout)

    @property
    def watched(self) -> Sequence[Path]:
        return [*super().watched, *([self.settings.provided] if self.settings.provided else [])]

    def verify(self) -> None:
        """Programs that say whether they took it are targets, which read this directory."""

    def parse(self, files: Files) -> State:
        unknown = next((path for path in files if path != FILE and not path.startswith(".") and not path.endswith(".md")), None)
        if unknown:
            raise InvalidRevision(f"is nothing that a certificates folder holds: {FILE}", file=unknown)
        return State.of(*parse(files, self.settings.only))

    def observe(self, desired: State) -> State:
        with self._naming(Unavailable):
            wanted = [path for resource in desired for path in _paths(resource.name)]
            files = self.publisher.found(wanted)
        authority = self._read_authority(desired, files) if AUTHORITY in desired else None
        warnings: list[str] = []
        ends: dict[str, datetime] = {} if authority is None else {"ca": authority.expires}
        if authority is not None and authority.expires - self._now() < SOON:
            warnings.append(f"the authority expires {condition.in_words(authority.expires - self._now())}")
        resources = []
        for name in sorted({*desired.resources, *(_name(path) for path in files)}):
            there = [found for path in _paths(name) if (found := files.get(path)) is not None]
            # What is gone and was loaded counts only where it shall be gone: the apply that took it away was cut short.
            if not there or (name in desired and all(found.file is None for found in there)):
                continue
            if name == AUTHORITY:
                spec = self._look_at_authority(files, desired.get(name), authority)
            else:
                spec, pair, warning = self._look(name, files, desired.get(name), authority)
                warnings += [warning] if warning else []
                if pair is not None:
                    ends[name.removeprefix(PREFIX)] = pair.expires
            resources.append(Resource(name, spec, owned=all(found.owned for found in there)))
        self._say(tuple(warnings), ends)
        self._names = frozenset(path for name in {*desired.resources, *(one.name for one in resources)} for path in _paths(name))
        return State.of(*resources)

    def _read_authority(self, desired: State, files: Mapping[str, Found]) -> Pair | None:
        """None where this plan is to make one."""
        authority = self._authority.read()
        if authority is None:
            there = f"certificates: {self.settings.authority} does not exist"
            if "name" not in desired.resources[AUTHORITY].spec:
                raise Unavailable(f"{there}; declare `authority` to have one made")
            published = files.get(_PUBLISHED_AUTHORITY)
            if published is not None and published.owned and published.file is not None:
                # Nobody would trust what another one signs.
                raise Unavailable(f"{there}, but its ca.pem is published: bring it back, or remove ca.pem to have another made")
        return authority

    def _look_at_authority(self, files: Mapping[str, Found], wanted: Resource | None, authority: Pair | None) -> Mapping[str, Any]:
        """An authority that exists is not made anew for another name or number of days."""
        found = files[_PUBLISHED_AUTHORITY]
        same = authority is not None and _content(files, _PUBLISHED_AUTHORITY) == self._authority.published()
        state = VALID if same else "another one is published"
        return {**(wanted.spec if wanted else {}), "state": state if found.loaded or not same else _UNVERIFIED}

    def _look(
        self, name: str, files: Mapping[str, Found], wanted: Resource | None, authority: Pair | None
    ) -> tuple[Mapping[str, Any], Pair | None, str]:
        """What a spec says of it, the pair that lies there, and a warning."""
        certificate, key = _paths(name)
        found = condition.look(_content(files, certificate), _content(files, key))
        warning = ""
        spec: dict[str, Any] = dict(wanted.spec) if wanted else {}
        if wanted is None:
            state = found.state
        elif wanted.spec["provided"]:
            lies = (_content(files, certificate), _content(files, key))
            state, warning = self._provided.look(name.removeprefix(PREFIX), wanted.spec["names"], lies, self._now())
        else:
            found = condition.issued(found, wanted.spec, authority, self._now())
            state = found.state
            if found.pair is not None:
                spec |= {"names": found.pair.names, "client": found.pair.for_clients}
        there = files.get(key)
        if state == VALID and there is not None and isinstance(there.file, tree.File):
            if there.owned and there.file.mode != int(self.settings.secret_mode, 8):
                state = f"its key has mode {there.file.mode:04o}"
            elif not (there.loaded and files[certificate].loaded):
                state = _UNVERIFIED
        return {**spec, "state": state}, found.pair, warning

    def review(self, plan: Plan) -> Plan:
        return replace(plan, changes=tuple(map(_with_reason, plan)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        changes = plan.without(Action.ADOPT, Action.REFUSE).changes
        delta: dict[str, tree.File | None] = {}
        if changes:
            authority = self._ready_authority(changes)
            for change in changes:
                delta.update(self._files(change, authority))
        self.publish(delta, told=False)
        self.adopt([path for change in plan.only(Action.ADOPT) for path in _paths(change.name)])
        yield tuple(plan.without(Action.REFUSE))

    def _ready_authority(self, changes: tuple[Change, ...]) -> Pair | None:
        """Made where this plan says so. None where nothing of this plan needs one."""
        authority = self._authority.read()
        for change in changes:
            if authority is None and change.name == AUTHORITY and change.after is not None and "name" in change.after.spec:
                authority = self._authority.make(change.after.spec["name"], change.after.spec["days"], self._now())
        return authority

    def _files(self, change: Change, authority: Pair | None) -> tree.Delta:
        if change.after is None:
            return dict.fromkeys(_paths(change.name))
        if change.name == AUTHORITY:
            return {_PUBLISHED_AUTHORITY: tree.File(self._authority.published())}
        certificate, key = _paths(change.name)
        if change.before is not None and change.before.spec == {**change.after.spec, "state": _UNVERIFIED}:
            kept = [tree.read(self.publisher.live / path) for path in (certificate, key)]
            if all(isinstance(file, tree.File) for file in kept):
                return dict(zip((certificate, key), kept, strict=True))  # type: ignore[arg-type]  # seen in the line above
        content, secret = self._content(change, authority)
        return {certificate: tree.File(content), key: self.secret_file(secret)}

    def _content(self, change: Change, authority: Pair | None) -> tuple[bytes, bytes]:
        spec = change.resource.spec
        if spec["provided"]:
            return self._provided.take(change.name.removeprefix(PREFIX), spec["names"], self._now())
        if authority is None:
            raise ApplyFailed("certificates: there is no authority to sign with")
        try:
            pair = issue(authority, spec["names"], spec["days"], self._now(), client=spec["client"])
        except NoPem as error:
            raise ApplyFailed(f"certificates: {self.settings.authority_key} {error}") from None
        return chain_text(pair.chain), key_text(pair.key)

    def health(self) -> Health:
        if not self.publisher.settled():
            return Health(HealthStatus.DEGRADED, _UNVERIFIED)
        return Health(HealthStatus.HEALTHY, "; ".join(self._warnings)) if self._warnings else HEALTHY

    def _say(self, warnings: tuple[str, ...], ends: Mapping[str, datetime]) -> None:
        from gitops_agent import metrics

        for warning in warnings:
            if warning not in self._warnings:
                _log.warning(warning, extra={"target": self.name})
        self._warnings = warnings
        for name, end in ends.items():
            metrics.certificate_expiry.labels(self.site.environment, self.name, name).set(end.timestamp())
        for name in self._measured - ends.keys():
            metrics.certificate_expiry.remove(self.site.environment, self.name, name)
        self._measured = frozenset(ends)


def _paths(name: str) -> tuple[str, ...]:
    bare = name.removeprefix(PREFIX)
    return (_PUBLISHED_AUTHORITY,) if name == AUTHORITY else (f"{bare}.pem", f"{bare}-key.pem")


def _name(path: str) -> str:
    if path == _PUBLISHED_AUTHORITY:
        return AUTHORITY
    return PREFIX + path.removesuffix(".pem").removesuffix("-key")


def _content(files: Mapping[str, Found], path: str) -> bytes | None:
    found = files.get(path)
    return found.file.content if found is not None and isinstance(found.file, tree.File) else None


def _with_reason(change: Change) -> Change:
    if change.action is not Action.UPDATE or change.before is None or change.after is None:
        return change
    before, after = change.before.spec, change.after.spec
    changed = [field for field in after if field != "state" and before.get(field) != after[field]]
    if before["state"] != VALID and not (changed and before["state"] == _UNVERIFIED):
        return replace(change, reason=before["state"], follows=before["state"].startswith(_OF_TIME))
    return replace(change, reason=f"{' and '.join(changed)} changed")
