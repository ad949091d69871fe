"""`loki`: its configuration, limits and rules. Loki reads them only when it starts, so it is restarted once they passed."""

from __future__ import annotations

from pydantic import Field

from gitops_agent.file_target.restarted import RestartedTarget
from gitops_agent.file_target.server import ServerSettings
from gitops_agent.target import Seconds


class LokiTarget(RestartedTarget):
    class Settings(ServerSettings):
        address: str = "http://127.0.0.1:3100"
        """Address of Loki."""
        config: str = "loki.yaml"
        """The main configuration file, one of the folder."""
        check: tuple[str, ...] = ("loki", "-config.file={staged}/{config}", "-verify-config")
        """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
        as they will be, `{config}` for the main file's name. Add `-config.expand-env=true` where Loki is started with it."""
        reload: tuple[str, ...] = Field(default=("docker", "restart", "loki"), min_length=1)
        """Command that restarts Loki."""
        reload_timeout: Seconds = Field(default=90, gt=0)
        """Seconds for that, and until Loki must be ready again: it takes 15 by its own default."""

    settings: Settings


TARGET = LokiTarget
