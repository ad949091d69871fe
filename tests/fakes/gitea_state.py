"""What a fake Gitea remembers, and what may go wrong with it."""

from __future__ import annotations

import re
import subprocess
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = Any


@dataclass
class Repository:
    """`commits` are known; where `git` names a bare repository, what that holds is known too."""

    name: str
    private: bool = True
    git: Path | None = None
    commits: set[str] = field(default_factory=set)
    statuses: dict[str, list[dict[str, Json]]] = field(default_factory=dict)
    """By commit, in the order they came: nothing is ever taken out."""
    hooks: list[dict[str, Json]] = field(default_factory=list)
    next_hook: int = 1
    pulls: list[dict[str, Json]] = field(default_factory=list)
    forks: dict[str, Path] = field(default_factory=dict)
    """Bare repositories by the user who has them."""
    issues: list[dict[str, Json]] = field(default_factory=list)
    comments: list[dict[str, Json]] = field(default_factory=list)
    """Of issues and pull requests, whose numbers are one row; `number` is theirs."""
    id: int = 1
    settings: dict[str, Json] = field(default_factory=dict)
    """What PATCH has changed, topics among them."""
    keys: list[dict[str, Json]] = field(default_factory=list)
    protections: dict[str, dict[str, Json]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def has(self, sha: str) -> bool:
        if sha in self.commits:
            return True
        if self.git is None or not re.fullmatch(r"[0-9a-f]{40}", sha):
            return False
        command = ["git", "-C", str(self.git), "cat-file", "-e", f"{sha}^{{commit}}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def branch(self, name: str) -> str:
        """Where a branch is; empty where there is none."""
        command = ["git", "-C", str(self.git), "rev-parse", "--verify", "--quiet", f"refs/heads/{name}"]
        return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


def user_id(login: str) -> int:
    """The same for the same user."""
    return zlib.crc32(login.encode())


@dataclass
class Team:
    id: int
    name: str
    fields: dict[str, Json]
    members: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    """Full names."""


@dataclass
class Organisation:
    id: int
    name: str
    fields: dict[str, Json]
    teams: list[Team] = field(default_factory=list)
    hooks: list[dict[str, Json]] = field(default_factory=list)


@dataclass
class Trouble:
    """What goes wrong next. Counts are used up."""

    fail: int = 0
    """Answer this many requests with `status` and do nothing."""
    status: int = 503
    retry_after: str = ""
    drop_answers: int = 0
    """Store this many statuses, then cut the connection instead of answering."""
    delay: float = 0.0
    """Seconds before each answer; what was asked for has been done by then."""


@dataclass(frozen=True)
class Request:
    """One request as it came, also if it was answered with trouble. `at` is epoch seconds."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    at: float


@dataclass(frozen=True)
class Reply:
    status: int
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection instead of sending this."""
