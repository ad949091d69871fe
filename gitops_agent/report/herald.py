"""Tells people what became of an environment, through the services that the operator named, in threads of its own.

What there is to tell is on disk, for each service by itself: a service that is away gets the newest when it is back, and no message
twice. Nothing that has meanwhile been mended is told at all.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from gitops_agent import process, secret
from gitops_agent.errors import CommandFailed, Unavailable
from gitops_agent.model import Run
from gitops_agent.report.courier import Pace
from gitops_agent.report.news import News, Told, after, telling
from gitops_agent.report.send import NO_ADDRESS, NOT_SENT, SENT

_log = logging.getLogger(__name__)
_WHY = {NOT_SENT: "the service cannot be reached, or does not take it", NO_ADDRESS: "Apprise cannot read the address"}
_TIMEOUT = 60.0
"""Seconds for one message; a service that has not taken it then is away."""


class Heralds:
    """All services of one environment. `tell` costs its caller nothing but a look, and a small file when there is news."""

    def __init__(self, addresses: Sequence[str], directory: Path, key: bytes, pace: Pace | None = None) -> None:
        """`addresses` are Apprise's, and secrets; `directory` is the environment's own."""
        self._heralds = [
            _Herald(number, address, directory / f"told-{secret.fingerprint(address, key)[:16]}.json", pace or Pace())
            for number, address in enumerate(addresses, start=1)
        ]

    def tell(self, run: Run, url: str) -> None:
        """A run has ended; `url` is its page. Whether that is news for somebody is decided here."""
        for herald in self._heralds:
            herald.hear(run, url)

    def close(self, timeout: float = 2.0) -> None:
        """Lets go after what can be told in that time; the rest is told after the next start."""
        deadline = time.monotonic() + timeout
        for herald in self._heralds:
            herald.close(max(0.0, deadline - time.monotonic()))


class _Herald:
    """One service. `_known` is what its people should know, `_told` what they were told; the news is what lies between."""

    def __init__(self, number: int, address: str, file: Path, pace: Pace) -> None:
        self._name = f"{number} ({address.partition(':')[0]})"  # all of an address that may be shown
        self._address = address
        self._file = file
        self._pace = pace
        self._bell = threading.Condition()
        self._told, self._known, self._news = _load(file)
        self._closing = False
        self._failing = False
        self._thread: threading.Thread | None = None
        if self._news is not None:
            self._start()

    def hear(self, run: Run, url: str) -> None:
        with self._bell:
            known = after(self._known, run)
            if known == self._known:
                return
            self._news, self._known = telling(self._told, known, run, url), known
            if self._news is None:  # as people know it already: what was wrong is mended before anybody was told
                self._told = known
            self._save()
            self._start()
            self._bell.notify_all()

    def close(self, timeout: float) -> None:
        with self._bell:
            self._bell.wait_for(lambda: self._news is None or self._failing, timeout)
            self._closing = True
            self._bell.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, name=f"notifications {self._name}", daemon=True)
            self._thread.start()

    def _live(self) -> None:
        failures = 0
        while True:
            with self._bell:
                self._bell.wait_for(lambda: self._closing or self._news is not None)
                if self._closing:
                    return
                news, known = self._news, self._known
            if news is not None and self._send(news):
                failures = 0
                with self._bell:
                    self._told, self._failing = known, False
                    if self._news is news:
                        self._news = None
                    self._save()
                    self._bell.notify_all()
                continue
            failures += 1
            with self._bell:
                self._failing = True
                self._bell.notify_all()
                self._bell.wait_for(lambda: self._closing or self._news is None, self._pace.back_off(failures))

    def _send(self, news: News) -> bool:
        command = [sys.executable, "-m", "gitops_agent.report.send"]
        quiet = {"PYTHONWARNINGS": None}  # what Apprise is warned of is not ours to mend
        message = json.dumps({"address": self._address, **news.to_json()}).encode()
        try:
            done = process.run(command, timeout=_TIMEOUT, env=quiet, stdin=message, accept=range(-64, 256), inherit=False)
            status, why = done.status, _WHY.get(done.status, "Apprise ended in a heap")
        except (CommandFailed, Unavailable) as error:
            status, why = None, str(error)
        if status == SENT:
            if self._failing:
                _log.info("notifications are sent again", extra={"service": self._name})
            return True
        if not self._failing:  # said once, not with every attempt
            _log.warning("a notification cannot be sent, runs go on", extra={"service": self._name, "why": why})
        return False

    def _save(self) -> None:
        """Not worth a run: on a full disk people may be told twice."""
        state = {"told": asdict(self._told), "known": asdict(self._known), "news": self._news and self._news.to_json()}
        with suppress(OSError):
            staged = self._file.with_suffix(".new")
            staged.write_text(json.dumps(state))
            staged.replace(self._file)


def _load(file: Path) -> tuple[Told, Told, News | None]:
    try:
        state = json.loads(file.read_text())
        return Told(**state["told"]), Told(**state["known"]), News(**state["news"]) if state["news"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return Told(), Told(), None
