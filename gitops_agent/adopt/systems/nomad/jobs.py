"""Jobs whose source the server has kept. One without is only there, and is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_agent.adopt.described import Entry, Part
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source


def describe(source: Source) -> Iterator[tuple[str, Entry]]:
    """Each with its namespace."""
    for row in source.get("/v1/jobs", params={"namespace": "*"}) or []:
        if not row["ParentID"] and not row["Stop"]:
            yield from ((row["Namespace"], entry) for entry in _job(source, row))


def _job(source: Source, row: dict[str, Any]) -> Iterator[Entry]:
    name, said = row["ID"], f"job {row['ID']}"
    where = {"namespace": row["Namespace"]}
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
