"""What a kind must tell the conformance suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from gitops_agent import targets
from gitops_agent.model import Files
from gitops_agent.target import Site, Target

KEY = b"conformance-key-of-32-bytes-long"
REFERENCE = "file:canary"
"""The secret reference that `Subject.with_secret` folders hold; the settings must allow it: `"secrets": ["file:*"]`."""


class Seen(NamedTuple):
    """One thing in the live system, read without the target."""

    content: Any
    """What `expected` says it must be."""
    version: Any
    """Changes with every write, also one of the same content: ModifyIndex, (inode, mtime), job version, container id …"""


class Subject(ABC):
    """One kind of target on one fresh real system. All folders are tiny: three or four resources."""

    kind: ClassVar[str]

    first: ClassVar[Files]
    """A folder with at least three resources, one of which has a field (or line, or flag) that `without` lacks."""
    second: ClassVar[Files]
    """`first` with one resource more, one changed, one gone, one as it was."""
    without: ClassVar[Files]
    """`first` with one field (line, flag …) taken out of a resource that stays: what a sloppy comparison does not see."""
    garbage: ClassVar[Mapping[str, Files]]
    """Folders by the name of what is wrong with them. `parse` or `observe` must raise InvalidRevision, naming the file."""
    kill_every: ClassVar[int] = 1
    """Kill at each of so many external calls. More than one only where the same code is killed at each call elsewhere."""
    excused: ClassVar[str] = "(nothing)"
    """What the system may say on a busy host, in vain for once: a run that is not killed fails of it, and the next one mends it."""
    patience: ClassVar[float] = 30
    """Seconds until the system must be healthy after an apply."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made: list[Target] = []

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The target's table of agent.toml as plain JSON values, without `kind` and `name`."""

    @abstractmethod
    def look(self) -> Mapping[str, Seen]:
        """Everything in the system that is owned, may be owned or lies beside it, by a name of the subject's own choice."""

    @abstractmethod
    def expected(self, files: Files) -> Mapping[str, Any]:
        """What `look` must show once `files` are applied: contents by name, bystanders left out."""

    @property
    def bystanders(self) -> frozenset[str]:
        """Names in `look` of things of somebody else that were there first. They must never change, not even in version."""
        return frozenset()

    @abstractmethod
    def tamper(self) -> None:
        """Changes by hand one thing that `first` declares."""

    @abstractmethod
    def vandalise(self) -> None:
        """Removes by hand one thing that `first` declares."""

    @abstractmethod
    def with_secret(self, placeholder: str) -> Files:
        """`first` with the placeholder somewhere in it."""

    def writes(self) -> int:
        """Writes that the system has received so far, where something counts them."""
        return 0

    def site(self) -> Site:
        directory = self.directory / "site"
        directory.mkdir(mode=0o700, exist_ok=True)
        return Site("conformance", directory, KEY)

    def target(self, **more: Any) -> Target:
        """A new object, as after a restart of the agent; `close` closes it. `more` are further settings."""
        target = build(self.kind, {**self.settings(), **more}, self.site())
        self._made.append(target)
        return target

    def close(self) -> None:
        for target in self._made:
            target.close()


class AdoptableSubject(Subject):
    """A kind in which something foreign can have the name of something desired."""

    @abstractmethod
    def plant(self, files: Files) -> None:
        """Brings about by hand, without any mark, what `files` say."""


class AilingSubject(Subject):
    """A kind that can be told to be sick."""

    @abstractmethod
    def ailing(self) -> AbstractContextManager[None]:
        """Makes the system sick for a while: `health` must not say healthy, or observe must say Unavailable."""


def build(kind: str, settings: Mapping[str, Any], site: Site) -> Target:
    """The target that agent.toml would give."""
    loaded = targets.load(kind)
    return loaded(loaded.Settings.model_validate({"kind": kind, "name": kind, **settings}), site)
