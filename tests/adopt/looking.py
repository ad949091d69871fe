"""What adopt describes of one system, and what a first run would make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from gitops_agent import secret, targets
from gitops_agent.adopt import systems
from gitops_agent.adopt.described import Described
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.secrets_found import SecretsFound
from gitops_agent.model import Revision
from gitops_agent.plan import compare
from gitops_agent.render import Renderer
from gitops_agent.target import Site, Target
from tests.conformance.subject import KEY

NOBODY = Landscape("shop", Path("/srv/shop"), (), (), ())


def look(system: str, url: str, token_file: Path | None, left: Left) -> dict[str, Described]:
    """By the name of the target."""
    credentials = {system: token_file} if token_file else {}
    found = systems.describe(NOBODY, Reaching({system: url}, left), credentials, {}, "shop", left)
    return {described.table.name: described for described in found}


def first_plan(described: Described, directory: Path) -> dict[str, str]:
    """Actions by name, as a target plans them that knows nothing yet."""
    with _target(described, directory) as target:
        wanted = target.parse(described.files())
        plan = target.review(compare(described.table.name, wanted, target.observe(wanted)))
    return {change.name: change.action.value for change in plan}


class Kept(NamedTuple):
    """What goes to git, by the name of the target and the path, and the secrets by name."""

    files: Mapping[str, bytes]
    secrets: Mapping[str, str]


def without_secrets(found: Mapping[str, Described], left: Left) -> Kept:
    """As `take` does it."""
    hidden = SecretsFound(left)
    for name, described in found.items():
        hidden.learn_values(name, (secret for entry in described.entries for secret in entry.secrets))
    for name, described in found.items():
        for path, content in described.files().items():
            hidden.learn(f"{name}/{path}", content.decode())
    kept = [
        hidden.written(f"{name}/{path}", content, parsed=path in described.parsed())
        for name, described in found.items()
        for path, content in described.files().items()
    ]
    return Kept(dict(filter(None, kept)), hidden.values())


def plans_of_kept(found: Mapping[str, Described], kept: Kept, directory: Path) -> dict[str, str]:
    """Actions by the name of the target and of the thing, as a run plans them that renders what is in git and looks secrets up."""
    with closing(Renderer()) as renderer:
        renderer.start()
        tree = renderer.render(kept.files, "shop", Revision("main", "0" * 40), KEY)
    plans: dict[str, str] = {}
    for name, described in found.items():
        files = {path.removeprefix(f"{name}/"): content for path, content in tree.items() if path.startswith(f"{name}/")}
        with _target(described, directory) as target:
            parsed = target.parse(files)
            wanted = secret.resolve(parsed, KEY, lambda reference: kept.secrets[reference.removeprefix("file:")], ["file:*"])
            plans |= {f"{name} {change.name}": change.action.value for change in compare(name, wanted, target.observe(wanted))}
    return plans


@contextmanager
def _target(described: Described, directory: Path) -> Iterator[Target]:
    table = described.table
    (directory / table.name).mkdir(exist_ok=True)
    kind = targets.load(table.kind)
    with closing(kind(kind.Settings.model_validate(table.values()), Site("shop", directory / table.name, KEY))) as target:
        yield target
