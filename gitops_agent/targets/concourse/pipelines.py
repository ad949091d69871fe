"""The calls of Concourse's API that concern pipelines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gitops_agent import secret
from gitops_agent.api import Answer
from gitops_agent.concourse import RoleMissing, Session
from gitops_agent.errors import Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Resource
from gitops_agent.targets.concourse.mark import owner
from gitops_agent.targets.concourse.written import sent

_VERSION = "X-Concourse-Config-Version"
_COMPARED = "comparison with existing config failed"
_NEVER_SAVED = {"vars": "none"}
"""No JSON, as an instance's variables have to be: Concourse says so after it has checked the pipeline and before it saves it."""
_PASSED = "instance vars are malformed"
_OLDEST = 8
_LONGEST = 300
_SETTING = {"member", "owner"}
_LOOKING = {"viewer", "pipeline-operator", *_SETTING}
"""Roles, by what one may do with pipelines."""


@dataclass(frozen=True)
class Row:
    """A pipeline as the list of all has it. `owner` is an environment, empty without our mark."""

    name: str
    owner: str
    paused: bool
    exposed: bool
    archived: bool


class Pipelines:
    """Names are those of resources: `pipeline:<team>/<name>`. Raises Unavailable."""

    def __init__(self, session: Session, *, reads_only: bool = False) -> None:
        self._session = session
        self._reads_only = reads_only
        self._old_enough = False

    def rows(self) -> dict[str, Row]:
        """Every pipeline that can be seen, in Concourse's order; not the instances that a `set_pipeline` step made."""
        answer = self._session.call("GET", "/pipelines", needs="a role in any team")
        if not isinstance(answer.data, list):
            raise Unavailable("what answers is no Concourse: its list of pipelines is none")
        return {row.name: row for row in map(_row, answer.data) if row is not None}

    def require_role(self, teams: Iterable[str]) -> None:
        """Raises RoleMissing for a team in which no pipeline may be set (or looked at, where that is all), Unavailable for one that
        is not there."""
        user = self._session.call("GET", "/user", needs="a token").data
        roles = user.get("teams") if isinstance(user, Mapping) else None
        if not isinstance(roles, Mapping):
            raise Unavailable("what answers is no Concourse: it does not know whom it talks to")
        for team in teams:
            if (_LOOKING if self._reads_only else _SETTING) & {*roles.get(team, ())}:
                continue
            if not user.get("is_admin"):
                who = "the user for previews is no viewer" if self._reads_only else "the agent is no member"
                raise RoleMissing(f"concourse: {who} of team {team}, or there is no such team")
            if self._session.call("GET", f"/teams/{quote(team, safe='')}", needs="a token", accept=(404,)).status == 404:
                raise Unavailable(f"concourse has no team {team}")

    def config(self, name: str) -> tuple[Mapping[str, Any], str] | None:
        """The configuration and its version; None where there is none, or an archived one."""
        answer = self._session.call("GET", f"{_path(name)}/config", needs=_needs(name, "viewer"), accept=(404,))
        if answer.status == 404:
            return None
        try:
            return dict(answer.data["config"]), answer.headers[_VERSION]
        except (KeyError, TypeError, ValueError):
            raise Unavailable(f"what answers is no Concourse: {name} has no configuration") from None

    def check(self, resource: Resource) -> None:
        """Has Concourse look at the pipeline without saving it, which takes whoever may save. Raises InvalidRevision with what it
        says."""
        if self._reads_only or not self._checks():
            return
        answer = self._put(resource, resource.spec["config"], "1", _NEVER_SAVED)
        if answer.status != 400 or _PASSED not in answer.text:
            raise _mistake(resource, answer)

    def save(self, resource: Resource, config: Mapping[str, Any], version: str) -> None:
        """Raises Conflict when somebody else set the pipeline since `version`; empty: it must not exist."""
        answer = self._put(resource, config, version, {})
        if answer.status == 400:
            raise _mistake(resource, answer)
        if answer.status == 404:
            raise Unavailable(f"concourse has no team {_team(resource.name)}")
        if answer.status == 500:
            said = secret.mask(answer.text)[:_LONGEST]
            if _COMPARED in answer.text:
                raise Conflict(f"concourse: {resource.name} was set by somebody else in the meantime")
            raise Unavailable(f"concourse could not save {resource.name}: {said}")

    def act(self, name: str, action: str) -> None:
        """`pause`, `unpause`, `expose`, `hide` or `archive`."""
        self._session.call("PUT", f"{_path(name)}/{action}", needs=_needs(name, "member"))

    def destroy(self, name: str) -> None:
        self._session.call("DELETE", _path(name), needs=_needs(name, "member"))

    def order(self, team: str, names: list[str]) -> None:
        path = f"/teams/{quote(team, safe='')}/pipelines/ordering"
        self._session.call("PUT", path, needs=f"role member in team {team}", json=names)

    def workers(self) -> list[str]:
        """The states of all workers."""
        answer = self._session.call("GET", "/workers", needs="a role in any team")
        if not isinstance(answer.data, list):
            raise Unavailable("what answers is no Concourse: its list of workers is none")
        return [str(worker.get("state", "")) for worker in answer.data]

    def _put(self, resource: Resource, config: Mapping[str, Any], version: str, params: Mapping[str, str]) -> Answer:
        headers = {_VERSION: version} if version else {}
        name = resource.name
        # `json=` sends `application/json`, one of the two spellings that Concourse takes.
        return self._session.call(
            "PUT",
            f"{_path(name)}/config",
            needs=_needs(name, "member"),
            json=sent(config),
            params=params,
            headers=headers,
            accept=(400, 404, 500),
        )

    def _checks(self) -> bool:
        """An older Concourse, which knows no instances, might save what it is asked to check."""
        if not self._old_enough:
            info = self._session.call("GET", "/info", needs="nothing").data
            version = str(info.get("version", "")) if isinstance(info, Mapping) else ""
            major = version.partition(".")[0]
            self._old_enough = major.isdecimal() and int(major) >= _OLDEST
        return self._old_enough


def _row(row: Mapping[str, Any]) -> Row | None:
    try:
        if row.get("instance_vars"):
            return None
        name = f"pipeline:{row['team_name']}/{row['name']}"
        return Row(name, owner(row), bool(row["paused"]), bool(row["public"]), bool(row["archived"]))
    except (KeyError, TypeError, AttributeError):
        raise Unavailable("what answers is no Concourse: its list of pipelines holds none") from None


def _team(name: str) -> str:
    return name.partition(":")[2].partition("/")[0]


def _path(name: str) -> str:
    team, _, pipeline = name.partition(":")[2].partition("/")
    return f"/teams/{quote(team, safe='')}/pipelines/{quote(pipeline, safe='')}"


def _needs(name: str, role: str) -> str:
    return f"role {role} in team {_team(name)}"


def _mistake(resource: Resource, answer: Answer) -> InvalidRevision:
    errors = answer.data.get("errors") if isinstance(answer.data, Mapping) else None
    said = "; ".join(map(str, errors)) if isinstance(errors, list) else answer.text
    return InvalidRevision.at(f"concourse says: {secret.mask(' '.join(said.split()))[:_LONGEST]}", resource.origin)
