"""The repository an environment follows: where it is, how to get in, and how much of it is too much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gitops_agent.errors import ConfigError

_SCP = re.compile(r"[^/]+:")
"""`user@host:path`, ssh's own form: a colon before the first slash (git-fetch(1), GIT URLS)."""
_NOT_IN_A_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|[./]$|\.lock(/|$)")
"""git-check-ref-format(1). A branch ends up in a refspec, where `:` and `*` mean something."""


@dataclass(frozen=True)
class Remote:
    """Plain values out of agent.toml. Raises ConfigError for an address or a branch that git must not be given."""

    url: str
    """`http(s)://`, `ssh://`, `user@host:path`, `file://` or a path; never with a password in it."""
    branch: str = "main"
    username: str = "gitops-agent"
    token_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None
    timeout: float = 60
    """Seconds for one git command."""
    max_file_bytes: int = 1 << 20
    max_tree_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if not self.url or self.url.startswith("-") or "\n" in self.url:
            raise ConfigError(f"source {self.url!r} is no address of a repository")
        if _NOT_IN_A_BRANCH.search(self.branch) or not self.branch:
            raise ConfigError(f"branch {self.branch!r} is no name of a branch")
        if self.over_http and "@" in urlsplit(self.url).netloc:
            raise ConfigError("source holds a user or a password: put the token into a file and name it in token_file")
        if self.path is not None:  # git runs in a directory of ours: what is relative would be looked for there
            object.__setattr__(self, "url", str(self.path))

    @property
    def over_http(self) -> bool:
        return self.url.startswith(("http://", "https://"))

    @property
    def path(self) -> Path | None:
        """The repository's directory where it is on this host and named by its path."""
        if "://" in self.url or _SCP.match(self.url):
            return None
        return Path(self.url).absolute()

    @property
    def origin(self) -> str:
        """Scheme, host and port: where the token may go."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/"

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"
