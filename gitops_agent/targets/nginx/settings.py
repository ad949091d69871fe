"""Where nginx is and how it was started."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gitops_agent.file_target import FileTargetSettings
from gitops_agent.target import Seconds


class NginxSettings(FileTargetSettings):
    """A relative `config` is a file of the folder."""

    config: str = "nginx.conf"
    """The main configuration file: relative, a file of the folder (`nginx.conf`); absolute, the path of one that lies elsewhere and
    includes the published files, as nginx sees it."""
    container: str = ""
    """Name of the container that nginx runs in, or its Compose service: `nginx`, or `PROJECT/nginx`. Unset: on this host."""
    docker: str = ""
    """Address of the Docker Engine, as in DOCKER_HOST; that, or the usual socket, unless set."""
    binary: str = "nginx"
    """The nginx program, on this host or in the container."""
    prefix: str = ""
    """What nginx was started with as `-p`; the built-in one unless set."""
    pid: Path | None = None
    """nginx's pid file, for an nginx on this host; unset, what the configuration says, or the built-in path."""
    check_timeout: Seconds = Field(default=30, gt=0)
    """Seconds for `nginx -t`."""
    reload_timeout: Seconds = Field(default=10, gt=0)
    """Seconds until a reload must have replaced every worker that takes connections."""
