"""Whether what was registered runs: evaluation, then deployment, then allocations; two calls when all is well.

Batch, periodic and parameterized jobs never have a deployment, system jobs have one since Nomad 1.11: nothing waits for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent.errors import Unavailable
from gitops_agent.model import HEALTHY, Health, HealthStatus
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.jobs import Jobs
from gitops_agent.targets.nomad.words import Object, unplaced

_UNDER_WAY = ("running", "pending", "initializing", "paused", "blocked", "unblocking")
_NAMED = 3


class Rollouts:
    """What became of registered jobs. One look a call."""

    def __init__(self, client: Client, jobs: Jobs, namespace: str) -> None:
        self._client = client
        self._jobs = jobs
        self.rows: Mapping[str, Object] = {}
        """Of the last look."""
        self._needs = f'namespace "{namespace}" {{ capabilities = ["read-job"] }}'
        self.evaluations: dict[str, str] = {}
        """By name, of jobs just registered: until Nomad has evaluated one, nothing else says anything of it."""
        self._unplaced: dict[str, str] = {}
        self.reverted: dict[str, str] = {}
        """Words by name, of jobs that Nomad was found to have taken back."""

    def look(self, names: list[str], registered: Mapping[str, int]) -> Health:
        """`names` are of the jobs that shall run, `registered` their indexes where this agent knows them.

        Evaluations are asked for first: what was listed before one was complete knows nothing of its deployment yet, and would
        take the version before for the new one."""
        try:
            waiting = {name: health for name in names if (health := self._evaluation(name))}
            self.rows = self._jobs.rows()
            deployments = self._deployments()
            found = [*waiting.values()]
            for name in names:
                if name not in waiting:
                    found += self._job(name, self.rows.get(name), deployments, registered.get(name, 0))
        except (KeyError, TypeError, AttributeError):
            raise Unavailable("what answers instead of nomad speaks nonsense") from None
        for status in (HealthStatus.DEGRADED, HealthStatus.PROGRESSING):
            reasons = [health.reason for health in found if health.status is status]
            if reasons:
                more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
                return Health(status, "; ".join(reasons[:_NAMED]) + more)
        return HEALTHY

    def _job(self, name: str, row: Object | None, deployments: Mapping[tuple[str, int], Object], index: int) -> Iterator[Health]:
        if row is None or row["Stop"]:
            return  # drift, which the next run mends, or a batch job that was done
        if row["Periodic"] or row["ParameterizedJob"]:
            return
        job = name.removeprefix("job:")
        deployment = deployments.get((job, index)) or deployments.get((job, row["JobModifyIndex"]))
        if deployment is not None and deployment["Status"] == "failed":
            if deployment["JobSpecModifyIndex"] == row["JobModifyIndex"] and self._recovered(job, deployment):
                return
            words = self._with_trouble(f"{name}: {deployment['StatusDescription']}".rstrip("."), job, deployment["JobVersion"])
            if deployment["JobSpecModifyIndex"] != row["JobModifyIndex"] and "rolling back" in deployment["StatusDescription"]:
                self.reverted[name] = words
            yield Health(HealthStatus.DEGRADED, words)
        elif deployment is not None and deployment["Status"] in _UNDER_WAY:
            yield Health(HealthStatus.PROGRESSING, self._under_way(name, deployment))
        else:
            yield from self._running(name, job, row)

    def _evaluation(self, name: str) -> Health | None:
        if not (identity := self.evaluations.get(name)):
            return None
        evaluation = self._client.read(f"evaluation/{identity}", needs=self._needs).data
        status = evaluation["Status"]
        if status in ("failed", "canceled"):
            return Health(HealthStatus.DEGRADED, f"{name}: evaluation {status}: {evaluation.get('StatusDescription', '')}")
        if status != "complete":
            return Health(HealthStatus.PROGRESSING, f"{name}: waits to be evaluated")
        del self.evaluations[name]
        self._unplaced[name] = unplaced(evaluation.get("FailedTGAllocs"))
        return None

    def _under_way(self, name: str, deployment: Object) -> str:
        parts = []
        for group, state in deployment["TaskGroups"].items():
            waiting = state["DesiredCanaries"] and not state["Promoted"] and not state["AutoPromote"]
            promotion = ", waits for promotion" if waiting and state["HealthyAllocs"] >= state["DesiredCanaries"] else ""
            parts.append(f"group {group}: {state['HealthyAllocs']} of {state['DesiredTotal']} healthy{promotion}")
        words = f"{name}: {self._unplaced.get(name) or ', '.join(parts)}"
        sick = any(state["UnhealthyAllocs"] for state in deployment["TaskGroups"].values())
        return self._with_trouble(words, name.removeprefix("job:")) if sick else words

    def _running(self, name: str, job: str, row: Object) -> Iterator[Health]:
        counts = ((row.get("JobSummary") or {}).get("Summary") or {}).values()
        total = {what: sum(group[what] for group in counts) for what in ("Queued", "Starting", "Running", "Failed", "Lost")}
        if row["Status"] == "dead" and (total["Failed"] or total["Lost"]):  # counts of all times: the last attempts tell
            if trouble := self._trouble(job):
                yield Health(HealthStatus.DEGRADED, f"{name}: {trouble}")
        elif row["Status"] == "pending" or total["Queued"] or total["Starting"]:
            waiting = total["Queued"] + total["Starting"]
            words = self._unplaced.get(name) or f"{waiting} allocations wait to run, {total['Running']} run"
            yield Health(HealthStatus.PROGRESSING, self._with_trouble(f"{name}: {words}", job))

    def _recovered(self, job: str, deployment: Object) -> bool:
        """Whether Nomad got it to run after its deployment had failed, by another try: the deployment stays failed."""
        allocations = self._client.read(f"job/{job}/allocations", needs=self._needs).data
        well = [
            one
            for one in allocations
            if one["JobVersion"] == deployment["JobVersion"]
            and (one["ClientStatus"], one["DesiredStatus"]) == ("running", "run")
            and (one.get("DeploymentStatus") or {}).get("Healthy")
        ]
        return bool(well) and len(well) >= sum(group["DesiredTotal"] for group in deployment["TaskGroups"].values())

    def _with_trouble(self, words: str, job: str, version: int | None = None) -> str:
        trouble = self._trouble(job, version)
        return f"{words}; {trouble}" if trouble else words

    def _trouble(self, job: str, version: int | None = None) -> str:
        """What the tasks say that failed, or are begun again and again: those of the newest version, or of one that may have been
        taken back since. An allocation that was replaced within its version leaves it to its successor."""
        allocations = self._client.read(f"job/{job}/allocations", needs=self._needs).data
        if version is None:
            version = max((one["JobVersion"] for one in allocations), default=0)
        concerned = {one["ID"]: one for one in allocations if one["JobVersion"] == version}
        for one in sorted(concerned.values(), key=lambda one: -int(one["CreateIndex"])):
            if one.get("NextAllocation") in concerned:
                continue
            lost = one["ClientStatus"] in ("failed", "lost")
            for task, state in (one.get("TaskStates") or {}).items():
                if state["Failed"] if lost else state.get("Restarts"):
                    return f"task {task}: {_telling(state.get('Events') or [])}"
            if lost:
                return f"group {one['TaskGroup']}: {one.get('ClientDescription') or one['ClientStatus']}"
        return ""

    def _deployments(self) -> dict[tuple[str, int], Object]:
        """The newest by job and the index of the version it brings."""
        found = self._client.read("deployments", needs=self._needs).data
        ordered = sorted(found, key=lambda one: int(one["CreateIndex"]))
        return {(one["JobID"], one["JobSpecModifyIndex"]): one for one in ordered}


def _telling(events: list[Mapping[str, Any]]) -> str:
    """The last event that says why, rather than that."""
    for wanted in ("Driver Failure", "Setup Failure", "Failed Artifact Download", "Failed Validation", "Terminated"):
        for event in reversed(events):
            if event["Type"] == wanted:
                return str(event.get("DisplayMessage") or wanted)
    return str(events[-1].get("DisplayMessage", "")) if events else "failed"
