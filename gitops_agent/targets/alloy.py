"""`alloy`: its configuration, checked by `alloy validate`, reloaded over HTTP, and seen to be loaded by its metrics."""

from __future__ import annotations

import re
from pathlib import Path

from gitops_agent.errors import AgentError
from gitops_agent.file_target.complaint import complaint
from gitops_agent.file_target.reloaded import ReloadedTarget
from gitops_agent.file_target.server import ServerSettings


class AlloyTarget(ReloadedTarget):
    class Settings(ServerSettings):
        address: str = "http://127.0.0.1:12345"
        """Address of Alloy, with the path of its `--server.http.ui-path-prefix` left out."""
        config: str = "config.alloy"
        """The main configuration file, one of the folder; empty where Alloy is started with the directory."""
        check: tuple[str, ...] = ("alloy", "validate", "{staged}/{config}")
        """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
        as they will be, `{config}` for the main file's name. Give it the options that Alloy is started with, such as
        `--stability.level`."""

    settings: Settings
    successful = "alloy_config_last_load_successful"
    at = "alloy_config_last_load_success_timestamp_seconds"
    off = "what answers there is no Alloy, or something before it lets nobody reload; `reload` in agent.toml may send it SIGHUP"

    def verdict(self, output: str, staged: Path) -> AgentError:
        """Said as `Error: F:LINE:COLUMN: …`, with the lines around it below."""
        return complaint(re.sub(r"(?m)^Error: (.*?:\d+):\d+: ", r"\1: ", output), staged)


TARGET = AlloyTarget
