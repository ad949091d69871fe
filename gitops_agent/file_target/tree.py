"""Files on disk: read without following links, written so that nobody sees half of one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

PRIVATE = ".gitops-agent"
"""The agent's own directory in a published one."""
DIRECTORY = "a directory"
"""What `read` says of one."""
_PLAIN_MODE = 0o644
_LARGEST_TEXT = 1 << 20
"""A neighbour larger than this (a GeoIP database) is no configuration: it is linked without being looked at."""


@dataclass(frozen=True)
class File:
    """Content and mode of one file that is or shall be there."""

    content: bytes
    mode: int = _PLAIN_MODE
    owner: tuple[int, int] | None = None
    """uid and gid, None for whoever runs the agent. Not read back."""


Delta: TypeAlias = Mapping[str, File | None]
"""Files to write, by path; None for one to delete."""
Edit: TypeAlias = Callable[[bytes], bytes]


def read(path: Path) -> File | str | None:
    """The file, what it is instead (`a link to …`, `a directory`), or None where nothing is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        if path.is_symlink():
            return f"a link to {path.readlink()}"
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return DIRECTORY if stat.S_ISDIR(status.st_mode) else "no regular file"
    with os.fdopen(descriptor, "rb") as file:
        return File(file.read(), stat.S_IMODE(status.st_mode))


def walk(directory: Path) -> Iterator[str]:
    """Everything below it that is no directory, links included, as relative paths in a stable order; our own things left out."""
    for parent, folders, names in os.walk(directory):
        below = Path(parent).relative_to(directory)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name != PRIVATE and name not in links)
        yield from (str(below / name) for name in sorted([*names, *links]))


def make_directory(path: Path, mode: int = 0o755) -> None:
    """With its parents where they are missing; the mode is that whatever the umask: the program is another user."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(mode)


def create(path: Path, file: File, *, durable: bool = True) -> None:
    """Writes a file that is not there yet; a durable one is on disk before it returns. At no time can others read it than shall."""
    make_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, file.mode & 0o700)
    with os.fdopen(descriptor, "wb") as opened:
        _fill(opened.fileno(), file)
        opened.write(file.content)
        opened.flush()
        if durable:
            os.fsync(descriptor)


def rewrite(path: Path, file: File) -> None:
    """Gives an existing file new content in the same inode: a container that mounts the single file sees it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "wb") as opened:
        _fill(opened.fileno(), file)
        opened.write(file.content)
        opened.truncate()
        opened.flush()
        os.fsync(opened.fileno())


def _fill(descriptor: int, file: File) -> None:
    """Owner and mode before content: a secret is never there for others to read."""
    os.fchmod(descriptor, file.mode)
    if file.owner is not None:
        os.fchown(descriptor, *file.owner)


def sync(path: Path) -> None:
    """Makes a file's content, or what was renamed and linked in a directory, survive a power cut."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            return  # it lives in its directory
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_link(link: Path, to: str, private: Path) -> None:
    """Points the link elsewhere in one step: whoever reads sees the old or the new, never neither."""
    staged = private / f"{link.name}.new"
    staged.unlink(missing_ok=True)
    staged.symlink_to(to)
    staged.rename(link)
    sync(link.parent)


def copy(source: Path, delta: Delta, into: Path, *, edit: Edit = bytes, durable: bool = False) -> None:
    """`source` as it will be after `delta`, in the new directory `into`. `edit` is applied to every content. A copy that is not
    `durable` is for looking at: it is not forced to disk, and large files in it are hard links."""
    make_directory(into)
    files = {path for path, file in delta.items() if file is not None}
    for path in walk(source) if source.is_dir() else ():
        in_the_way = any(str(folder) in files for folder in Path(path).parents)
        if path not in delta and not in_the_way:
            _copy_one(source / path, into / path, edit, linked=not durable)
    for path, file in delta.items():
        if file is not None:
            create(into / path, replace(file, content=edit(file.content)), durable=False)
    if durable:  # all written before the first is waited for: the disk then takes them in one go
        for parent, _, names in os.walk(into):
            for name in (*names, "."):
                sync(Path(parent) / name)


def copy_any(source: Path, to: Path) -> None:
    """A directory, file or link, for looking at."""
    if source.is_dir() and not source.is_symlink():
        copy(source, {}, to)
    else:
        _copy_one(source, to, bytes, linked=True)


def _copy_one(source: Path, to: Path, edit: Edit, *, linked: bool) -> None:
    make_directory(to.parent)
    if source.is_symlink():
        to.symlink_to(source.readlink())
        return
    status = source.lstat()
    if not stat.S_ISREG(status.st_mode):
        return  # sockets and pipes of running programs
    if linked and status.st_size > _LARGEST_TEXT:
        _link(source, to)
        return
    same = (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
    owner = None if same or os.geteuid() else (status.st_uid, status.st_gid)
    create(to, File(edit(source.read_bytes()), stat.S_IMODE(status.st_mode), owner), durable=False)


def _link(source: Path, to: Path) -> None:
    try:
        os.link(source, to)
    except OSError:  # another file system, or a kernel that protects other people's files from being linked
        shutil.copy2(source, to)


def digest(delta: Delta) -> str:
    """Tells one delta from another; never leaves the process, for it says something about secrets."""
    parts = {path: None if file is None else [hashlib.sha256(file.content).hexdigest(), file.mode] for path, file in delta.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
