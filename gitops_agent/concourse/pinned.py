"""Where one-off builds are refused: the same steps as the only job of a pipeline of its own, each pinned to the commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitops_agent.concourse.plans import Plan
from gitops_agent.concourse.session import Session
from gitops_agent.errors import ApplyFailed, Unavailable

JOB = "build"
_VERSION = "X-Concourse-Config-Version"


class PinnedJob:
    """`pipeline` is written anew for each build and belongs to nobody else. Takes role `member` in the team.

    Slower than a one-off build by Concourse's scheduler, some 30 s: it finds the version first, and one that it never finds leaves
    the build pending until whoever follows it loses patience.
    """

    def __init__(self, session: Session, team: str, pipeline: str) -> None:
        self._session = session
        self._path = f"/teams/{quote(team, safe='')}/pipelines/{quote(pipeline, safe='')}"
        self._role = f"role member in team {team}"

    def start(self, plan: Plan) -> int:
        """The number of the build; `plan` is one made by `in_order`. Raises Unavailable, ApplyFailed."""
        config, commits = _pipeline(plan)
        self._set(config)
        for resource, version in commits.items():
            self._call("POST", f"/resources/{quote(resource, safe='')}/check", json={"from": version, "shallow": True})
        answer = self._call("POST", f"/jobs/{JOB}/builds")
        try:
            return int(answer.data["id"])
        except (KeyError, TypeError, ValueError):
            raise Unavailable("what answers is no Concourse: a build that was started has no id") from None

    def _set(self, config: Mapping[str, Any]) -> None:
        known = self._call("GET", "/config", accept=(404,))
        headers = {"Content-Type": "application/json"}
        if _VERSION in known.headers:
            headers[_VERSION] = known.headers[_VERSION]
        self._call("PUT", "/config", data=json.dumps(config).encode(), headers=headers)
        self._call("PUT", "/unpause")  # through the API they are born paused

    def _call(self, method: str, path: str, **request: Any) -> Any:
        return self._session.call(method, f"{self._path}{path}", needs=self._role, **request)


def _pipeline(plan: Plan) -> tuple[Mapping[str, Any], Mapping[str, Mapping[str, str]]]:
    """The pipeline's configuration, and the version of each resource in it."""
    resources, steps, versions = [], [], {}
    for step in plan["do"]:
        if "get" in step:
            get = step["get"]
            resources.append({"name": get["name"], "type": get["type"], "source": get["source"], "check_every": "never"})
            steps.append({"get": get["name"], "version": get["version"]})
            versions[get["name"]] = get["version"]
        elif "task" in step:
            steps.append({"task": step["task"]["name"], "config": step["task"]["config"]})
        else:
            raise ApplyFailed("a step that is neither get nor task cannot be put into a pinned job")
    return {"resources": resources, "jobs": [{"name": JOB, "plan": steps}]}, versions
