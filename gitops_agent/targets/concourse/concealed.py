"""What a plan shows of a pipeline: everything but credentials that somebody wrote down in it.

References such as `((password))` are shown: they are what a pipeline should hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitops_agent.secret import SHOWN

_TELLING = re.compile(r"pass(word|wd|phrase|code)?$|secret|token|credential|auth|(private|access|api|ssh)_?key", re.IGNORECASE)
_REFERENCE = re.compile(r"\(\([^()]+\)\)")
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]*(?=@)")


def concealed(value: Any, name: str = "") -> Any:
    """`value` with literal texts under telling names, and users and passwords in addresses, replaced."""
    if isinstance(value, Mapping):
        return {key: concealed(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [concealed(inner, name) for inner in value]
    if isinstance(value, str) and value and not _REFERENCE.search(value):
        return SHOWN if _TELLING.search(name) else _IN_ADDRESS.sub(SHOWN, value)
    return value
