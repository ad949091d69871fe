"""What a fake Nomad remembers, and what it says of it."""

from __future__ import annotations

import copy
import itertools
import json
import time
from collections.abc import Collection
from typing import Any

from tests.fakes.nomad_things import Refused, Things

Json = Any
_VOLATILE = ("JobModifyIndex", "ModifyIndex", "CreateIndex", "Version", "SubmitTime", "Status")
_CREATED = ("CreateIndex", "CreateTime")
_COUNTS = ("Complete", "Failed", "Lost", "Queued", "Running", "Starting", "Unknown")


class State:
    def __init__(self) -> None:
        self.jobs: dict[str, Json] = {}
        self.jobs_index = 0
        self.submissions: dict[str, Json] = {}
        self.variables: dict[tuple[str, str], Json] = {}
        """By namespace and path."""
        self.evaluations: dict[str, Json] = {}
        self.deployments: list[Json] = []
        self.sick: dict[str, str] = {}
        """Words by job: why its task fails; its deployment fails with it."""
        self._indexes = itertools.count(10)
        self.namespaces = Things(self._indexes)
        self.policies = Things(self._indexes)
        self.roles = Things(self._indexes)
        self.namespaces.put({"Name": "default", "Description": "Default shared namespace", "Meta": None, "Capabilities": None})

    def rows(self, namespace: str) -> list[Json]:
        jobs = [(name, job) for name, job in sorted(self.jobs.items()) if namespace in (job["Namespace"], "*")]
        return [_row(job, healthy=name not in self.sick) for name, job in jobs]

    def job(self, name: str) -> Json:
        if name not in self.jobs:
            raise Refused(404, "job not found")
        return self.jobs[name]

    def plan(self, job: Json) -> Json:
        wanted = _canonical(job, self.namespaces.things)
        live = self.jobs.get(job["ID"])
        return {
            "Diff": _diff(live, wanted),
            "JobModifyIndex": live["JobModifyIndex"] if live else 0,
            "FailedTGAllocs": None,
            "Warnings": "",
        }

    def register(self, body: Json) -> Json:
        job = _canonical(body["Job"], self.namespaces.things)
        live = self.jobs.get(job["ID"])
        if body.get("EnforceIndex"):
            _enforce(live, body["JobModifyIndex"])
        changed = live is None or _essence(live) != _essence(job)
        index = next(self._indexes)
        self.jobs_index = index
        if changed:
            version = live["Version"] + 1 if live else 0
            stamps = {"JobModifyIndex": index, "CreateIndex": live["CreateIndex"] if live else index, "Version": version}
            self.jobs[job["ID"]] = {**job, **stamps, "ModifyIndex": index, "SubmitTime": time.time_ns(), "Status": "running"}
            self.submissions[job["ID"]] = body.get("Submission")
        evaluation = self._evaluated(job, index)
        # As the real one: the ModifyIndex where nothing changed.
        return {"EvalID": evaluation, "JobModifyIndex": index if changed or live is None else live["ModifyIndex"], "Warnings": ""}

    def deregister(self, name: str, *, purge: bool) -> Json:
        job = self.jobs.get(name)
        if job is None:
            return {"EvalID": "", "JobModifyIndex": 0}
        index = next(self._indexes)
        self.jobs_index = index
        if purge:
            del self.jobs[name]
        else:
            self.jobs[name] = {**job, "Stop": True, "Status": "dead", "JobModifyIndex": index, "ModifyIndex": index}
        return {"EvalID": "", "JobModifyIndex": index}

    def submission(self, name: str, version: int) -> Json:
        """What the newest version was made of, where whoever submitted it said so."""
        kept = self.submissions.get(name)
        if not kept or self.job(name)["Version"] != version:
            raise Refused(404, "job source not found")
        return {"Variables": "", "VariableFlags": None, **kept}

    def allocations(self, name: str) -> list[Json]:
        job = self.job(name)
        placed = {"ID": "allocation", "TaskGroup": "main", "DesiredStatus": "run", "JobVersion": job["Version"]}
        if name not in self.sick:
            return [{**placed, "ClientStatus": "running", "DeploymentStatus": {"Healthy": True}, "CreateIndex": job["ModifyIndex"]}]
        events = [{"Type": "Driver Failure", "DisplayMessage": self.sick[name]}, {"Type": "Not Restarting", "DisplayMessage": ""}]
        states = {"main": {"Failed": True, "Events": events}}
        return [{**placed, "ClientStatus": "failed", "TaskStates": states, "CreateIndex": job["ModifyIndex"]}]

    def variable(self, namespace: str, path: str) -> Json:
        if (namespace, path) not in self.variables:
            raise Refused(404, "variable not found")
        return self.variables[namespace, path]

    def put_variable(self, namespace: str, path: str, body: Json, cas: int | None) -> Json:
        live = self.variables.get((namespace, path))
        if cas is not None and cas != (live["ModifyIndex"] if live else 0):
            raise Refused(409, json.dumps(live or {"Path": path, "ModifyIndex": 0, "Namespace": namespace}))
        index, now = next(self._indexes), time.time_ns()
        stamps = {"CreateIndex": index, "CreateTime": now, **{name: live[name] for name in _CREATED if live}}
        stamps |= {"ModifyIndex": index, "ModifyTime": now}
        self.variables[namespace, path] = {"Path": path, "Items": body["Items"], "Namespace": namespace, **stamps}
        self.variables[namespace, path] |= {"Lock": body["Lock"]} if "Lock" in body else {}
        return self.variables[namespace, path]

    def delete_variable(self, namespace: str, path: str, cas: int | None) -> None:
        live = self.variables.get((namespace, path))
        if cas is not None and cas != (live["ModifyIndex"] if live else 0):
            raise Refused(409, json.dumps(live or {"Path": path, "ModifyIndex": 0, "Namespace": namespace}))
        self.variables.pop((namespace, path), None)

    def _evaluated(self, job: Json, index: int) -> str:
        if job["Periodic"] or job["ParameterizedJob"]:
            return ""
        identity = f"evaluation-{index}"
        self.evaluations[identity] = {"ID": identity, "Status": "complete", "FailedTGAllocs": None}
        if job["Type"] == "service":
            sick = job["ID"] in self.sick
            status = (
                ("failed", "Failed due to unhealthy allocations") if sick else ("successful", "Deployment completed successfully")
            )
            groups = {group["Name"]: {"DesiredTotal": group["Count"]} for group in job["TaskGroups"]}
            self.deployments.append(
                {
                    "ID": f"deployment-{index}",
                    "JobID": job["ID"],
                    "JobVersion": self.jobs[job["ID"]]["Version"],
                    "JobSpecModifyIndex": index,
                    "CreateIndex": index,
                    "TaskGroups": groups,
                }
                | dict(zip(("Status", "StatusDescription"), status, strict=True))
            )
        return identity


