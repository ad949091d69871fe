"""What a build says while it runs: server-sent events, and of those what people want to read afterwards."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_OVERWRITTEN = re.compile(r"[^\n]*\r")
"""What a progress meter wrote before it went back to the beginning of its line."""
_KEPT = 65536
"""Characters of a log that are kept while a build runs."""
_TAIL = 4000
"""Characters of it that are handed on."""
_LINE = 200


class Event(NamedTuple):
    """`name` is `log`, `status`, `error`, `finish-task` …, or `end` after the last one. `data` is as Concourse has it."""

    number: int
    name: str
    data: Mapping[str, Any]


def events(lines: Iterable[str]) -> Iterator[Event]:
    """Whole events only: one that is cut off is not given. Ends with `end`."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            fields[name] = value.removeprefix(" ")
            continue
        number = fields.get("id", "")
        event = _event(int(number), fields) if number.isdecimal() else None
        fields = {}
        if event is not None:
            yield event
            if event.name == "end":
                return


def _event(number: int, fields: Mapping[str, str]) -> Event | None:
    if fields.get("event") == "end":
        return Event(number, "end", {})
    try:
        said = json.loads(fields.get("data", ""))
        return Event(number, str(said["event"]), said["data"] or {})
    except (ValueError, KeyError, TypeError):
        return None


class Log:
    """The end of what a build's task printed (what was said before, where none began), and why the build did not succeed. Both
    pass through `hide`."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide
        self._pieces: deque[str] = deque()
        self._size = 0
        self._cut = False
        self._begun = False
        self._reason = ""

    def add(self, event: Event) -> None:
        data = event.data
        if event.name == "log":
            self._append(str(data.get("payload", "")))
        elif event.name == "start-task" and not self._begun:  # again where Concourse itself was started anew meanwhile
            self._begun = True
            self._pieces.clear()  # of its image and its inputs
            self._size, self._cut = 0, False
        elif event.name == "error":
            self._reason = str(data.get("message", ""))
        elif event.name.startswith("finish-") and data.get("exit_status"):
            self._reason = f"exit status {data['exit_status']}"

    @property
    def reason(self) -> str:
        """One line; empty where Concourse gave none."""
        return self._hide(" ".join(self._reason.split()))[:_LINE]

    @property
    def tail(self) -> str:
        """Whole lines, without colours."""
        text = _OVERWRITTEN.sub("", _COLOURS.sub("", "".join(self._pieces)).replace("\r\n", "\n"))
        text = self._hide(text)  # before anything is cut off: half a secret is not recognised
        if self._cut or len(text) > _TAIL:
            text = text[-_TAIL:].partition("\n")[2]
        return text

    def _append(self, text: str) -> None:
        self._pieces.append(text)
        self._size += len(text)
        while self._size > _KEPT and len(self._pieces) > 1:
            self._size -= len(self._pieces.popleft())
            self._cut = True
