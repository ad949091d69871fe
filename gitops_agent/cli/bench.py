"""A rendered config repo on the workbench: parsed as a run does it, and looked at by programs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gitops_agent import targets
from gitops_agent.cli import kinds, options
from gitops_agent.cli.hooks import leaks
from gitops_agent.cli.rendering import OWN, Rendering
from gitops_agent.errors import AgentError, ConfigError, InvalidRevision
from gitops_agent.model import Files
from gitops_agent.reconcile.desired import folders, parse
from gitops_agent.secret.placeholder import substitute
from gitops_agent.settings.load import read
from gitops_agent.target import Site, Target

if TYPE_CHECKING:
    from gitops_agent.settings import AgentSettings


@dataclass(frozen=True)
class Finding:
    """What became of one target of one environment; `target` is empty for a mistake that is in all of them, `environment` for one
    that is in the files before any is rendered. `looked` names the programs that looked at it, `left_out` says what could not be
    told here."""

    environment: str
    target: str = ""
    kind: str = ""
    resources: int = 0
    error: str = ""
    file: str = ""
    line: int = 0
    looked: str = ""
    left_out: str = ""

    def to_json(self) -> dict[str, str | int]:
        return asdict(self)


class Bench:
    """A rendering, and what is needed to parse it. `settings` say what the folders are; without them the repository's own
    agent/agent.toml does; without that their names do."""

    def __init__(self, rendering: Rendering, settings: AgentSettings | None = None, *, programs: bool = False) -> None:
        """`programs`: let the programs that will read the files look at them, as far as they are here."""
        self._rendering = rendering
        self._programs = programs
        self._settings = settings
        kinds.load(rendering.folders)  # what takes a while to import

    def environments(self, wanted: str = "") -> list[str]:
        """The one that is wanted, or all that are known of."""
        if self._settings is not None:
            known = list(self._settings.environments)
            return [options.the_one(wanted, known)] if wanted else known
        return self._rendering.environments(wanted)

    def check(self, environment: str) -> list[Finding]:
        """One finding a target; a mistake in a template prevents all."""
        try:
            tree = self._rendering.tree(environment)
        except InvalidRevision as error:
            return [Finding(environment, error=str(error), file=error.file, line=error.line)]
        try:
            targets = self._targets(environment, tree)
        except ConfigError as error:
            return [Finding(environment, error=str(error), file=OWN)]
        found = [self._parsed(environment, target, tree) for target in targets]
        if not self._programs:
            return found
        files = folders(tree, targets)
        plain = [files[target.name] for target in targets]
        with ThreadPoolExecutor(thread_name_prefix="look") as pool:  # programs of their own: together they take as long as one
            return list(pool.map(self._rehearsed, found, targets, plain))

    def leaks(self) -> list[Finding]:
        """What looks like a secret, before anything is rendered."""
        fine, changed = self._rendering.directory.marked(leaks.FINE), self._rendering.changed
        return [
            Finding("", error=f"{file}:{number}: looks like {what}", file=file, line=number)
            for file, content in self._rendering.files.items()
            if file not in fine and b"\0" not in content and (not changed or file in changed)
            for number, line in enumerate(content.decode(errors="replace").splitlines(), 1)
            for what in leaks.find(file, line)
        ]

    def _rehearsed(self, finding: Finding, target: Target, files: Files) -> Finding:
        if finding.error:
            return finding
        plain = substitute(files, _stand_in, _stand_in)
        try:
            with TemporaryDirectory(prefix="gitops-agent-") as directory:
                return replace(finding, looked=target.rehearse(plain, Path(directory).resolve()))
        except InvalidRevision as wrong:
            error = wrong.below(target.settings.folder)
            return replace(finding, error=str(error), file=error.file, line=error.line)
        except AgentError as error:
            return replace(finding, left_out=str(error))

    def _parsed(self, environment: str, target: Target, tree: Files) -> Finding:
        name, kind = target.name, str(target.settings.kind)
        try:
            return Finding(environment, name, kind, resources=len(parse(tree, [target], self._rendering.key)[name]))
        except InvalidRevision as error:
            return Finding(environment, name, kind, error=str(error), file=error.file, line=error.line)

    def _targets(self, environment: str, tree: Files) -> list[Target]:
        settings = self._settings
        if settings is None and OWN in tree:
            settings = read(tree[OWN].decode(), Path(OWN), self._rendering.wanted)
        if settings is None or environment not in settings.environments:
            guessed = {path: content for path, content in tree.items() if self._rendering.wanted(path)}
            return kinds.guess(guessed, environment, self._rendering.key)
        site = Site(environment, Path("/nonexistent/gitops-agent"), self._rendering.key)
        known = settings.environments[environment].targets
        return [targets.load(each.kind)(each, site) for each in known if self._rendering.wanted(each.folder)]


def _stand_in(_body: str, _digest: str) -> str:
    """For any secret: what most programs take for a password, a token or a key."""
    return "00000000-0000-4000-8000-000000000000"
