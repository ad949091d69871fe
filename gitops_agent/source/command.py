"""How git is run: without the host's configuration, without a terminal, within a time limit, and with a token nobody can see.

The token travels in the environment of the one process that needs it (GIT_CONFIG_KEY_n): in no URL, no file of git's, no list of
processes, and it is masked in whatever git prints.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitops_agent import process, secret
from gitops_agent.errors import CommandFailed, Unavailable
from gitops_agent.process import Completed
from gitops_agent.source.remote import Remote

# A file, because git takes safe.directory and uploadpack's settings from nowhere else once it has gone to another repository.
_CONFIG = """\
# Written by gitops-agent at each start: all that its git knows besides git's own defaults.
[safe]
	directory = *
[gc]
	auto = 0
[fetch]
	showForcedUpdates = false
[protocol]
	# Version 2 asks one question more, and each costs Gitea about 17 ms; its gain is with many thousands of refs.
	version = 0
[http]
	# A token must not travel: neither to where a redirect points nor through a proxy of whoever started the agent.
	followRedirects = false
	proxy =
"""
_NOISE = ("hint:", "warning:", "Please make sure", "and the repository exists", "remote: Processing", "From ", "To ")
_CONNECT_TIMEOUT = 10
"""Seconds for ssh to connect, where git's own time limit is longer."""


class Git:
    """git for one remote. `home` is a directory of ours; git runs there, and finds neither ~/.gitconfig nor ~/.netrc."""

    def __init__(self, remote: Remote, home: Path) -> None:
        self.remote = remote
        self._home = home.absolute()

    def __call__(
        self,
        *arguments: str | Path,
        at: Path | None = None,
        stdin: bytes | None = None,
        timeout: float | None = None,
        accept: Sequence[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Runs a command on the bare repository `at`, or on none. Raises CommandFailed, without `status` when it took too long."""
        where = () if at is None else (f"--git-dir={at.absolute()}",)
        return process.run(
            ("git", *where, *arguments),
            timeout=timeout or self.remote.timeout,
            env=foreign() | self.environment() | self._credentials() | dict(env or {}),
            cwd=self._home,
            stdin=stdin,
            accept=accept,
            session=False,  # terminal prompts are off
        )

    def environment(self) -> dict[str, str]:
        """What any git command needs, without credentials."""
        config = self._home / "gitconfig"
        if not config.exists():
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            config.write_text(_CONFIG)
        return {
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_CEILING_DIRECTORIES": str(self._home.parent),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "GIT_ALLOW_PROTOCOL": "http:https:ssh:file",
            "GIT_AUTHOR_NAME": "gitops-agent",
            "GIT_AUTHOR_EMAIL": "gitops-agent@localhost",
            "GIT_COMMITTER_NAME": "gitops-agent",
            "GIT_COMMITTER_EMAIL": "gitops-agent@localhost",
        }

    def _credentials(self) -> dict[str, str]:
        if not self.remote.over_http:
            return {"GIT_SSH_VARIANT": "ssh", "GIT_SSH_COMMAND": self._ssh()}
        config = {}
        if self.remote.ca_file is not None:
            config["http.sslCAInfo"] = str(self.remote.ca_file.absolute())
        if self.remote.token_file is not None:
            # Sent with the first request: asking only when the server says 401 would cost one more.
            config[f"http.{self.remote.origin}.extraHeader"] = f"Authorization: Basic {self._token(self.remote.token_file)}"
        pairs = list(enumerate(config.items()))
        return {"GIT_CONFIG_COUNT": str(len(pairs))} | {
            name: value
            for index, (key, setting) in pairs
            for name, value in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", setting))
        }

    def _token(self, file: Path) -> str:
        """Read each time: a token may be rotated while the agent runs."""
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"token file {file} cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        basic = base64.b64encode(f"{self.remote.username}:{token}".encode()).decode()
        secret.remember(token)
        secret.remember(basic)
        return basic

    def _ssh(self) -> str:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": f"{max(1, min(_CONNECT_TIMEOUT, int(self.remote.timeout)))}",
            "StrictHostKeyChecking": "yes",
            "ControlMaster": "no",  # a master started by us would hold git's pipes open after git has ended
        }
        if self.remote.ssh_key_file is not None:
            options |= {"IdentityFile": str(self.remote.ssh_key_file.absolute()), "IdentitiesOnly": "yes"}
        if self.remote.known_hosts_file is not None:
            options |= {"UserKnownHostsFile": str(self.remote.known_hosts_file.absolute()), "GlobalKnownHostsFile": os.devnull}
        return shlex.join(["ssh", *(f"-o{name}={value}" for name, value in options.items())])


def foreign() -> dict[str, str | None]:
    """Takes away what an agent started from a git hook, or by somebody who debugs git, would hand on."""
    return {name: None for name in os.environ if name.startswith("GIT_")}


def reason(error: CommandFailed, remote: Remote) -> str:
    """Why git failed, in one line for people."""
    if error.status is None:
        return f"no answer within {remote.timeout:g} s"
    lines = [line.strip() for line in error.output.splitlines()]
    said = next((line for line in lines if line and not line.startswith(_NOISE)), f"git exited with {error.status}")
    said = re.sub(r"^(fatal|error|remote): |unable to access '[^']*': ", "", re.sub(r"^(fatal|error|remote): ", "", said))
    if "could not read Username" in said or "Authentication failed" in said or "error: 403" in said:
        return "the token is refused" if remote.token_file else "a token is needed: set token_file"
    return said[:300]
