"""The settings and their manual: docs/reference/agent-toml.md is generated from the docstrings under the fields."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, InstanceOf, model_validator

from gitops_agent.settings.previews import PreviewSettings
from gitops_agent.settings.validation import ValidationSettings
from gitops_agent.target import Seconds, Table, TargetSettings


class Report(StrEnum):
    """Where the outcome of a run is written."""

    GITEA = "gitea"
    NOTES = "notes"
    NONE = "none"


class OnFailure(StrEnum):
    """What happens to the systems when an apply fails."""

    HALT = "halt"
    RESTORE = "restore"


class SignedCommits(StrEnum):
    """Which commits must be signed."""

    EVERY = "every"
    HEAD = "head"


class Approve(StrEnum):
    """Which plans somebody has to approve before they are carried out."""

    HELD = "held"
    MANUAL = "manual"


class EnvironmentSettings(Table):
    """`[environments.NAME]`: one branch of one config repo, its targets and policies."""

    source: str
    """The config repo: an `http(s)://` or `ssh://` URL, `user@host:path`, or a path on this host. Never holds a password."""
    branch: str = "main"
    """The branch to follow."""
    token_file: Path | None = None
    """File with the Gitea token of the agent's bot user, for git over HTTP and for commit statuses."""
    username: str = "gitops-agent"
    """User name that goes with the token in git over HTTP; Gitea accepts any."""
    ssh_key_file: Path | None = None
    """Private key for git over SSH. The host key must be in `known_hosts_file`."""
    known_hosts_file: Path | None = None
    """Host keys for git over SSH, in the format of OpenSSH's known_hosts."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust for git and Gitea over HTTPS; the host's own unless set."""
    allowed_signers: Path | None = None
    """File with the SSH keys whose signatures count, in OpenSSH's own format (ssh-keygen(1), ALLOWED SIGNERS). With this or
    `signer_keys` only signed commits are applied; everything else is refused before it is rendered."""
    signer_keys: Path | None = None
    """The same for GPG: a directory of public keys."""
    signed_commits: SignedCommits = SignedCommits.EVERY
    """Which commits must be signed, where signers are named. `every`: all that came since the applied one, so that nobody's
    signature covers what somebody else slipped in below it. `head`: the newest alone; whoever signs it vouches for the whole."""
    refs: Path | None = None
    """The same repository on this host's disk, bare. Its branch ref is watched, never read: a push is noticed before it returns."""
    poll: Seconds = Field(default=60, ge=1)
    """Seconds between looks at the branch when nothing rings: the floor under webhooks, which Gitea never sends twice."""
    resync: Seconds = Field(default=600, ge=1)
    """Seconds between full looks at all targets for drift."""
    on_failure: OnFailure = OnFailure.HALT
    """`halt`: what was applied stays as it is, the commit is red, the next commit or attempt mends it. `restore`: the last applied
    revision is brought back at once, and the commit that failed stays red and is not tried again by itself."""
    restore_timeout: Seconds = Field(default=600, gt=0)
    """Seconds for bringing back the last applied revision."""
    approve: Approve = Approve.HELD
    """`manual`: a run stops after its plan until somebody approves exactly that plan, by its digest. `held`: only where a plan says
    so, as for a Compose service on `hold`. Healing drift brings back what was approved before, and is governed by `drift`."""
    validation: ValidationSettings | None = None
    """`[environments.NAME.validation]`; unset, nothing is validated by Concourse."""
    previews: PreviewSettings | None = None
    """`[environments.NAME.previews]`; unset, pull requests are not looked at."""
    requires: tuple[str, ...] = ()
    """Commit statuses that have to be green before the first write, whoever posts them: contexts, with `*` for any text, as in
    `["ci/*"]`. Each pattern needs at least one. Needs Gitea."""
    requires_deadline: Seconds = Field(default=1800, gt=0)
    """Seconds until a status that is not there, or still pending, is given up for this attempt."""
    requires_poll: Seconds = Field(default=10, ge=0.1)
    """Seconds between looks at the statuses; the webhook's `status` event makes it look at once."""
    report: Report | None = None
    """`gitea`: commit statuses; `notes`: git notes under refs/notes/gitops in the source; `none`. Unset: `gitea` for an `http(s)`
    source, `notes` for a path."""
    gitea: str = ""
    """Address of Gitea for statuses, `https://git.example.org`; taken from an `http(s)` source unless set."""
    gitea_pages: str = ""
    """Address of Gitea as people reach it, for links to commits and pull requests, where that is another one."""
    notify_file: Path | None = None
    """File with the addresses of those who are told when something went wrong and when it is well again, in the form of Apprise
    (`ntfys://…`, `slack://…`, `mailtos://…`), one a line; `#` begins a comment. They are secrets; read when the agent starts."""
    webhook_secret_file: Path | None = None
    """File with the secret that Gitea signs webhooks with. Without it every webhook is refused."""
    max_file_bytes: int = Field(default=1 << 20, gt=0)
    """A larger file in the config repo is the author's mistake."""
    max_tree_bytes: int = Field(default=64 << 20, gt=0)
    """The same for the sum of all files."""
    git_timeout: Seconds = Field(default=60, gt=0)
    """Seconds for one git command."""
    render_timeout: Seconds = Field(default=10, gt=0)
    """Seconds for rendering all templates of a revision."""
    render_memory: int = Field(default=256 << 20, ge=64 << 20)
    """Bytes of memory for rendering."""
    targets: tuple[InstanceOf[TargetSettings], ...] = ()
    """`[[environments.NAME.targets]]`: the systems, in the order they are applied."""

    @model_validator(mode="after")
    def _proposals_in_a_team_of_their_own(self) -> Self:
        proposed = self.previews.validation if self.previews is not None else None
        if proposed is not None and (self.validation is None or self.validation.team == proposed.team):
            raise ValueError("previews.validation needs [….validation], and another team than that")
        return self


