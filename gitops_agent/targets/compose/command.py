"""The only place that starts Compose. Its output can hold secrets: it is parsed, and never printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gitops_agent import process
from gitops_agent.errors import ApplyFailed, CommandFailed, InvalidRevision, Unavailable
from gitops_agent.file_target import tree
from gitops_agent.file_target.complaint import complaint
from gitops_agent.targets.compose.facts import Facts, Service
from gitops_agent.targets.compose.settings import ComposeSettings

_KEPT = frozenset({"PATH", "HOME", "USER", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"})
"""All that Compose gets of the agent's environment: nothing else may end in a service by `${…}`."""
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_PLUGINS = (
    ".docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
)


class Command:
    def __init__(self, settings: ComposeSettings) -> None:
        self._settings = settings
        self._program: list[str] = []

    @property
    def tool(self) -> str:
        """Which Compose this is: another one may hash the same service differently."""
        program = shutil.which(self._find()[0])
        status = Path(program).stat() if program else None
        return f"{program}:{status.st_mtime_ns}:{status.st_size}" if status else ""

    @property
    def version(self) -> str:
        """As it labels the containers that it makes."""
        done = process.run([*self._find(), "version", "--short"], timeout=self._settings.timeout, env=self._environment())
        return done.text.strip().removeprefix("v")

    def facts(self, files: Mapping[str, bytes], staging: Path, key: bytes) -> Facts:
        """What Compose makes of files that are not published yet.

        Hashes depend on absolute paths. So the files are read where they are staged, and the result, in which everything is
        resolved, is hashed as if it lay in the project's directory.
        """
        text = self._resolved(files, staging)
        directory = self._settings.directory
        hashed = self._config(directory, ["--env-file", os.devnull, "-f", "-", "config", "--hash", "*"], text)
        hashes = dict(line.split() for line in hashed.decode().splitlines())
        return Facts.of(json.loads(text), hashes, directory, key)

    def config(self, files: Mapping[str, bytes], staging: Path) -> Mapping[str, Any]:
        """Everything that Compose makes of them, secrets included."""
        found: Mapping[str, Any] = json.loads(self._resolved(files, staging))
        return found

    def _resolved(self, files: Mapping[str, bytes], staging: Path) -> bytes:
        staged = Path(tempfile.mkdtemp(prefix="config-", dir=staging))
        try:
            text = self.resolve(files, staged)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return text.replace(str(staged).encode(), str(self._settings.directory).encode())

    def resolve(self, files: Mapping[str, bytes], staged: Path) -> bytes:
        """What Compose reads in files that are put into `staged`, as JSON. Raises InvalidRevision."""
        for path, content in files.items():
            tree.create(staged / path, tree.File(content, 0o600), durable=False)
        arguments = [part for path in self._settings.files for part in ("-f", staged / path)]
        return self._config(staged, [*arguments, "config", "--format", "json"], None)

    def pull(self, services: Mapping[str, Service]) -> None:
        """Of services whose files are not published yet. Raises ApplyFailed where an image cannot be had."""
        images = {
            name: {"image": found.image, **({"platform": found.platform} if found.platform else {})}
            for name, found in services.items()
        }
        named = ["--env-file", os.devnull, "-f", "-", "pull", "--quiet"]
        self._act(named, self._settings.pull_timeout, json.dumps({"services": images}).encode())

    def up(self, services: Sequence[str], *, anew: bool) -> None:
        """Creates and starts these services, in the order in which they depend on each other, and no others. `anew`: also those
        in which Compose sees no change."""
        options = ["--detach", "--no-deps", "--no-build", "--pull", "never", "--yes", *(["--force-recreate"] if anew else [])]
        files = [part for path in self._settings.files for part in ("-f", self._settings.directory / path)]
        self._act([*files, "up", *options, *services], self._settings.up_timeout)

    def _act(self, arguments: Sequence[str | Path], timeout: float, stdin: bytes | None = None) -> None:
        command = self._command(self._settings.directory, ["--progress", "plain", *arguments])
        process.run(command, timeout=timeout, env=self._environment(), stdin=stdin)

    def _config(self, directory: Path, arguments: Sequence[str | Path], stdin: bytes | None) -> bytes:
        command, limit = self._command(directory, arguments), self._settings.timeout
        try:
            done = process.run(command, timeout=limit, env=self._environment(), stdin=stdin, accept=range(256))
        except CommandFailed as error:  # ran out of time, or was killed: says nothing about the files
            raise Unavailable(str(error)) from None
        file = self._settings.files[0]
        if done.status:
            said = complaint(done.stderr, directory)
            raise InvalidRevision(said.message, file=said.file or file, line=said.line)
        unset = _UNSET.search(done.stderr)
        if unset:
            raise InvalidRevision(f"${{{unset[1]}}} is not set; values come from templates, or a .env file beside it", file=file)
        return done.stdout

    def _command(self, directory: Path, arguments: Sequence[str | Path]) -> list[str | Path]:
        return [*self._find(), "--project-name", self._settings.project, "--project-directory", directory, *arguments]

    def _find(self) -> list[str]:
        if not self._program:
            self._program = _find()
        return self._program

    def _environment(self) -> Mapping[str, str | None]:
        environment: dict[str, str | None] = {name: None for name in os.environ if name not in _KEPT and name != "DOCKER_CONFIG"}
        host = self._settings.docker or os.environ.get("DOCKER_HOST")
        return {**environment, **({"DOCKER_HOST": host} if host else {})}


def _find() -> list[str]:
    """The plug-in itself: asking `docker` to call it takes as long again."""
    places = [Path.home() / _PLUGINS[0], *map(Path, _PLUGINS[1:])]
    for path in (place / "docker-compose" for place in places):
        if os.access(path, os.X_OK):
            return [str(path)]
    if found := shutil.which("docker-compose"):
        return [found]
    if shutil.which("docker"):
        return ["docker", "compose"]
    raise Unavailable("docker compose is not installed where the agent runs")


def failed(error: ApplyFailed) -> ApplyFailed:
    """The same error, with the line in which Compose says what is wrong instead of the last one."""
    output = error.output.splitlines() if isinstance(error, CommandFailed) else []
    telling = [line for line in output if "rror" in line or "unhealthy" in line or "exited" in line]
    return ApplyFailed(f"docker compose: {telling[-1].strip()}") if telling else error
