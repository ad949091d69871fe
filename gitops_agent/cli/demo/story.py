"""What happens in the demo, in order: each act says what it does, waits until the systems show it, and says how long that took."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitops_agent import moments
from gitops_agent.cli.demo.stage import ENVIRONMENT, wait
from gitops_agent.cli.help import paint
from gitops_agent.errors import AgentError

if TYPE_CHECKING:
    from gitops_agent.cli.console import Console
    from gitops_agent.cli.demo.stage import Stage

_MOTD = "Change me in values/common.yaml, commit and push."
_MINE = "It works, and this came with a push."
_HAND = "somebody was here"


class Story:
    """`stage` is started; nothing was committed yet."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self._stage = stage
        self._console = console

    def tell(self, *, stays: bool = False) -> None:
        """`stays`: the agent will still be there when somebody wants to look at its pages."""
        console, stage = self._console, self._stage
        systems = "nginx and Consul" if stage.with_consul else "nginx (no Consul here)"
        console.text(f"A bare config repo, {systems} and the agent are running on loopback.\nPage: {stage.page_url}\n")
        stage.git("commit", "--quiet", "--message", "Begin with the template")
        self._applied("push the template", *stage.push_head(), lambda: _MOTD in stage.page())
        self._applied(
            "push a change of the page",
            *stage.push({"values/common.yaml": (_MOTD, _MINE)}, "Say that it works"),
            lambda: _MINE in stage.page(),
        )
        self._refused()
        stage.git("revert", "--no-edit", "HEAD")
        self._applied("revert it", *stage.push_head(), lambda: _MINE in stage.page())
        self._healed()
        self._timeline(stays=stays)

    def _applied(self, act: str, sha: str, started: float, shown: Callable[[], bool]) -> None:
        wait(shown, act)
        served = time.monotonic() - started
        wait(lambda: ": success" in self._stage.note(sha), f"{act}: success")
        said = time.monotonic() - started
        times = f"served {moments.duration(served)} after `git push` began, commit green after {moments.duration(said)}"
        self._act(act, times, sha)
        if self._stage.with_consul:
            wait(self._consul_agrees, "Consul's key")

    def _refused(self) -> None:
        stage = self._stage
        broken = {"nginx/sites/default.conf.j2": ("root ", "rood ")}
        sha, started = stage.push(broken, "Break nginx")
        wait(lambda: ": error" in stage.note(sha), "the broken commit's status")
        if _MINE not in stage.page():
            raise AgentError("the page changed although the commit was refused")
        said = moments.duration(time.monotonic() - started)
        self._act("push a broken nginx configuration", f"refused after {said}; the page is still served", sha)

    def _healed(self) -> None:
        page = self._stage.published / "pages/index.html"
        started = time.monotonic()
        page.write_text(_HAND)
        wait(lambda: _HAND not in self._stage.page() and _MINE in self._stage.page(), "healing")
        healed = moments.duration(time.monotonic() - started)
        wait(lambda: any(run["drift"] for run in self._runs()), "the run that healed")
        self._act("change a published file by hand", f"healed after {healed}")

    def _timeline(self, *, stays: bool) -> None:
        console, stage = self._console, self._stage
        runs = self._runs()
        console.text(paint("What the agent did", "bold"))
        for run in reversed(runs):
            took = moments.duration((datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["started"])).total_seconds())
            console.line(f"{took:>7}  {run['trigger']:<24.24} {run['message']}", mark=run["outcome"] == "success")
        page = (
            f"{stage.agent.url}/runs/{runs[0]['id']} (the token is in {stage.base}/state/token)" if stays else "see it with --keep"
        )
        console.text(f"\nThe page of the newest run: {page}")

    def _runs(self) -> list[dict[str, Any]]:
        """The newest first."""
        return list(self._stage.agent.call("GET", "/api/v1/runs").data["runs"])

    def _consul_agrees(self) -> bool:
        """The same value went to Consul with the same push."""
        answer = self._stage.consul.call("GET", "/v1/kv/demo/motd", accept=[404])
        return bool(answer.data) and base64.b64decode(answer.data[0]["Value"]).decode() in self._stage.page()

    def _act(self, act: str, what: str, sha: str = "") -> None:
        self._console.line(what, mark=True, head=f"{act:<36}")
        own = f"gitops/{ENVIRONMENT}: "
        for line in self._stage.note(sha).splitlines() if sha else ():
            if line.startswith(own):
                self._console.text(f"    {sha[:10]} {line.removeprefix(own).split(' (http')[0]}")
        self._console.text("")