class ServeSettings(Table):
    """`[serve]`: webhook, API and pages."""

    listen: str = "127.0.0.1:8555"
    """Address and port."""
    url: str = ""
    """Where people and Gitea reach it, for links in commit statuses; `http://` and `listen` unless set."""
    token_file: Path | None = None
    """File with the bearer token of the API and the password of the pages. Made at first start, in `state`, unless set."""
    metrics_token_file: Path | None = None
    """File with a bearer token that opens `/metrics` and nothing else, for Prometheus. Read at start."""

    @property
    def reachable(self) -> str:
        """Where programs on this host find it: one that listens on all addresses is asked on loopback."""
        host, _, port = self.listen.rpartition(":")
        return f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '[::]', '*') else host}:{port}"  # noqa: S104


class VaultSecretSettings(Table):
    """`[secrets.vault]`: the Vault or OpenBao that serves `secret("MOUNT/PATH#KEY")`, from KV version 2."""

    address: str = Field(pattern=r"^https?://[^/@?#\s]+(/[^@?#\s]*)?$")
    """Its address: `http://vault:8200`, `https://vault.example.org`."""
    token_file: Path | None = None
    """File with a token that may read the entries; read again when it changes. Or else `role_id` and `secret_id_file`."""
    role_id: str = ""
    """Role id of the agent's AppRole."""
    secret_id_file: Path | None = None
    """File with its secret id. The agent logs in once, and renews its token for as long as Vault lets it."""
    auth_path: str = "approle"
    """Where AppRole is mounted, below `auth/`."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
    timeout: Seconds = Field(default=30, gt=0)
    """Seconds for one request."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.role_id) != (self.secret_id_file is not None) or (self.token_file is None) == (self.secret_id_file is None):
            raise ValueError("needs token_file, or role_id and secret_id_file")
        return self


class SecretSettings(Table):
    """`[secrets]`: where references are resolved."""

    directory: Path | None = None
    """Directory that serves `file:NAME`, one value a file. `STATE/secrets` unless set."""
    vault: VaultSecretSettings | None = None
    """Where references without a scheme are resolved; unset, there are none."""


class AgentSettings(Table):
    """The top of agent.toml."""

    state: Path = Path("/var/lib/gitops-agent")
    """Directory of the agent's own: mirrors, journal, locks, caches. 0700."""
    log_format: str = Field(default="text", pattern="^(text|json)$")
    """`text` for people, `json` for Promtail; on standard error."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """The least serious messages that are logged."""
    keep_runs: int = Field(default=1000, ge=10)
    """Runs that the journal keeps for each environment."""
    serve: ServeSettings = ServeSettings()
    secrets: SecretSettings = SecretSettings()
    environments: dict[str, InstanceOf[EnvironmentSettings]] = Field(default_factory=dict)
    """`[environments.NAME]`; names are lower-case letters, digits and hyphens."""
