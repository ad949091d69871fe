"""As much HCL2 as the jobs of the tests have: blocks, values on one line, variables, comments."""

from __future__ import annotations

import re
from typing import Any

_KNOWN = {
    "job": {"type", "namespace", "priority", "group", "periodic", "update"},
    "group": {"count", "task", "restart", "scaling"},
    "task": {"driver", "kill_timeout", "config", "env", "resources"},
}
_LINE = re.compile(r'(?P<block>\w+)(?:\s+"(?P<label>[^"]*)")?\s*\{|(?P<name>\w+)\s*=\s*(?P<value>.+?)|(?P<end>\})')
_CAPITALS = {"cpu": "CPU", "memory": "MemoryMB", "crons": "Specs", "min": "Min", "max": "Max"}
_PERIODIC = "periodic"


class HclError(Exception):
    """In the words of a real one, place first."""


def job_from(hcl: str, variables: str) -> dict[str, Any]:
    """What `/v1/jobs/parse` answers, not canonicalized."""
    given = {name.strip(): _value(value, {}, 0) for name, _, value in (line.partition("=") for line in variables.splitlines())}
    missing = [label for label in re.findall(r'^variable "(\w+)"', hcl, re.MULTILINE) if label not in given]
    if missing:
        raise HclError(f'<nil>: Unset variable "{missing[0]}"; A used variable must be set or have a default value')
    jobs = _parse(hcl, given).get("job", {})
    if len(jobs) != 1:
        raise HclError("input.hcl:1,1-2: Missing job block; or more than one")
    ((name, job),) = jobs.items()
    periodic = job.get(_PERIODIC)
    return {
        "ID": name,
        "Name": name,
        "Namespace": job.get("namespace"),
        "Type": job.get("type"),
        "Periodic": None if periodic is None else {_CAPITALS.get(key, key): value for key, value in periodic.items()},
        "ParameterizedJob": None,
        "TaskGroups": [_group(label, group) for label, group in job.get("group", {}).items()],
    }


def capabilities(policy: str) -> frozenset[str]:
    """Of a policy for one namespace: its capabilities, and `var:<capability>:<pattern>` for variables."""
    found = set(re.findall(r'"([a-z]+-job[s]?)"', policy))
    for pattern, words in re.findall(r'path "([^"]+)" \{\s*capabilities = \[([^\]]*)\]', policy):
        found |= {f"var:{word}:{pattern}" for word in re.findall(r"\w+", words)}
    return frozenset(found)


def _group(name: str, group: dict[str, Any]) -> dict[str, Any]:
    tasks = [
        {"Name": label, "Driver": task.get("driver", ""), "Config": task.get("config") or {}, "Env": task.get("env")}
        for label, task in group.get("task", {}).items()
    ]
    scaling = group.get("scaling")
    bounds = None if scaling is None else {_CAPITALS.get(key, key): value for key, value in scaling.items()}
    return {"Name": name, "Count": group.get("count", 1), "Scaling": bounds, "Tasks": tasks}


def _parse(hcl: str, variables: dict[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    stack: list[tuple[str, dict[str, Any]]] = [("", root)]
    for number, line in enumerate(hcl.splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith(("#", "//")):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise HclError(f"input.hcl:{number},1-2: Invalid expression; it is none")
        kind, here = stack[-1]
        name = match["block"] or match["name"]
        if name and kind in _KNOWN and name not in _KNOWN[kind]:
            raise HclError(f'input.hcl:{number},5-10: Unsupported argument; An argument named "{name}" is not expected here.')
        if match["block"]:
            inner: dict[str, Any] = {}
            if match["label"] is None:
                here[name] = inner
            else:
                here.setdefault(name, {})[match["label"]] = inner
            stack.append((name, inner))
        elif match["end"]:
            stack.pop()
        elif kind == "variable":
            here[name] = match["value"]
        else:
            here[name] = _value(match["value"], variables, number)
    if len(stack) > 1:
        raise HclError(f"input.hcl:{number},7-8: Unclosed configuration block; There is no closing brace for this block.")
    return root


def _value(text: str, variables: dict[str, Any], number: int) -> Any:
    text = text.strip()
    if text.startswith("var."):
        if text[4:] not in variables:
            raise HclError(
                f'input.hcl:{number},16-18: Unsupported attribute; This object does not have an attribute named "{text[4:]}".'
            )
        return variables[text[4:]]
    if text.startswith('"'):
        return text[1:-1]
    if text.startswith("["):
        return [_value(item, variables, number) for item in text[1:-1].split(",") if item.strip()]
    return {"true": True, "false": False}.get(text) if text in ("true", "false") else int(text)
