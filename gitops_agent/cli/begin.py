"""`init`: a new config repo."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from gitops_agent.cli.console import Console
from gitops_agent.errors import ConfigError

_NEXT = """\

Next:
  cd {path}
  git init -b main && git add . && git commit -m "Begin"
  gitops-agent check
and tell the agent where it is, in agent.toml:

  [environments.mini-cloud]
  source = "{path}"

  [[environments.mini-cloud.targets]]
  kind = "nginx"
  name = "nginx"
  directory = "/srv/nginx"
"""


def init(path: Annotated[Path, typer.Argument(metavar="PATH", help="A directory that is empty, or not there yet.")]) -> None:
    """Begin a config repo.

    Copies the template and says what comes next.
    """
    if path.exists() and (not path.is_dir() or any(entry.name != ".git" for entry in path.iterdir())):
        raise ConfigError(f"{path} is not empty")
    template = shared("repo-template")
    shutil.copytree(template, path, dirs_exist_ok=True)
    console = Console()
    for file in sorted(template.rglob("*")):
        if file.is_file():
            console.line(str(path / file.relative_to(template)), mark=True)
    console.text(_NEXT.format(path=path.absolute()).rstrip())


def shared(name: str) -> Path:
    """A directory that travels with the program: beside the package in a checkout, in it once it is installed."""
    package = Path(__file__).parent.parent
    places = (package.parent / name, package / "_share" / name)
    return next(place for place in places if place.is_dir())
