"""One-off builds of the fake Concourse: a task's command really runs, on this host, in a directory that holds what was uploaded;
what a build says is kept as events."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Json = Any


class Build:
    def __init__(self, number: int, plan: Json, names: Json, artifacts: Mapping[int, bytes], *, workers: bool) -> None:
        self.number = number
        self.names = names
        self.plan = plan
        self._artifacts = artifacts
        self.events: list[Json] = []
        self.status = "started"
        self.changed = threading.Condition()
        self._child: subprocess.Popen[bytes] | None = None
        self._aborted = False
        self.thread = threading.Thread(target=self._run, args=(plan, workers), daemon=True)
        self.thread.start()

    def to_json(self) -> Json:
        number = self.number
        return {"id": number, "name": str(number), "status": self.status, "api_url": f"/api/v1/builds/{number}", **self.names}

    def abort(self) -> None:
        with self.changed:
            self._aborted = True
            if self._child is not None and self._child.poll() is None:
                os.killpg(self._child.pid, signal.SIGKILL)
            self.changed.notify_all()

    @property
    def ended(self) -> bool:
        return self.status not in ("pending", "started")

    def _run(self, plan: Json, workers: bool) -> None:
        self._say("status", {"status": "started"})
        status = "succeeded"
        with self.changed:
            while not workers and not self._aborted:
                self.changed.wait()
        with TemporaryDirectory(prefix="fake-concourse-") as directory:
            for step in plan.get("do", [plan]):
                if status == "succeeded" and "artifact_input" in step:
                    self._unpack(step["artifact_input"], Path(directory, "artifacts"))
                if status == "succeeded" and "task" in step:
                    status = self._task(step, Path(directory))
        self._end("aborted" if self._aborted else status)

    def _unpack(self, given: Json, directory: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(self._artifacts[given["artifact_id"]])) as archive:
            archive.extractall(directory / given["name"], filter="data")

    def _task(self, step: Json, directory: Path) -> str:
        origin = {"id": step["id"]}
        self._say("initialize-task", {"origin": origin})
        config = step["task"].get("config") or {}
        if not {"rootfs_uri", "image_resource"} & config.keys():
            self._say("error", {"message": "rootfs must not be empty", "origin": origin})
            return "errored"
        if "image_resource" in config:
            cached = "\x1b[1;36mINFO: found existing resource cache\x1b[0m\r\n\r\n"
            self._say("log", {"payload": cached, "origin": {"id": f"{step['id']}/image-get", "source": "stderr"}})
        self._say("start-task", {"origin": origin, "config": {"platform": "linux", "image": "", "run": config["run"]}})
        begins = directory / "task"
        begins.mkdir()
        for given in config.get("inputs", []):
            if (artifact := directory / "artifacts" / given["name"]).exists():
                shutil.copytree(artifact, begins / given.get("path", given["name"]), dirs_exist_ok=True)
        command = [config["run"]["path"], *config["run"].get("args", [])]
        with self.changed:
            if self._aborted:
                return "aborted"
            self._child = subprocess.Popen(
                command,
                cwd=begins,
                env={**os.environ, **config.get("params", {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._child.stdout is not None
        with self._child as child:
            for line in self._child.stdout:  # a terminal, as there: CR LF
                self._say("log", {"payload": line.decode().replace("\n", "\r\n"), "origin": {**origin, "source": "stdout"}})
        self._say("finish-task", {"exit_status": child.returncode, "origin": origin})
        return "failed" if child.returncode else "succeeded"

    def _end(self, status: str) -> None:
        self._say("status", {"status": status})
        with self.changed:
            self.status = status
            self.changed.notify_all()

    def _say(self, name: str, data: Json) -> None:
        with self.changed:
            number = str(len(self.events))
            self.events.append({"data": {"time": int(time.time()), **data}, "event": name, "version": "1.0", "event_id": number})
            self.changed.notify_all()
