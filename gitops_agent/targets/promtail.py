"""`promtail`: its configuration, reloaded over HTTP where that is enabled, or restarted by a command."""

from __future__ import annotations

from gitops_agent.errors import ApplyFailed
from gitops_agent.file_target.restarted import RestartedTarget
from gitops_agent.file_target.server import ServerSettings

_OFF = "set server.enable_runtime_reload in its configuration, or give a command that restarts it as `reload` in agent.toml"
_UNCHANGED = "config has not changed"


class PromtailTarget(RestartedTarget):
    class Settings(ServerSettings):
        address: str = "http://127.0.0.1:9080"
        """Address of Promtail."""
        config: str = "promtail.yaml"
        """The main configuration file, one of the folder."""
        check: tuple[str, ...] = ("promtail", "-config.file={staged}/{config}", "-check-syntax")
        """Command that looks at the files before they are published, as a list; `{staged}` stands for a directory that holds them
        as they will be, `{config}` for the main file's name. Add `-config.expand-env=true` where Promtail is started with it."""
        reload: tuple[str, ...] = ()
        """Command that restarts Promtail, as a list: `["docker", "restart", "promtail"]`. Unset, it is told over HTTP, which needs
        `server: {enable_runtime_reload: true}` in its configuration."""

    settings: Settings
    _stopped = False
    """It refused a reload. It then has stopped all it did, and takes its old configuration for unchanged."""

    def reload(self) -> None:
        self._before = None
        if self.settings.reload:
            super().reload()
        elif self.api.listens():
            stopped, self._stopped = self._stopped, False
            try:
                self.told("/reload", _OFF)
            except ApplyFailed as error:
                if _UNCHANGED not in str(error):
                    self._stopped = True
                    raise
                if stopped:
                    raise ApplyFailed("promtail does nothing any more since it refused the new files: restart it") from None


TARGET = PromtailTarget
