"""Hooks into a repository and out of it. What somebody else put there stays in force."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from gitops_agent import process
from gitops_agent.cli.begin import shared
from gitops_agent.errors import CommandFailed, ConfigError

_TIMEOUT = 20.0
_OURS = "gitops-agent"
"""Stands in every hook of ours, and in no other by chance."""


def install(repository: Path) -> Iterator[str]:
    """Says what it did. Raises ConfigError where there is no repository, and where a hook would be that of all repositories."""
    if _git(repository, "rev-parse", "--is-bare-repository") == "true":
        yield from _receiving(repository)
        return
    directory = _directory(repository)
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("pre-commit", "pre-push"):
        hook, before = directory / name, directory / f"{name}.before"
        if hook.exists() and not _is_ours(hook):
            if before.exists():
                raise ConfigError(f"{hook} and {before} are both somebody else's: leave one of them")
            hook.rename(before)
            yield f"{before}: was {name}, and is asked first"
        yield str(_copy(name, hook))
    program = Path(sys.executable).with_name("gitops-agent")
    if program.exists():  # git started by an editor often has a shorter PATH
        _git(repository, "config", "gitops.program", str(program))


def remove(repository: Path) -> Iterator[str]:
    """Takes away what `install` put there, and puts back what was there before."""
    directory = _directory(repository)
    for hook in (*(directory / name for name in ("pre-commit", "pre-push", "post-receive")), directory / "post-receive.d/gitops"):
        if hook.exists() and _is_ours(hook):
            hook.unlink()
            yield f"{hook}: removed"
            before = hook.with_name(f"{hook.name}.before")
            if before.exists():
                before.rename(hook)
                yield f"{hook}: as it was"


def _receiving(repository: Path) -> Iterator[str]:
    directory = _directory(repository)
    directory.mkdir(parents=True, exist_ok=True)
    several = directory / "post-receive.d"  # Gitea's: its own post-receive asks all that is in there
    hook = several / "gitops" if several.is_dir() else directory / "post-receive"
    if hook.exists() and not _is_ours(hook):
        raise ConfigError(
            f"{hook} is somebody else's: call {shared('hooks') / 'post-receive'} from it, with what it reads from standard input"
        )
    yield f"{_copy('post-receive', hook)}; git config gitops.url and gitops.secretFile say whom it tells"


def _directory(repository: Path) -> Path:
    """Where git looks for hooks. Raises ConfigError when that is one place for all repositories of the user."""
    configured = _git(repository, "config", "--get", "core.hooksPath", accept=(0, 1))
    own = _git(repository, "config", "--local", "--get", "core.hooksPath", accept=(0, 1))
    if configured and not own:
        raise ConfigError(
            f"core.hooksPath is {configured} for all your repositories: call `gitops-agent hooks pre-commit` and `hooks pre-push "
            '--remote "$1"` from the hooks there, or give this one its own: git config core.hooksPath .git/hooks'
        )
    top = "--git-dir" if _git(repository, "rev-parse", "--is-bare-repository") == "true" else "--show-toplevel"
    root = Path(repository, _git(repository, "rev-parse", top))
    return Path(root, _git(root, "rev-parse", "--git-path", "hooks")).absolute()


def _copy(name: str, hook: Path) -> Path:
    shutil.copyfile(shared("hooks") / name, hook)
    hook.chmod(0o755)
    return hook


def _is_ours(hook: Path) -> bool:
    return _OURS in hook.read_text(errors="replace")


def _git(repository: Path, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
    try:
        return process.run(["git", "-C", repository, *arguments], timeout=_TIMEOUT, accept=accept).text.strip()
    except CommandFailed as error:
        raise ConfigError(f"{repository}: {error}") from None
