"""A config repo on the workbench: rendered and parsed as a run does it, with no system asked and no secret resolved."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gitops_agent import targets
from gitops_agent.cli import kinds, options, worktree
from gitops_agent.errors import ConfigError, InvalidRevision
from gitops_agent.model import Files
from gitops_agent.reconcile.desired import parse
from gitops_agent.render import Renderer
from gitops_agent.settings.load import read
from gitops_agent.target import Site, Target

if TYPE_CHECKING:
    from gitops_agent.settings import AgentSettings

_OWN = "agent/agent.toml"
"""Where a repository that describes a whole mini-cloud has the agent's own settings."""


@dataclass(frozen=True)
class Finding:
    """What became of one target of one environment; `target` is empty for a mistake that is in all of them."""

    environment: str
    target: str = ""
    kind: str = ""
    resources: int = 0
    error: str = ""
    file: str = ""
    line: int = 0

    def to_json(self) -> dict[str, str | int]:
        return asdict(self)


class Bench:
    """A work tree, and what is needed to render and parse it. `settings` say what the folders are; without
    them the repository's own agent/agent.toml does; without that their names do."""

    def __init__(self, path: Path, settings: AgentSettings | None = None) -> None:
        self._settings = settings
        self._key = secrets.token_bytes(32)
        self._renderer = Renderer()
        self._renderer.start()
        try:
            self._files = worktree.read(path)
            self._revision = worktree.revision(path)
        except BaseException:
            self._renderer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._renderer.close()

    def environments(self, wanted: str = "") -> list[str]:
        """The one that is wanted, or all that are known of."""
        if self._settings is not None:
            known = list(self._settings.environments)
            return [options.the_one(wanted, known)] if wanted else known
        if wanted:
            return [wanted]
        named = {Path(file).stem for file in self._files if file.startswith("values/") and file.endswith(".yaml")}
        return sorted(named - {"common"}) or ["default"]

    def render(self, environment: str) -> Files:
        """The whole tree. Raises InvalidRevision."""
        return self._renderer.render(self._files, environment, self._revision, self._key)

    def check(self, environment: str) -> list[Finding]:
        """One finding a target; a mistake in a template prevents all."""
        try:
            tree = self.render(environment)
        except InvalidRevision as error:
            return [Finding(environment, error=str(error), file=error.file, line=error.line)]
        try:
            targets = self._targets(environment, tree)
        except ConfigError as error:
            return [Finding(environment, error=str(error), file=_OWN)]
        return [self._parsed(environment, target, tree) for target in targets]

    def _parsed(self, environment: str, target: Target, tree: Files) -> Finding:
        name, kind = target.name, str(target.settings.kind)
        try:
            return Finding(environment, name, kind, resources=len(parse(tree, [target], self._key)[name]))
        except InvalidRevision as error:
            return Finding(environment, name, kind, error=str(error), file=error.file, line=error.line)

    def _targets(self, environment: str, tree: Files) -> list[Target]:
        settings = self._settings
        if settings is None and _OWN in tree:
            settings = read(tree[_OWN].decode(), Path(_OWN))
        if settings is None or environment not in settings.environments:
            return kinds.guess(tree, environment, self._key)
        site = Site(environment, Path("/nonexistent/gitops-agent"), self._key)
        return [targets.load(each.kind)(each, site) for each in settings.environments[environment].targets]