def _canonical(job: Json, namespaces: Collection[str]) -> Json:
    """With the defaults that the real one fills in, where the tests look at them."""
    if not job.get("TaskGroups"):
        raise Refused(500, "1 error occurred:\n\t* Missing job task groups\n\n")
    if (job.get("Namespace") or "default") not in namespaces:
        raise Refused(500, f'1 error occurred:\n\t* job "{job["ID"]}" is in nonexistent namespace "{job["Namespace"]}"\n\n')
    defaults = {"Type": "service", "Namespace": "default", "Priority": 50}
    filled = {**dict.fromkeys(("Periodic", "ParameterizedJob", "Meta")), "ParentID": "", **copy.deepcopy(job)}
    filled |= {name: filled.get(name) or value for name, value in defaults.items()}
    filled["Stop"] = False
    for group in filled["TaskGroups"]:
        group.setdefault("Meta", None)
        group["Scaling"] = group.get("Scaling")
        for task in group["Tasks"]:
            task.setdefault("Meta", None)
            task["Env"] = task.get("Env") or None
    return filled


def _essence(job: Json) -> Json:
    return {name: value for name, value in job.items() if name not in _VOLATILE}


def _enforce(live: Json, index: int) -> None:
    if live is None and index:
        raise Refused(500, f"Enforcing job modify index {index}: job does not exist")
    if live is not None and index == 0:
        raise Refused(500, "Enforcing job modify index 0: job already exists")
    if live is not None and live["JobModifyIndex"] != index:
        found = live["JobModifyIndex"]
        raise Refused(500, f"Enforcing job modify index {index}: job exists with conflicting job modify index: {found}")


