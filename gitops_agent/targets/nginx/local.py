"""nginx on this host."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from gitops_agent import process, secret
from gitops_agent.errors import ApplyFailed, CommandFailed, Unavailable
from gitops_agent.file_target.moved import moved
from gitops_agent.targets.nginx.program import Nginx, Presence, Sight, is_master, is_starting, processes, takes_connections
from gitops_agent.targets.nginx.settings import NginxSettings
from gitops_agent.targets.nginx.staged import borrow
from gitops_agent.targets.nginx.verdict import judge

_MOST_LOG = 65536


class LocalNginx(Nginx):
    """Checks a copy in which the published directory's path reads as the copy's; looks at workers through /proc."""

    pause = 0.003

    def __init__(self, settings: NginxSettings, live: Path) -> None:
        self._settings = settings
        self._live = live
        self._config = live / settings.config  # an absolute one stays as it is
        self._known_master = 0
        self._log: tuple[Path, int] | None = None

    def edit(self, staged: Path, content: bytes) -> bytes:
        return moved(content, self._live, staged)

    def test(self, staged: Path) -> None:
        config = staged / self._settings.config
        if Path(self._settings.config).is_absolute():
            config = borrow(self._config, self._live, staged)
        command = [self._settings.binary, "-t", "-q", *self._prefix, "-c", str(config)]
        try:
            done = process.run(command, timeout=self._settings.check_timeout, accept=range(256))
        except CommandFailed as error:
            raise Unavailable(f"nginx -t: {error}") from None
        if done.status:
            raise judge(done.stderr, lambda path: _below(Path(path), staged))

    def look(self) -> Sight:
        master = self._master()
        if not master and any(map(self._is_starting, processes(_titles, self._is_starting).values())):
            return Sight(Presence.STARTING)
        master = master or self._master()  # between the two looks it may have become one
        if not master:
            return Sight(Presence.STOPPED)
        found = ((pid, takes_connections(_title(pid))) for pid in _children(master))
        return Sight(Presence.RUNNING, {pid: takes for pid, takes in found if takes is not None}, master)

    def reload(self, sight: Sight) -> None:
        log = self._directive("error_log") or self._built_in("error-log-path")
        path = self._in_prefix(log) if log and not log.startswith(("stderr", "syslog:", "memory:")) else None
        self._log = (path, path.stat().st_size) if path and path.is_file() else None
        try:
            os.kill(sight.master, signal.SIGHUP)  # what `nginx -s reload` does after it has read everything once more
        except ProcessLookupError:
            raise ApplyFailed("nginx ended before it could be reloaded") from None
        except PermissionError:
            raise ApplyFailed(f"may not signal nginx (pid {sight.master}); the agent needs its user, or root") from None

    def complaints(self) -> str:
        if self._log is None:
            return ""
        path, offset = self._log
        with suppress(OSError), path.open("rb") as log:
            log.seek(offset)
            return secret.mask(log.read(_MOST_LOG).decode(errors="replace"))
        return ""

    @property
    def _prefix(self) -> list[str]:
        return ["-p", self._settings.prefix] if self._settings.prefix else []

    def _master(self) -> int:
        """The master's pid, 0 when it does not run. A pid once found is kept while it is that of a master: a commit may move the
        pid file."""
        if not _is_master(self._known_master):
            self._known_master = self._read_pid()
        return self._known_master if _is_master(self._known_master) else 0

    def _is_starting(self, title: str) -> bool:
        return is_starting(title, self._settings.binary)

    def _read_pid(self) -> int:
        path = self._settings.pid
        if path is None:
            named = self._directive("pid") or self._built_in("pid-path")
            path = self._in_prefix(named) if named else None
        try:
            return int(path.read_text()) if path else 0
        except (FileNotFoundError, ValueError):
            return 0
        except OSError as error:
            raise Unavailable(f"nginx's pid file {path}: {error.strerror}") from None

    def _directive(self, name: str) -> str:
        """A simple directive of the main configuration file; empty where it has none."""
        try:
            text = self._config.read_text(errors="replace")
        except OSError:
            return ""
        match = re.search(rf"^[ \t]*{name}[ \t]+([^;{{}}\s]+)", text, re.MULTILINE)
        return match[1].strip("\"'") if match else ""

    def _built_in(self, name: str) -> str:
        match = re.search(rf"--{name}=(\S+)", self._build)
        return match[1] if match else ""

    @cached_property
    def _build(self) -> str:
        try:
            return process.run([self._settings.binary, "-V"], timeout=self._settings.check_timeout).stderr
        except CommandFailed as error:
            raise Unavailable(f"nginx -V: {error}") from None

    def _in_prefix(self, path: str) -> Path:
        return Path(self._settings.prefix or self._built_in("prefix") or "/") / path


def _below(path: Path, staged: Path) -> str | None:
    """Through links: with a borrowed main file, nginx reached the staged files by way of its mirror."""
    real, directory = path.resolve(), staged.resolve()
    return str(real.relative_to(directory)) if real.is_relative_to(directory) else None


def _is_master(pid: int) -> bool:
    return pid > 0 and is_master(_title(pid))


def _children(pid: int) -> Iterator[int]:
    try:
        yield from (int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN, or the master has just ended
        for child in _pids():
            with suppress(OSError):
                if int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    yield child


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _titles() -> dict[int, str]:
    return {pid: _title(pid) for pid in _pids()}


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
