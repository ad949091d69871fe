"""`files`: a directory, with commands from agent.toml that check, reload and verify. For everything that has no kind of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from gitops_agent import hcl
from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.file_target import FileTarget, FileTargetSettings, commands
from gitops_agent.file_target.complaint import complaint
from gitops_agent.model import Files
from gitops_agent.target import Seconds

_NOT_NOW = 75
"""EX_TEMPFAIL of sysexits.h: how a check says that it could not reach or resolve something."""


class FilesTarget(FileTarget):
    class Settings(FileTargetSettings):
        check: tuple[str, ...] = ()
        """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
        as they will be. Exit status 75 says that something could not be reached: the author is not blamed, and it is tried again.
        Lines such as `{staged}/a.conf:12: message` are shown as file and line of the repository."""
        reload: tuple[str, ...] = ()
        """Command that makes the program read its files again, run after they were published."""
        verify: tuple[str, ...] = ()
        """Command that succeeds when the program uses them. When it or `reload` fails, the previous files are published again and
        `reload` and `verify` run once more."""
        check_timeout: Seconds = Field(default=30, gt=0)
        """Seconds for `check`."""

    settings: Settings

    @property
    def checks(self) -> bool:
        return bool(self.settings.check)

    def check(self, staged: Path) -> None:
        status, output = commands.look(self._filled(self.settings.check, staged), timeout=self.settings.check_timeout)
        if status == _NOT_NOW:
            raise Unavailable(f"{self.name}: check: {complaint(output, staged)}")
        if status:
            raise complaint(output, staged)

    def rehearse(self, files: Files, directory: Path) -> str:  # noqa: ARG002 -- its text is enough
        """No program is known. Of HCL, what is opened is closed; JSON is JSON."""
        looked = []
        for path, content in files.items():
            if path.endswith(".hcl"):
                looked.append("HCL")
                list(hcl.blocks(path, hcl.text(path, content)))
            elif path.endswith(".json"):
                looked.append("JSON")
                try:
                    json.loads(content)
                except ValueError as error:
                    raise InvalidRevision(f"is no JSON: {error}", file=path) from None
        return ", ".join(dict.fromkeys(looked))

    def reload(self) -> None:
        self._run(self.settings.reload)

    def verify(self) -> None:
        self._run(self.settings.verify)

    def _run(self, command: Sequence[str]) -> None:
        if command:
            commands.run(self._filled(command, self.publisher.live), timeout=self.settings.timeout)

    def _filled(self, command: Sequence[str], staged: Path) -> list[str]:
        return commands.fill(command, staged=staged, directory=self.publisher.live)


TARGET = FilesTarget
