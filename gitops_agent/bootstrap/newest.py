"""Which commit counts. The clone that bootstrap is given is a beginning: from the first push on it is what the source has, and
where that lost it, or does not run, what was applied last, which the agent's mirror keeps."""

from __future__ import annotations

from pathlib import Path

from gitops_agent.bootstrap.blueprint import Blueprint
from gitops_agent.bootstrap.config_repo import BRANCH, git_directory, source
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.errors import CommandFailed, ConfigError, Refused, Unavailable
from gitops_agent.source import Remote
from gitops_agent.source.command import Git

_HEAD = f"refs/heads/{BRANCH}"
_CLONE = "refs/gitops/clone"


def of_root(root: Path, environment: str = "") -> Path:
    """A config repo with what was applied last in the mini-cloud whose `root` it is. Raises ConfigError where nothing was."""
    state = root.absolute() / "agent-state"
    mirrors = {path.parent.name: path for path in sorted(state.glob("*/mirror.git"))}
    if environment not in mirrors and (environment or len(mirrors) != 1):
        raise ConfigError(f"{root}: name the environment with --environment: {', '.join(mirrors) or 'no agent was ever here'}")
    name = environment or next(iter(mirrors))
    copy = _Copy(state)
    if not copy.takes(Remote(str(mirrors[name])), f"refs/gitops/{name}/applied"):
        raise ConfigError(f"{mirrors[name]} knows of nothing that was applied: name a clone of the config repo")
    return copy.path


def newest(ground: Ground) -> Blueprint | None:
    """What is to be gone by instead of the clone; None where that is as new. Raises Refused where they have parted."""
    mine = ground.blueprint
    if not ground.state.exists():
        return None
    copy = _Copy(ground.state)
    remote = source(ground)
    if remote is not None and copy.takes(remote, _HEAD):
        return None if copy.head() == mine.revision.sha else Blueprint.read(copy.path, mine.environment)
    mirror = Remote(str(ground.state / mine.environment / "mirror.git"))
    if not copy.takes(mirror, f"refs/gitops/{mine.environment}/applied"):
        return None
    copy.takes(Remote(str(git_directory(mine.place))), _HEAD, _CLONE)
    if copy.has(copy.head(), below=_CLONE):
        return None
    if not copy.has(_CLONE, below=copy.head()):
        raise Refused(
            f"{mine.place} does not follow what was applied last, {copy.head()[:10]}: merge that (it is in {copy.path}), "
            f"or name {ground.blueprint.facts.root} to go by it"
        )
    return Blueprint.read(copy.path, mine.environment)


class _Copy:
    """STATE/bootstrap.git, with the one commit that counts on its branch."""

    def __init__(self, state: Path) -> None:
        self.path = state / "bootstrap.git"
        self._state = state
        self._git = Git(Remote(str(self.path)), state)
        self._git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", "--template=", self.path)

    def takes(self, remote: Remote, what: str, into: str = _HEAD) -> bool:
        """Whether the remote has it, and answers."""
        git = Git(remote, self._state)
        try:
            git("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", remote.url, f"+{what}:{into}", at=self.path)
        except (CommandFailed, Unavailable):
            return False
        return True

    def head(self) -> str:
        return self._git("rev-parse", _HEAD, at=self.path).text.strip()

    def has(self, commit: str, *, below: str) -> bool:
        """Whether `commit` is `below` itself, or in its history."""
        return self._git("merge-base", "--is-ancestor", commit, below, at=self.path, accept=(0, 1, 128)).status == 0
