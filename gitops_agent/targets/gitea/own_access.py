"""What the agent itself lives on in Gitea: its user's teams, the repository it reads with its webhook, and its own records."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action, Change
from gitops_agent.plan import Plan
from gitops_agent.targets.gitea.teams import OWNERS

_HOOK = "/webhook/gitea"
"""Where the agent listens, at the end of a webhook's address."""


class OwnAccess:
    """`login` is the agent's user, `source` the repository it reads (`OWNER/NAME`, empty where agent.toml does not say),
    `context` the commit status that it gives a revision once that is on the branch."""

    def __init__(self, login: str, source: str, record: str, context: str) -> None:
        self._login = login.lower()
        self._source = source
        self._record = record
        self._context = context

    def refuse_loss(self, plan: Plan) -> None:
        """Raises UnsafePlan: what a commit takes away no later commit could give back."""
        for change in plan:
            loss = "" if change.action is Action.ADOPT else self._loss(change)
            if loss:
                raise UnsafePlan(f"{plan.target}: would {change.action} {change.name}, {loss}; change it by hand first")

    def _loss(self, change: Change) -> str:
        label, _, name = change.name.partition(":")
        before = change.before.spec if change.before else {}
        after = change.after.spec if change.after else {}
        if label == "team":
            return self._team(before, after, name)
        if label == "organisation" and change.action is Action.DELETE and _owner(self._source) == name.lower():
            return "which holds the repository that the agent reads"
        if label == "organisation":
            return ""
        if _within(name, self._record):
            return "where the agent keeps its own records"
        if _within(name, self._source):
            return {"repository": _repository, "webhook": _webhook, "protection": self._protection}.get(label, _nothing)(
                before, after
            )
        return ""

    def _team(self, before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
        member = self._login in map(str.lower, before.get("members", ()))
        if not before or not member:
            return ""
        if self._login not in map(str.lower, after.get("members", ())):
            return f"which {self._login}, the agent's own user, is a member of"
        if name.rpartition("/")[2].lower() == OWNERS:
            return ""
        missing = {*before["repositories"]} - {*after["repositories"]}
        narrower = before["includes_all_repositories"] and not after["includes_all_repositories"]
        if narrower or (missing and not after["includes_all_repositories"]):
            return "through which the agent's own user has access to repositories"
        return "through which the agent's own user has its access" if _weaker(before, after) else ""

    def _protection(self, _: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        """A status that comes only when a commit is on the branch keeps every commit from it, the one that would mend it too."""
        for pattern in after.get("status_check_contexts", ()):
            if fnmatchcase(self._context, pattern):
                return f"which waits before a merge for {pattern}, which the agent says after it"
        return ""


def _weaker(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if after["admin"]:
        return False
    order = (None, "read", "write")
    lost = [unit for unit, had in before["units"].items() if order.index(after["units"].get(unit)) < order.index(had)]
    return bool(before["admin"] or lost)


def _repository(_: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return "which the agent reads" if not after or after.get("archived") else ""


def _webhook(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The agent's own hook may not go, nor fall silent, nor be told another address; a new secret is the author's to give."""
    if not _rings(before) or _rings(after):
        return ""
    return "through which the agent hears of pushes"


def _rings(hook: Mapping[str, Any]) -> bool:
    own = urlsplit(hook.get("url", "")).path.rstrip("/").endswith(_HOOK)
    return own and hook["active"] and "push" in hook["events"]


def _nothing(_: Mapping[str, Any], __: Mapping[str, Any]) -> str:
    return ""


def _owner(repository: str) -> str:
    return repository.partition("/")[0].lower()


def _within(name: str, repository: str) -> bool:
    """Whether a resource is a repository or something in it. Gitea does not tell upper from lower case."""
    return bool(repository) and "/".join(name.lower().split("/")[:2]) == repository.lower()
