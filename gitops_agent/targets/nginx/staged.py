"""A copy of the published files that nginx can be let at on the same host.

`nginx -t` on a copy reads the *live* files wherever an include is absolute. A private mount namespace would show the copy at the
live path, but needs root; so in the copy, and only there, the live path reads as the copy's. Lines keep their numbers.
"""

from __future__ import annotations

from pathlib import Path

from gitops_agent.errors import Unavailable
from gitops_agent.file_target.moved import moved


def borrow(config: Path, live: Path, staged: Path) -> Path:
    """The main configuration file `config`, which lies elsewhere, for a check of `staged`: a copy in a directory that mirrors its
    own with links, because nginx takes relative includes from where the file lies. Gives the copy's path.

    Files outside the published directory which name it, other than `config` itself, still lead to the live files.
    """
    mirror = staged.parent / ".main"
    try:
        content = config.read_bytes()
        _mirror(config.parent, mirror, live, staged)
    except OSError as error:
        raise Unavailable(f"nginx's main configuration {error.filename}: {error.strerror}") from None
    (mirror / config.name).unlink()
    (mirror / config.name).write_bytes(moved(content, live, staged))
    return mirror / config.name


def _mirror(directory: Path, mirror: Path, live: Path, staged: Path) -> None:
    mirror.mkdir()
    for entry in directory.iterdir():
        if entry == live:
            (mirror / entry.name).symlink_to(staged)
        elif entry in live.parents:
            _mirror(entry, mirror / entry.name, live, staged)
        else:
            (mirror / entry.name).symlink_to(entry)
    if directory == live.parent and not live.exists():
        (mirror / live.name).symlink_to(staged)
