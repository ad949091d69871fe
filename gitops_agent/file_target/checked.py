"""What kinds share whose program brings its own checker: a main file, the check, and perhaps a command that reloads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.file_target import commands
from gitops_agent.file_target.complaint import complaint
from gitops_agent.file_target.moved import moved
from gitops_agent.file_target.rehearsal import TIMEOUT, lay_out, need
from gitops_agent.file_target.settings import FileTargetSettings
from gitops_agent.file_target.target import FileTarget
from gitops_agent.model import Files, State
from gitops_agent.target import Seconds


def in_one_line(output: str) -> str:
    """Go's YAML library says `F: yaml: unmarshal errors:`, and the line's number in the line below."""
    return re.sub(r"yaml: (?:unmarshal errors:\s+)?line ", "line ", output)


class CheckedSettings(FileTargetSettings):
    """A kind gives `config` and `check` their defaults."""

    config: str = ""
    """The main configuration file, one of the folder; where unset, there is none."""
    seen_as: Path | None = None
    """Where the program sees `directory`, if elsewhere: the path in its container. In the copy that is checked, paths that begin
    with it lead to the copy."""
    check: tuple[str, ...] = ()
    """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
    as they will be, `{config}` for the name above. An empty list checks nothing."""
    check_timeout: Seconds = Field(default=30, gt=0)
    """Seconds for `check`."""
    reload: tuple[str, ...] = ()
    """Command that makes the program read its files, as a list, where it is not to be told over HTTP: a signal, or a restart."""
    reload_timeout: Seconds = Field(default=30, gt=0)
    """Seconds until the program must be seen to use what was published."""


class CheckedTarget(FileTarget):
    """The check is the command of its settings."""

    class Settings(CheckedSettings):
        """A kind adds its own fields here."""

    settings: CheckedSettings

    def parse(self, files: Files) -> State:
        if self.settings.config and self.settings.config not in files:
            raise InvalidRevision("is missing; `config` in agent.toml names the main configuration file", file=self.settings.config)
        return super().parse(files)

    @property
    def checks(self) -> bool:
        return bool(self.settings.check)

    def check(self, staged: Path) -> None:
        status, output = commands.look(self._filled(self.settings.check, staged), timeout=self.settings.check_timeout)
        if status:
            raise self.verdict(output, staged)

    def verdict(self, output: str, staged: Path) -> AgentError:
        """What the checker's output means; see `check`."""
        return complaint(in_one_line(output), staged)

    def rehearse(self, files: Files, directory: Path) -> str:
        commands_ = self.rehearsals(files)
        staged = lay_out(files, directory, self.rehearsed)
        for command in commands_:
            need(command[0])
            status, output = commands.look(self._filled(command, staged), timeout=TIMEOUT)
            if status:
                raise self.verdict(output, staged)
        return ", ".join(dict.fromkeys(command[0] for command in commands_))

    def rehearsals(self, files: Files) -> Sequence[Sequence[str]]:  # noqa: ARG002 -- a kind may have more to say
        """The kind's own check, not agent.toml's: that one may need containers."""
        own: Sequence[str] = type(self.settings).model_fields["check"].default
        return [own] if own else []

    def rehearsed(self, staged: Path, content: bytes) -> bytes:
        """A file as it must read where what it names elsewhere is not there."""
        return self.edit(staged, content)

    def edit(self, staged: Path, content: bytes) -> bytes:
        content = moved(content, self.publisher.live, staged)
        if self.settings.seen_as is not None:
            below = self.publisher.live.relative_to(self.settings.directory)
            content = moved(content, self.settings.seen_as / below, staged)
        return content

    def run_reload(self) -> None:
        """The command of the settings."""
        commands.run(self._filled(self.settings.reload, self.publisher.live), timeout=self.settings.reload_timeout)

    def _filled(self, command: Sequence[str], staged: Path) -> list[str]:
        return commands.fill(command, staged=staged, directory=self.publisher.live, config=self.settings.config)
