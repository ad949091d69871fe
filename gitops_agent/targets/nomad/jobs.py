"""Calls about jobs: list, parse, plan, register, deregister. What Nomad says no to becomes an error of who must act."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Resource
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.words import Object

_PLACE = re.compile(r"^[^\s:]*:(\d+),\d+(?:-\d+)?(?:,\d+)?: ", re.MULTILINE)
_INVALID = re.compile(r"\A\d+ errors? occurred:")
_LONGEST = 300


@dataclass(frozen=True)
class Planned:
    """A job as it would be registered, and what the server says of it. `index` goes into EnforceIndex; 0: it must not exist."""

    job: Object
    index: int
    diff: Object
    failed: Mapping[str, Object]


@dataclass(frozen=True)
class Registered:
    """`evaluation` is empty for periodic and parameterized jobs."""

    evaluation: str
    index: int


class Jobs:
    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self.namespace_comes = False
        """True while the namespace is missing, but among what is about to be made."""

    def rows(self) -> dict[str, Object]:
        """Every job of the namespace by its name, stopped ones too, without those that periodic and parameterized jobs spawned."""
        return self.rows_after(0, "0s")[0]

    def rows_after(self, index: int, wait: str) -> tuple[dict[str, Object], int]:
        """The same as soon as it is newer than `index`, or after `wait`; with the index it is at."""
        parameters: dict[str, str | int] = {"index": index, "wait": wait} if index else {}
        answer = self._client.read("jobs", needs=self._needs("list-jobs"), parameters=parameters)
        try:
            return {f"job:{row['ID']}": row for row in answer.data if not row["ParentID"]}, answer.index
        except (KeyError, TypeError):
            raise Unavailable("what answers instead of nomad speaks nonsense") from None

    def plan(self, resource: Resource, row: Object | None) -> Planned:
        """`row` is the live job's, None where there is none. Raises InvalidRevision for what this server does not take."""
        job = self._parsed(resource)
        if row is not None and not row["Stop"] and any(group.get("Scaling") for group in job["TaskGroups"]):
            job = {**job, "TaskGroups": self._with_live_counts(job)}
        path = f"job/{job['ID']}/plan"
        answer = self._client.read(path, needs=self._needs("submit-job"), body={"Job": job, "Diff": True}, accept=(400, 500))
        if answer.status != 200:
            if self.namespace_comes and "nonexistent namespace" in answer.text:
                return Planned(job, 0, {"Type": "Added"}, {})
            if _INVALID.match(answer.text) and "nonexistent namespace" not in answer.text:
                raise _invalid(resource, _one_line(_INVALID.sub("", answer.text).replace("*", "")))
            if answer.status == 400:
                raise _invalid(resource, _one_line(answer.text))
            raise Unavailable(f"nomad cannot plan {resource.name}: {_one_line(answer.text)}")
        try:
            return Planned(job, int(answer.data["JobModifyIndex"]), answer.data["Diff"], answer.data.get("FailedTGAllocs") or {})
        except (KeyError, TypeError, ValueError):
            raise Unavailable("what answers instead of nomad speaks nonsense") from None

    def register(self, resource: Resource, planned: Planned) -> Registered:
        """Raises Conflict when the job was changed since it was planned."""
        spec = resource.spec
        body: dict[str, Any] = {"Job": planned.job, "EnforceIndex": True, "JobModifyIndex": planned.index}
        if "hcl" in spec:
            body["Submission"] = {"Source": spec["hcl"], "Format": "hcl2", "Variables": spec.get("variables", "")}
        answer = self._client.write("post", "jobs", needs=self._needs("submit-job"), body=body, accept=(500,))
        if answer.status == 500:
            if "Enforcing job modify index" in answer.text:
                raise Conflict(f"{resource.name} was changed by somebody else in the meantime")
            if "leader" in answer.text or "rpc error" in answer.text:
                raise Unavailable(f"nomad cannot take {resource.name} now: {_one_line(answer.text)}")
            raise ApplyFailed(f"nomad did not take {resource.name}: {_one_line(answer.text)}")
        return Registered(answer.data["EvalID"], int(answer.data["JobModifyIndex"]))

    def deregister(self, name: str) -> None:
        """Stops it and keeps its history: nothing is purged. What is gone already is fine."""
        self._client.write("delete", f"job/{name.removeprefix('job:')}", needs=self._needs("submit-job"), accept=(404,))

    def _parsed(self, resource: Resource) -> dict[str, Any]:
        spec = resource.spec
        job = dict(spec["job"]) if "job" in spec else self._parsed_hcl(resource)
        name = resource.name.removeprefix("job:")
        if job.setdefault("ID", name) != name:
            raise _invalid(resource, f"its id is {job['ID']!r}: it must be the name after `job`")
        if (job.get("Namespace") or self._namespace) != self._namespace:
            raise _invalid(resource, f"is for namespace {job['Namespace']!r}, this target's is {self._namespace!r}")
        if not isinstance(job.get("TaskGroups"), Sequence):
            raise _invalid(resource, "has no groups")
        return {**job, "Namespace": self._namespace}

    def _parsed_hcl(self, resource: Resource) -> dict[str, Any]:
        body = {"JobHCL": resource.spec["hcl"], "Variables": resource.spec.get("variables", ""), "Canonicalize": False}
        answer = self._client.read("jobs/parse", needs=self._needs("parse-job"), body=body, accept=(400,))
        if answer.status == 400:
            text = answer.text.removeprefix("Failed to parse job: ").removeprefix("<nil>: ")
            place = _PLACE.match(text)
            raise _invalid(resource, _one_line(_PLACE.sub("", text)), int(place[1]) if place else 0)
        return dict(answer.data)

    def _with_live_counts(self, job: Object) -> Sequence[Object]:
        """An autoscaler's counts are its own: the repository says where a new group starts, and between which bounds."""
        live = self._client.read(f"job/{job['ID']}", needs=self._needs("read-job")).data
        counts = {group["Name"]: group["Count"] for group in live["TaskGroups"]}
        return [_at_live_count(group, counts.get(group["Name"])) for group in job["TaskGroups"]]

    def _needs(self, capability: str) -> str:
        return f'namespace "{self._namespace}" {{ capabilities = ["{capability}"] }}'


def _at_live_count(group: Object, live: int | None) -> Object:
    scaling = group.get("Scaling")
    if not scaling or live is None or scaling.get("Enabled") is False:
        return group
    low, high = scaling.get("Min"), scaling.get("Max")
    bounded = max(live, low if low is not None else live)
    return {**group, "Count": min(bounded, high if high is not None else bounded)}


def _invalid(resource: Resource, message: str, line: int = 0) -> InvalidRevision:
    origin = replace(resource.origin, line=line) if line and resource.origin else resource.origin
    return InvalidRevision.at(f"{resource.name}: {message}", origin)


def _one_line(text: str) -> str:
    return secret.mask(" ".join(text.split()))[:_LONGEST]
