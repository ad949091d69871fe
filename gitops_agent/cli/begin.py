"""`init`: a new config repo."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from gitops_agent.cli.console import Console
from gitops_agent.errors import ConfigError

_DOMAIN = re.compile(r"(?!.{254})([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_DECLARED = re.compile(r"^domain: \S+", re.MULTILINE)

_NEXT = """\

Next:
  cd {path}
  git init -b main && git add . && git commit -m "Begin"
  gitops-agent check
  gitops-agent hooks install    # git refuses what does not pass, and what holds a secret
{then}"""
_MINI_CLOUD = "README.md says what is where, values/common.yaml what may differ: domain, images, hostnames."
_SMALL = """\
and tell the agent where it is, in agent.toml:

  [environments.mini-cloud]
  source = "{path}"

  [[environments.mini-cloud.targets]]
  kind = "nginx"
  name = "nginx"
  directory = "/srv/nginx"
"""


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A directory that is empty, or not there yet.")],
    domain: Annotated[str, typer.Option("--domain", metavar="NAME", help="Hostnames are below it: git.NAME, consul.NAME, …")] = "",
    small: Annotated[bool, typer.Option("--small", help="Only nginx and keys of Consul, to get to know the agent.")] = False,
) -> None:
    """Begin a config repo.

    Writes the whole mini-cloud, one folder a target, and says what comes next.
    """
    if path.exists() and (not path.is_dir() or any(entry.name != ".git" for entry in path.iterdir())):
        raise ConfigError(f"{path} is not empty")
    if domain and small:
        raise ConfigError("--small has no hostnames: leave out --domain")
    if domain and not _DOMAIN.fullmatch(domain):
        raise ConfigError(f"--domain {domain} is no domain name; example.test would be one")
    written = _copied([shared("small-example")] if small else [shared("stack"), shared("repo-template")], path)
    if domain:
        values = path / "values/common.yaml"
        values.write_text(_DECLARED.sub(f"domain: {domain}", values.read_text(), count=1))
    console = Console()
    for file in written:
        console.line(str(file), mark=True)
    here = path.absolute()
    console.text(_NEXT.format(path=here, then=(_SMALL if small else _MINI_CLOUD).format(path=here)).rstrip())


def _copied(sources: list[Path], path: Path) -> list[Path]:
    """The files that are there now, later sources over earlier ones."""
    for source in sources:
        shutil.copytree(source, path, dirs_exist_ok=True)
    return sorted({path / file.relative_to(source) for source in sources for file in source.rglob("*") if file.is_file()})


def shared(name: str) -> Path:
    """A directory that travels with the program: beside the package in a checkout, in it once it is installed."""
    package = Path(__file__).parent.parent
    places = (package.parent / name, package / "_share" / name)
    return next(place for place in places if place.is_dir())
