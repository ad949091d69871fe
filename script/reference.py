"""Writes docs/reference/ from the program itself: agent-toml.md from the settings' docstrings, commands.md from `--help`."""

from __future__ import annotations

import ast
import inspect
import io
import itertools
import json
import os
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from contextlib import redirect_stdout
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gitops_agent import targets
from gitops_agent.cli.commands import program
from gitops_agent.settings import AgentSettings, EnvironmentSettings
from gitops_agent.target import Seconds, TargetSettings

DIRECTORY = Path(__file__).parent.parent / "docs/reference"

_INTRODUCTION = """\
# agent.toml

<!-- Written by script/docs from the models in gitops_agent; change the docstrings there. -->

The repository says *what*; this file of the operator says *where*. Unknown names and wrong values stop the agent at start, with
file, line and the nearest valid name. A *duration* is a number of seconds or a text such as `"90s"`, `"5m"`, `"1h"`; relative paths
are relative to the directory that the agent is started in. `gitops-agent doctor` tries what the file says.
"""
_BASIC = {str: "text", int: "number", float: "number", bool: "true or false", Path: "path"}


_COMMANDS = """\
# Commands

<!-- Written by script/docs from what --help says. -->

`status`, `runs`, `show`, `sync`, `suspend` and `resume` ask the running agent, at the address and with the token that agent.toml
names in `[serve]`, or where `GITOPS_AGENT_URL` and `GITOPS_AGENT_TOKEN_FILE` say. `check` and `render` need nothing but the
repository. `plan` and `apply` are the agent's own run, by hand.
"""


def commands() -> str:
    """commands.md."""
    names = re.findall(r"^  ([a-z]+)  +[A-Z]", _help(), re.MULTILINE)
    return "\n".join([_COMMANDS, _help(), *(f"## {name}\n\n{_help(name)}" for name in names)]).rstrip() + "\n"


def _help(*command: str) -> str:
    told = io.StringIO()
    with redirect_stdout(told):
        program()([*command, "--help"], prog_name="gitops-agent", standalone_mode=False)
    return f"```text\n{told.getvalue().rstrip()}\n```\n"


def settings() -> str:
    """agent-toml.md."""
    parts = [_INTRODUCTION, *_section("The top of the file", AgentSettings, "")]
    parts += _section("Every target", TargetSettings, "environments.NAME.targets")
    for kind in targets.kinds():
        parts += _kind(kind)
    return "\n".join(parts).rstrip() + "\n"


def _kind(kind: str) -> Iterator[str]:
    model: type[BaseModel] = targets.load(kind).Settings
    yield f"## `kind = {json.dumps(kind)}`\n"
    yield f"What it does and what its folder holds: [{kind}](../targets/{kind}.md). Besides the settings of every target:\n"
    told, told_of_all = manual(model), manual(TargetSettings)
    inherited = {name: (field.default, told_of_all[name]) for name, field in TargetSettings.model_fields.items()}
    own = {name: field for name, field in model.model_fields.items() if inherited.get(name) != (field.default, told.get(name))}
    yield from _fields(own, "environments.NAME.targets", told)


@cache
def manual(model: type[BaseModel]) -> dict[str, str]:
    """What stands under the fields of a class and of those it comes from."""
    told: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        for field, below in itertools.pairwise(definition.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    told[name] = text
    return told


def _section(title: str, model: type[BaseModel], table: str) -> Iterator[str]:
    yield f"## {title}\n"
    if model.__doc__ and table and not table.endswith("targets"):
        about = _prose(model.__doc__).removeprefix(f"{title}: ")
        yield f"{about[0].upper()}{about[1:]}\n"
    yield from _fields(model.model_fields, table, manual(model))


def _fields(fields: dict[str, FieldInfo], table: str, told: dict[str, str]) -> Iterator[str]:
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in fields.items():
        model = EnvironmentSettings if name == "environments" else _model(field.annotation)
        if model is not None:
            inner.append((f"{table}.{name}".lstrip(".") + (".NAME" if name == "environments" else ""), model))
        if model is None or name in told:
            yield f"- **`{name}`** ({_type(field)}{_default(field)}): {_prose(told.get(name, ''))}"
    yield ""
    for path, model in inner:
        yield from _section(f"`[{path}]`", model, path)


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model behind `Model` and `Model | None`."""
    for part in typing.get_args(annotation) or (annotation,):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _type(field: FieldInfo) -> str:
    if any(constraint in typing.get_args(Seconds) for constraint in field.metadata):
        return "duration"
    return _words(field.annotation)


def _words(annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in arguments if part is not type(None))
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (tuple, list, frozenset):
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return "table"
    if origin is typing.Annotated:
        return "duration" if annotation == Seconds else _words(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return _BASIC[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ", **required**"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", (), {}):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f", default `{json.dumps(value, default=_plain)}`"


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


def _prose(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def main() -> int:
    os.environ["COLUMNS"] = "100"
    stale = []
    for name, page in (("agent-toml.md", settings()), ("commands.md", commands())):
        path = DIRECTORY / name
        if not path.exists() or path.read_text() != page:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(page)
    if stale and "--check" in sys.argv:
        print(f"{', '.join(stale)} in docs/reference: stale, run script/docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
