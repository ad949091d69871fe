"""What adopt describes of one system, and what a first run would make of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from gitops_agent import targets
from gitops_agent.adopt import systems
from gitops_agent.adopt.described import Described
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.secrets_found import SecretsFound
from gitops_agent.model import Files
from gitops_agent.plan import compare
from gitops_agent.target import Site
from tests.conformance.subject import KEY

NOBODY = Landscape("shop", Path("/srv/shop"), (), (), ())


def look(system: str, url: str, token_file: Path | None, left: Left) -> dict[str, Described]:
    """By the name of the target."""
    credentials = {system: token_file} if token_file else {}
    found = systems.describe(NOBODY, Reaching({system: url}, left), credentials, {}, "shop", left)
    return {described.table.name: described for described in found}


def first_plan(described: Described, directory: Path, files: Files | None = None) -> dict[str, str]:
    """Actions by name, as a target plans them that knows nothing yet."""
    table = described.table
    (directory / table.name).mkdir(exist_ok=True)
    kind = targets.load(table.kind)
    with closing(kind(kind.Settings.model_validate(table.values()), Site("shop", directory / table.name, KEY))) as target:
        wanted = target.parse(files or described.files())
        return {change.name: change.action.value for change in target.review(compare(table.name, wanted, target.observe(wanted)))}


class Kept(NamedTuple):
    """What goes to git, by the name of the target and the path, and the secrets by name."""

    files: Mapping[str, bytes]
    secrets: Mapping[str, str]


def without_secrets(found: Mapping[str, Described], left: Left) -> Kept:
    """As `take` does it."""
    hidden = SecretsFound(left)
    texts = {f"{name}/{path}": content for name, described in found.items() for path, content in described.files().items()}
    for name, described in found.items():
        hidden.learn_values(name, (secret for entry in described.entries for secret in entry.secrets))
    for path, content in texts.items():
        hidden.learn(path, content.decode())
    kept = dict(filter(None, (hidden.written(path, content) for path, content in texts.items())))
    return Kept(kept, hidden.values())
