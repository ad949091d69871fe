"""The tutorial, done by a machine: its commands in one shell, and what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.server, pytest.mark.slow]
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_END = "end-of-block"
_PATIENCE = 20


class Shell:
    """One bash for all blocks, as one terminal would be."""

    def __init__(self, directory: Path) -> None:
        self._output = (directory / "output").open("ab")  # the background's words and the foreground's, one after the other
        self._bash = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            text=True,
            env={**os.environ, "HOME": str(directory)},
            start_new_session=True,
        )

    def run(self, block: str) -> str:
        """What the block printed; fails the test when its last command fails."""
        assert self._bash.stdin is not None
        here = Path(self._output.name).stat().st_size
        self._bash.stdin.write(f"{block}\necho {_END} $?\n")
        self._bash.stdin.flush()
        deadline = time.monotonic() + 60
        while True:
            text = Path(self._output.name).read_bytes()[here:].decode()
            if done := re.search(rf"{_END} (\d+)\n", text):
                assert done[1] == "0", text
                return text[: done.start()]
            assert time.monotonic() < deadline, text
            assert self._bash.poll() is None, text
            time.sleep(0.02)

    def end(self, block: str) -> None:
        """Whatever state it is in."""
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{block}\n")
        self._bash.stdin.close()
        self._bash.wait(20)
        self._output.close()


def test_the_tutorial_works_as_it_stands(public_path, binary):
    binary("nginx")
    shell = Shell(public_path)
    block = ""
    try:
        for language, text in _BLOCK.findall((ROOT / "docs/tutorial.md").read_text()):
            if language == "sh":
                block, printed = text, shell.run(text)
                continue
            again = block.strip().splitlines()[-1]
            deadline = time.monotonic() + _PATIENCE
            while missing := [line for line in text.splitlines() if line not in printed]:
                assert time.monotonic() < deadline, (missing, printed)
                time.sleep(0.1)
                printed = shell.run(again)
    finally:
        shell.end("kill $(jobs -p) 2>/dev/null; kill $(cat nginx/nginx.pid) 2>/dev/null; true")
