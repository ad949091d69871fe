"""A revision's files in memory, and what a config repo may not hold.

Links and submodules are refused because they point out of the tree; odd paths, because what is rendered is written to a disk
later; size and number, because ten small trees that name each other can stand for a billion files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from gitops_agent.source.objects import Damaged, Find, TooLarge

_TREE, _LINK, _SUBMODULE = b"40000", b"120000", b"160000"
_MOST_ENTRIES = 20_000
"""Files and folders together."""
_LONGEST_PATH, _LONGEST_NAME = 1024, 255
"""Bytes; Linux takes 4,096 and 255, and the path of what is published has a directory in front."""
_KEPT = 16 << 20
"""Bytes of objects that are kept from one read to the next."""
_CONTROL_OR_BACKSLASH = re.compile(r"[\x00-\x1f\x7f\\]")
_LFS = b"version https://git-lfs.github.com/spec/v1\n"


@dataclass(frozen=True)
class Limits:
    """In bytes."""

    file: int
    tree: int


class TreeReader:
    """Reads one tree after the other and keeps the last one's objects: a commit that changes one file of a thousand costs one."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: dict[str, bytes] = {}

    def read(self, find: Find, commit: str) -> Files:
        """All files of a commit, by path, in the order of their paths.

        Raises InvalidRevision for what may not be there, KeyError when there is no such commit, Damaged when an object is missing.
        """
        found = find(commit, self._limits.tree)
        if found is None or found.kind != "commit":
            raise KeyError(commit)
        reading = _Reading(find, self._limits, self._kept)
        files = reading.files(found.data[5 : found.data.index(b"\n")].decode())
        self._kept = reading.used if sum(map(len, reading.used.values())) <= _KEPT else {}
        return files


class _Reading:
    def __init__(self, find: Find, limits: Limits, kept: dict[str, bytes]) -> None:
        self._find = find
        self._limits = limits
        self._kept = kept
        self._room = limits.tree
        self._entries = 0
        self.used: dict[str, bytes] = {}

    def files(self, root: str) -> Files:
        files: dict[str, bytes] = {}
        folders = [("", root)]
        while folders:
            folder, tree = folders.pop()
            for mode, name, sha in _entries(self._content(tree, folder, self._limits.tree), len(root) // 2):
                path = folder + _checked(name, folder)
                self._count(path)
                if mode == _TREE:
                    folders.append((path + "/", sha))
                elif mode == _LINK:
                    raise InvalidRevision("is a symbolic link; a config repo holds plain files only", file=path)
                elif mode == _SUBMODULE:
                    raise InvalidRevision("is a submodule; a config repo holds plain files only", file=path)
                else:
                    files[path] = self._file(sha, path)
        return dict(sorted(files.items()))

    def _file(self, sha: str, path: str) -> bytes:
        data = self._content(sha, path, self._limits.file)
        if data.startswith(_LFS):
            raise InvalidRevision("is kept in Git LFS, and the agent reads git only", file=path)
        self._room -= len(data)
        if self._room < 0:
            raise InvalidRevision(f"with it the files of the revision are larger than {self._limits.tree:,} bytes", file=path)
        return data

    def _content(self, sha: str, path: str, largest: int) -> bytes:
        data = self._kept.get(sha)
        if data is None:
            try:
                found = self._find(sha, largest)
            except TooLarge as error:
                raise InvalidRevision(f"has {error.size:,} bytes; the limit is {largest:,}", file=path) from None
            if found is None:
                raise Damaged(f"{path or 'the tree'} is missing: {sha}")
            data = found.data
        self.used[sha] = data
        return data

    def _count(self, path: str) -> None:
        self._entries += 1
        if self._entries > _MOST_ENTRIES:
            raise InvalidRevision(f"with it the revision has more than {_MOST_ENTRIES:,} files and folders", file=path[:100])
        if len(path.encode()) > _LONGEST_PATH:
            raise InvalidRevision(f"its path is longer than {_LONGEST_PATH:,} bytes", file=path[:100] + "…")


def _entries(tree: bytes, width: int) -> Iterator[tuple[bytes, bytes, str]]:
    """Mode, name and sha of each entry of a tree object: `<mode> <name>NUL<sha>`, the sha in `width` bytes."""
    at = 0
    while at < len(tree):
        space = tree.index(b" ", at)
        end = tree.index(b"\0", space)
        yield tree[at:space], tree[space + 1 : end], tree[end + 1 : end + 1 + width].hex()
        at = end + 1 + width


def _checked(raw: bytes, folder: str) -> str:
    """The name of a file or folder, if it is one that stays where it is on every system and in every program."""
    shown = folder + raw.decode(errors="backslashreplace").encode("unicode_escape").decode()[:_LONGEST_NAME]
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise InvalidRevision("its name is not UTF-8", file=shown) from None
    if name in ("", ".", "..") or "/" in name or name.lower() == ".git":
        raise InvalidRevision("is a path that leaves the tree, or git's own", file=shown)
    if _CONTROL_OR_BACKSLASH.search(name):
        raise InvalidRevision("has a control character or a backslash in its name", file=shown)
    if len(raw) > _LONGEST_NAME:
        raise InvalidRevision(f"its name is longer than {_LONGEST_NAME} bytes", file=shown)
    return name
