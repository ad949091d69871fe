"""What the folder says of jobs: one a file, in HCL2 or in the JSON of Nomad's API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent import hcl
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin, Resource

ENDINGS = (".nomad.hcl", ".hcl", ".nomad", ".nomad.json", ".json")
VARIABLES = ".vars"
_BLOCKS = frozenset({"job", "variable", "variables", "locals"})
_NAME = re.compile(r"[^\s\x00/:]{1,128}")
"""Nomad takes more (`/`, `:`), which no path and no list of names takes without escapes."""


def jobs(files: Files) -> Iterator[Resource]:
    """`job:<id>`, with either `hcl` (and `variables`) or `job`, as JSON, in its spec. Raises InvalidRevision."""
    stems = {_stem(path) for path in files if path.endswith(ENDINGS)}
    for path, content in files.items():
        text = hcl.text(path, content)
        if path.endswith(VARIABLES):
            if path.removesuffix(VARIABLES) not in stems:
                raise InvalidRevision("has the variables of no job: there is no .hcl of that name beside it", file=path)
            [*hcl.blocks(path, text)]
        elif not text.strip():
            continue  # what a template comes to that has nothing to declare, yet
        elif path.endswith(".json"):
            yield _from_json(path, text)
        else:
            beside = _stem(path) + VARIABLES
            yield _from_hcl(path, text, hcl.text(beside, files[beside]) if beside in files else None)


def _from_hcl(path: str, text: str, variables: str | None) -> Resource:
    blocks = [*hcl.blocks(path, text)]
    for block in blocks:
        if block.kind not in _BLOCKS:
            raise InvalidRevision(f"{block.kind} is nothing that stands beside a job", file=path, line=block.line)
    found = [block for block in blocks if block.kind == "job"]
    if not found:
        raise InvalidRevision('declares no job: there is no `job "name" {`', file=path)
    if len(found) > 1:
        raise InvalidRevision(f"declares a second job; the other is in line {found[0].line}", file=path, line=found[1].line)
    spec = {"hcl": text} if variables is None else {"hcl": text, "variables": variables}
    return _resource(found[0].name, spec, Origin(path, found[0].line))


def _from_json(path: str, text: str) -> Resource:
    try:
        job: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRevision(f"is no JSON: {getattr(error, 'msg', error)}", file=path, line=getattr(error, "lineno", 0)) from None
    if isinstance(job, Mapping):
        job = job.get("Job", job)
    if not isinstance(job, Mapping) or not isinstance(name := job.get("ID") or job.get("Name"), str):
        raise InvalidRevision("is no job as Nomad's API has it: it has no ID", file=path)
    return _resource(name, {"job": job}, Origin(path))


def _resource(name: str, spec: Mapping[str, Any], origin: Origin) -> Resource:
    if not _NAME.fullmatch(name):
        raise InvalidRevision.at(f"{name!r} cannot be a job's name here", origin)
    return Resource(f"job:{name}", spec, origin=origin)


def _stem(path: str) -> str:
    return path.removesuffix(next(ending for ending in ENDINGS if path.endswith(ending)))
