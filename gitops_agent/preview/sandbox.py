"""Runs the process that looks at a pull request, and ends it when it takes too long or nobody waits any more."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gitops_agent import process
from gitops_agent.errors import CommandFailed
from gitops_agent.preview.request import Answer, Request

_log = logging.getLogger(__name__)


class Sandbox:
    """Of one environment: `request` without a number."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def archive(self, number: int) -> Path:
        """See `Request.archive`."""
        return self._request.archive(number)

    def look_at(self, number: int, applied: str, stop: Callable[[], None]) -> Answer:
        """One pull request; `applied` is the last applied revision's sha. Raises what `stop` raises, which is called now and then,
        and Unavailable when no process can be started."""
        seconds = self._request.bounds.seconds
        try:
            done = process.run(
                # -I: nothing of the directory that the agent was started in.
                [sys.executable, "-I", "-m", "gitops_agent.preview.child"],
                timeout=seconds,
                # Of the agent's environment only where programs are: there are tokens in it.
                env={**dict.fromkeys(os.environ), "PATH": os.environ.get("PATH", os.defpath)},
                cwd="/",
                stdin=json.dumps(self._request.about(number, applied).to_json()).encode(),
                inherit=False,  # a next agent need not wait for it
                stop=stop,
            )
            return Answer.from_json(json.loads(done.stdout))
        except CommandFailed as error:
            if error.status is None:
                return Answer(failure=f"looking at it takes longer than {seconds:g} s")
            said = error.output
        except (ValueError, KeyError, TypeError) as error:
            said = f"{type(error).__name__}: {error}"
        _log.error("a preview ended with an error of its own", extra={"pull request": number, "said": said})
        return Answer(error="looking at it ended with an error of the agent's own; its log says more")
