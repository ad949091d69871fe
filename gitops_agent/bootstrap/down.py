"""The way back: what bootstrap has started is stopped and removed. Data stay, unless somebody says otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from gitops_agent import process
from gitops_agent.bootstrap.blueprint import Blueprint
from gitops_agent.errors import ApplyFailed, CommandFailed

_TIMEOUT = 900.0


def down(blueprint: Blueprint, *, destroy_data: bool = False) -> Iterator[str]:
    """Yields what was done. With `destroy_data` the volumes go, and everything below the root directory: secrets, certificates, the
    agent's memory. Raises ApplyFailed."""
    # By name: the Compose file may be gone, or not what the containers were made from.
    for project in (blueprint.container, blueprint.facts.project):
        _compose(project, *(["--volumes"] if destroy_data else []))
        yield f"{project}: containers removed" + (", volumes too" if destroy_data else "")
    if destroy_data:
        try:
            for path in sorted(blueprint.facts.root.iterdir()):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ApplyFailed(f"{error.filename} cannot be removed: {error.strerror}") from None
        yield f"{blueprint.facts.root}: emptied"


def _compose(project: str, *more: str) -> None:
    try:
        command = ["docker", "compose", "--project-name", project, "down", "--remove-orphans", *more]
        process.run(command, timeout=_TIMEOUT, cwd="/", inherit=False)
    except CommandFailed as error:
        raise ApplyFailed(f"{project} cannot be taken down: {error}") from None
