"""A plan as a value."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gitops_agent.model import Action, Change
from gitops_agent.plan.diff import visible

_SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-", Action.ADOPT: "=", Action.REFUSE: "!"}
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
    Action.ADOPT: "adopted",
    Action.REFUSE: "refused",
}
_FUTURE = {**{action: f"to {action}" for action in _PAST}, Action.REFUSE: "refused"}


@dataclass(frozen=True)
class Plan:
    """All changes one target needs, in the order they are made. `owned` counts the owned resources that were observed."""

    target: str
    changes: tuple[Change, ...] = ()
    owned: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to do, adoption included."""
        return bool(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def only(self, *actions: Action) -> Plan:
        return replace(self, changes=tuple(change for change in self.changes if change.action in actions))

    def without(self, *actions: Action) -> Plan:
        return replace(self, changes=tuple(change for change in self.changes if change.action not in actions))

    def sparing(self, spared: Callable[[Change], bool]) -> Plan:
        """Without the deletions that are spared. What is out of a prune's reach does not count when its size is judged."""
        kept = tuple(change for change in self.changes if change.action is not Action.DELETE or not spared(change))
        return replace(self, changes=kept, owned=self.owned - len(self.changes) + len(kept))

    def following(self) -> Plan:
        """Only what follows something that moved on by itself, and adoption, which writes nothing."""
        return replace(self, changes=tuple(change for change in self.changes if change.follows or change.action is Action.ADOPT))

    @property
    def writes(self) -> bool:
        """Whether applying it writes anything to the system."""
        return any(change.action is not Action.ADOPT for change in self.changes)

    @property
    def held(self) -> str:
        """What somebody has to approve first; empty where nothing is."""
        return ", ".join(dict.fromkeys(change.held for change in self.changes if change.held))

    @functools.cached_property
    def digest(self) -> str:
        """Names this very plan, for consent and approval: what changes, from what to what. Made only of what may be printed: from
        a digest of anything else a short secret could be guessed."""
        digest = hashlib.sha256(self.target.encode())
        for change in self.changes:
            before, after = change.before, change.after
            part = {
                "action": change.action,
                "name": change.name,
                "version": before.version if before else None,
                "before": before.printable if before else None,
                "after": after.printable if after else None,
                "destructive": change.destructive,
            }
            digest.update(json.dumps(part, sort_keys=True, default=_plain).encode())
        return digest.hexdigest()[:12]

    def count(self) -> str:
        """`2 created, 1 deleted`, or `no changes`: the words of a commit status."""
        return self._counted(_PAST)

    def _counted(self, words: Mapping[Action, str]) -> str:
        counts = Counter(change.action for change in self.changes)
        return ", ".join(f"{counts[action]} {word}" for action, word in words.items() if counts[action]) or "no changes"

    def text(self, *, diffs: bool = True) -> str:
        """The plan for people: a line a change with its reason, the diff indented below it."""
        if not self.changes:
            return f"{self.target}: no changes\n"
        lines = [f"{self.target}: {self._counted(_FUTURE)} (plan {self.digest})"]
        for change in self.changes:
            lost = f"; DESTROYS {change.destructive}" if change.destructive else ""
            lost += f"; NEEDS APPROVAL: {change.held}" if change.held else ""
            lines.append(visible(f"  {_SIGNS[change.action]} {change.action:<6} {change.name}: {change.reason}{lost}"))
            if diffs and change.diff:
                lines.extend(f"      {line}".rstrip() for line in change.diff.splitlines())
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The plan for programs and the journal. Holds nothing that `text` would not show."""
        return {
            "target": self.target,
            "digest": self.digest,
            "summary": self.count(),
            "changes": [
                {
                    "action": str(change.action),
                    "name": change.name,
                    "reason": change.reason,
                    "diff": change.diff,
                    "destructive": change.destructive,
                    "held": change.held,
                }
                for change in self.changes
            ],
        }


def _plain(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)
