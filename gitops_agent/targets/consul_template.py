"""`consul-template`: its configuration and templates, parsed by itself before they are published, then read again on SIGHUP."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

from pydantic import Field, field_validator

from gitops_agent.errors import AgentError, ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import commands
from gitops_agent.file_target.checked import CheckedSettings, CheckedTarget
from gitops_agent.file_target.complaint import complaint
from gitops_agent.model import HEALTHY, Health, HealthStatus
from gitops_agent.target import Seconds

_PAUSE = 0.05
_SAID = re.compile(r"^\S+ (?:\S+ )?\[ERR\] \(cli\) ", re.MULTILINE)
_NAMED = re.compile(rb'(?P<before>\b(?:\w*token_file|ca_cert|cert|key)\s*=\s*")(?P<path>/[^"]+)"')
_TEMPLATE = re.compile(r": parse: template: :(\d+): ")
_FILE = re.compile(r"from file: (?=(/?))")


class ConsulTemplateTarget(CheckedTarget):
    class Settings(CheckedSettings):
        config: str = "consul-template.hcl"
        """The main configuration file, one of the folder."""
        check: tuple[str, ...] = (
            *("consul-template", "-config", "{staged}/{config}", "-parse-only"),
            *("-dry", "-pid-file", "{staged}.pid"),
        )
        """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
        as they will be, `{config}` for the main file's name. Without `-dry` and a pid file of its own, `-parse-only` renders
        what needs no data to its real place, and removes the running one's pid file."""
        pid: Path | None = None
        """consul-template's `pid_file`, where it runs on this host: it is sent SIGHUP, and has to be running afterwards."""
        reload: tuple[str, ...] = ()
        """Command that makes it read its files, as a list, instead of SIGHUP to `pid`: for one in a container
        (`["docker", "kill", "--signal", "HUP", "consul-template"]`), or one that was started with flags only and has to be
        restarted."""
        settle: Seconds = Field(default=2, ge=0)
        """Seconds that it has to keep running after it was told: what it cannot read ends it. Then comes what it rendered."""
        renders: tuple[Path, ...] = ()
        """Files that it renders, as seen on this host: after it was told, each has to be there and to hold something, or the
        previous files come back. Where another target's program uses them, name their directory in that one's `reads`."""
        renders_check: tuple[str, ...] = ()
        """Command that looks at what was rendered, as a list: `["nginx", "-t", "-c", "/srv/nginx/current/nginx.conf"]`. Where it
        fails, the previous files come back."""

        @field_validator("renders")
        @classmethod
        def _all_absolute(cls, renders: tuple[Path, ...]) -> tuple[Path, ...]:
            if any(not path.is_absolute() for path in renders):
                raise ValueError("must be absolute paths")
            return renders

    settings: Settings
    _known: int = 0
    _told: int = 0
    """Pid of the process that has to keep running; 0 where none was told."""

    def rehearsed(self, staged: Path, content: bytes) -> bytes:
        """It reads its tokens and certificates before its templates."""
        stand_in = staged.parent / "stand-in"
        stand_in.write_text("00000000-0000-4000-8000-000000000000")

        def missing(match: re.Match[bytes]) -> bytes:
            there = Path(match["path"].decode(errors="replace")).exists()
            return match[0] if there else match["before"] + bytes(stand_in) + b'"'

        return _NAMED.sub(missing, super().rehearsed(staged, content))

    def verdict(self, output: str, staged: Path) -> AgentError:
        """Said as `TIME [ERR] (cli) F: parse: template: :LINE: …`, or `from file: NAME: …` of the configuration."""
        output = _TEMPLATE.sub(r":\1: ", _SAID.sub("", output))
        output = _FILE.sub(lambda file: "" if file[1] else f"{staged}/", " ".join(output.split()))
        said = complaint(output, staged)
        if (staged / said.file).is_file():
            return said
        # It names a file that is missing: that is the configuration's mistake, and the name has to stay.
        return InvalidRevision(output.replace(f"{staged}/", "") if said.file else said.message, file=self.settings.config)

    def reload(self) -> None:
        self._told = self._pid()
        if self.settings.reload:
            self.run_reload()
        elif self.settings.pid is None:
            raise ApplyFailed("agent.toml has neither `pid` nor `reload`, so consul-template cannot be told")
        elif self._told:
            try:
                os.kill(self._told, signal.SIGHUP)
            except ProcessLookupError:
                self._told = 0
            except PermissionError:
                raise ApplyFailed(f"may not signal consul-template (pid {self._told}); the agent needs its user, or root") from None

    def verify(self) -> None:
        """It says nothing of a reload; but it ends when it cannot read its files, and what it renders can be looked at."""
        if not (self.settings.renders or self.settings.renders_check if self.settings.reload else self._told):
            return
        deadline = time.monotonic() + self.settings.settle
        while time.monotonic() < deadline:
            if self._told and not self.settings.reload and not _runs(self._told):
                raise ApplyFailed("consul-template ended when it was to read the new files; its log says why")
            time.sleep(_PAUSE)
        self._look_at_rendered()

    def _look_at_rendered(self) -> None:
        """A new file may take longer than `settle`: what it renders from may have to be fetched."""
        deadline = time.monotonic() + self.settings.reload_timeout - self.settings.settle
        for path in self.settings.renders:
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(_PAUSE)
            if not path.exists():
                raise ApplyFailed(f"consul-template has not rendered {path} within {self.settings.reload_timeout:g} s")
            if not path.read_bytes().strip():
                raise ApplyFailed(f"consul-template rendered {path} empty")
        if self.settings.renders_check:
            command = self.settings.renders_check
            status, output = commands.look(command, timeout=self.settings.check_timeout)
            if status:
                said = next((line.strip() for line in output.splitlines() if line.strip()), f"exit status {status}")
                raise ApplyFailed(f"what consul-template rendered fails {command[0]}: {said}")

    def health(self) -> Health:
        if self.settings.pid is not None and not self._pid():
            return Health(HealthStatus.PROGRESSING, "consul-template does not run")
        if not self.publisher.settled():
            return Health(HealthStatus.DEGRADED, "consul-template has not been seen to take what is published")
        return HEALTHY

    def _pid(self) -> int:
        """0 where it does not run. A pid once found is kept while it runs: a reload writes the pid file anew."""
        if not _runs(self._known) and self.settings.pid is not None:
            try:
                self._known = int(self.settings.pid.read_text())
            except (FileNotFoundError, ValueError):
                self._known = 0
            except OSError as error:
                raise Unavailable(f"consul-template's pid file {self.settings.pid}: {error.strerror}") from None
        return self._known if _runs(self._known) else 0


def _runs(pid: int) -> bool:
    try:
        return pid > 0 and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


TARGET = ConsulTemplateTarget
