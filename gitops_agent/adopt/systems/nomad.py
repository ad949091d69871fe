"""Nomad: jobs whose source the server has kept, by namespace, and ACL policies. A job without one is only there, and is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from gitops_agent.adopt.described import Described, Entry, Part
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import AgentError

_DEFAULT = "default"


def describe(source: Source) -> Iterator[Described]:
    namespaces: dict[str, list[Entry]] = defaultdict(list)
    for row in source.get("/v1/jobs", params={"namespace": "*"}) or []:
        if not row["ParentID"] and not row["Stop"]:
            namespaces[row.get("Namespace") or _DEFAULT] += _job(source, row)
    try:
        namespaces[_DEFAULT] += _policies(source)
    except AgentError as error:
        source.left.add(Why.ATTENTION, "nomad's ACL policies", str(error))
    for namespace, entries in sorted(namespaces.items()):
        settings = {**source.settings, "namespace": namespace, "secrets": ["file:*"]}
        if namespace == _DEFAULT:
            yield Described(Table("nomad", "nomad", settings), tuple(entries))
        else:
            only = {"only": ["job:*", "variable:*"]}
            yield Described(Table("nomad", f"nomad-{namespace.lower()}", {**settings, **only}), tuple(entries))


def _job(source: Source, row: dict[str, Any]) -> Iterator[Entry]:
    name, said = row["ID"], f"job {row['ID']}"
    where = {"namespace": row.get("Namespace") or _DEFAULT}
    found = source.get(f"/v1/job/{name}", params=where) or {}
    kept = source.get(f"/v1/job/{name}/submission", params={**where, "version": found.get("Version", 0)}) or {}
    text, form = kept.get("Source"), kept.get("Format")
    if not text or form not in ("hcl2", "json"):
        source.left.add(Why.SYSTEM, said, "Nomad has kept no source of it: write one")
        return
    if kept.get("VariableFlags"):
        source.left.add(Why.SYSTEM, said, "was submitted with variables on the command line")
        return
    parts = [Part(f"{name}.nomad.hcl" if form == "hcl2" else f"{name}.nomad.json", text)]
    if kept.get("Variables"):
        parts.append(Part(f"{name}.vars" if form == "hcl2" else f"{name}.nomad.vars", kept["Variables"]))
    yield Entry(said, tuple(parts))


def _policies(source: Source) -> Iterator[Entry]:
    """None where ACLs are off."""
    for stub in source.get("/v1/acl/policies") or []:
        found = source.get(f"/v1/acl/policy/{stub['Name']}") or {}
        parts = [Part(f"policies/{stub['Name']}.hcl", f"{found.get('Rules', '').rstrip()}\n")]
        if found.get("Description") or found.get("JobACL"):
            parts.append(Part("policies.yaml", _more(found), stub["Name"]))
        yield Entry(f"policy {stub['Name']}", tuple(parts))


def _more(found: dict[str, Any]) -> dict[str, Any]:
    job = found.get("JobACL") or {}
    names = {"namespace": "Namespace", "id": "JobID", "group": "Group", "task": "Task"}
    said = {name: job[field] for name, field in names.items() if job.get(field)}
    return {**({"description": found["Description"]} if found.get("Description") else {}), **({"job": said} if said else {})}