def _row(job: Json, *, healthy: bool) -> Json:
    counts = dict.fromkeys(_COUNTS, 0)
    spawns = bool(job["Periodic"] or job["ParameterizedJob"])
    if not job["Stop"] and not spawns:
        counts["Running" if healthy else "Failed"] = sum(group["Count"] for group in job["TaskGroups"])
    return {
        **{name: job[name] for name in ("ID", "Name", "Namespace", "ParentID", "Type", "Stop", "SubmitTime")},
        **{name: job[name] for name in ("CreateIndex", "ModifyIndex", "JobModifyIndex", "Priority")},
        "Periodic": bool(job["Periodic"]),
        "ParameterizedJob": bool(job["ParameterizedJob"]),
        "Status": job["Status"] if healthy else "dead",
        "JobSummary": {"Summary": {group["Name"]: dict(counts) for group in job["TaskGroups"]}},
    }


def _diff(live: Json, wanted: Json) -> Json:
    if live is None:
        return {"Type": "Added", "ID": wanted["ID"], "Fields": [_field("Name", None, wanted["ID"])], "TaskGroups": None}
    groups = [_group_diff(group, _named(live["TaskGroups"], group["Name"])) for group in wanted["TaskGroups"]]
    names = sorted((_essence(live).keys() | _essence(wanted).keys()) - {"TaskGroups"})
    changed = [_field(name, live.get(name), wanted.get(name)) for name in names if live.get(name) != wanted.get(name)]
    edited = changed or any(group["Type"] != "None" for group in groups) or len(live["TaskGroups"]) != len(groups)
    return {"Type": "Edited" if edited else "None", "ID": wanted["ID"], "Fields": changed or None, "TaskGroups": groups}


def _group_diff(wanted: Json, live: Json) -> Json:
    if live is None:
        return {"Type": "Added", "Name": wanted["Name"]}
    changed = [
        _field(name, live.get(name), wanted.get(name))
        for name in ("Count", "Meta", "Scaling")
        if live.get(name) != wanted.get(name)
    ]
    tasks = []
    for task in wanted["Tasks"]:
        before = _named(live["Tasks"], task["Name"]) or {}
        fields = [field for name in ("Env", "Config") for field in _inside(name, before.get(name) or {}, task.get(name) or {})]
        tasks.append({"Type": "Edited" if fields else "None", "Name": task["Name"], "Fields": fields or None})
    edited = changed or any(task["Type"] != "None" for task in tasks)
    return {"Type": "Edited" if edited else "None", "Name": wanted["Name"], "Fields": changed or None, "Tasks": tasks}


def _inside(name: str, live: Json, wanted: Json) -> list[Json]:
    keys = sorted(live.keys() | wanted.keys())
    return [_field(f"{name}[{key}]", live.get(key), wanted.get(key)) for key in keys if live.get(key) != wanted.get(key)]


def _field(name: str, old: Json, new: Json) -> Json:
    kind = "Added" if old is None else "Deleted" if new is None else "Edited"
    return {"Type": kind, "Name": name, "Old": _told(old), "New": _told(new)}


def _told(value: Json) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _named(things: list[Json], name: str) -> Json:
    return next((thing for thing in things if thing["Name"] == name), None)
