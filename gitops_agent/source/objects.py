"""Objects of a bare repository through one `git cat-file --batch` that stays: a commit is read in a millisecond, not in eight.

GitPython keeps the process and speaks its protocol. What it leaves to us: a time limit, a process that died, and a refusal to
read what is too large before it is in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gitops_agent.errors import Unavailable

if TYPE_CHECKING:
    from git import Git as CatFile


class Damaged(Exception):
    """The repository, or an object that must be in it, cannot be read. A fresh clone mends it."""


class TooLarge(Exception):
    """The object was not read. `size` is in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"{size} bytes")


@dataclass(frozen=True)
class Object:
    """`kind` is `commit`, `tree`, `blob` or `tag`."""

    sha: str
    kind: str
    data: bytes = field(repr=False)


Find: TypeAlias = Callable[[str, int], Object | None]
"""Takes a name (a sha or a ref) and the largest size in bytes that is wanted; None when there is no such object."""


class Objects:
    """The objects of one repository. Any thread may open it; one at a time reads."""

    def __init__(self, repository: Path, environment: Callable[[], Mapping[str, str]], timeout: float) -> None:
        self._repository = repository.absolute()
        self._environment = environment
        self._timeout = timeout
        self._lock = threading.RLock()
        self._cat_file: CatFile | None = None
        self._late = False

    @contextmanager
    def open(self) -> Iterator[Find]:
        """Gives what finds objects. Raises Damaged, and Unavailable when the disk does not answer within the time limit."""
        with self._lock:
            self._late = False
            limit = threading.Timer(self._timeout, self._too_late)
            limit.daemon = True
            limit.start()
            try:
                yield self._find
            finally:
                limit.cancel()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody reads meanwhile, and no process holds the repository's files."""
        with self._lock:
            self.close()
            yield

    def close(self) -> None:
        with self._lock:
            self._end()

    def _find(self, name: str, largest: int) -> Object | None:
        try:
            return self._ask(name, largest)
        except EOFError:
            if self._late:
                raise Unavailable(f"{self._repository} could not be read within {self._timeout:g} s") from None
        try:  # the process that was kept may have been ended by whoever looks after the host's memory
            return self._ask(name, largest)
        except EOFError as error:
            raise Damaged(str(error)) from None

    def _ask(self, name: str, largest: int) -> Object | None:
        from git.exc import GitCommandError

        cat_file = self._started()
        try:
            sha, kind, size, stream = cat_file.stream_object_data(name)
            if size > largest:
                # Its finalizer would read what is left, and make room for it first: a terabyte, if a damaged pack says so.
                stream._size = stream._nbr  # noqa: SLF001
                self._end()
                raise TooLarge(size)
            data = stream.read(size)
            del stream
        except ValueError as error:
            if str(error).endswith("missing'"):
                return None
            self._end()
            raise EOFError(f"{name} cannot be read: {error}") from None
        except (OSError, GitCommandError) as error:
            self._end()
            raise EOFError(f"{name} cannot be read: {error}") from None
        if len(data) != size:
            self._end()
            raise EOFError(f"{name} is cut short")
        return Object(_text(sha), _text(kind), data)

    def _started(self) -> CatFile:
        if self._cat_file is None:
            from git import Git as CatFile

            self._cat_file = CatFile(str(self._repository))
            # GIT_OBJECT_DIRECTORY too: GitPython hands on what it finds, and a hook has it set.
            self._cat_file.update_environment(
                **self._environment(),
                GIT_DIR=str(self._repository),
                GIT_OBJECT_DIRECTORY=str(self._repository / "objects"),
                GIT_ALTERNATE_OBJECT_DIRECTORIES="",
            )
        return self._cat_file

    def _too_late(self) -> None:
        self._late = True
        self._kill()

    def _kill(self) -> None:
        process = self._cat_file and self._cat_file.cat_file_all
        if process is not None and process.proc is not None:
            process.proc.kill()

    def _end(self) -> None:
        if self._cat_file is not None:
            self._kill()  # GitPython would wait for a process that does not answer
            self._cat_file.clear_cache()
            self._cat_file = None


def _text(value: str | bytes) -> str:
    """GitPython says str and gives bytes."""
    return value.decode() if isinstance(value, bytes) else value
