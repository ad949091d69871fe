"""What `secret()` gives to a template: a text of which anything but printing it raises.

A filter would work on the placeholder, not on the value, and write something that is neither.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any, NoReturn

from jinja2.exceptions import TemplateRuntimeError

_KEEPING = ("indent", "trim")
"""Filters that leave the words of a text alone."""

_OPERATIONS = """
    str repr format bytes bool len iter next getitem contains call hash eq ne lt le gt ge int float index complex
    add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow neg pos abs round
"""
"""Python's, each between two underscores."""


class Sealed:
    """Text with a secret in it. The sandbox keeps templates from names that begin with an underscore."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> NoReturn:
        raise _refusal()


class Captured(Sealed):
    """What a macro, a `{% set %}` block or `super()` gave where a secret was printed in it."""

    __slots__ = ()


def _refusal() -> TemplateRuntimeError:
    return TemplateRuntimeError("a secret can only be printed; to escape it, write secret(…, encode=…)")


def _refuse(*_args: object, **_options: object) -> NoReturn:
    raise _refusal()


Sealed.__name__ = Captured.__name__ = "secret"  # as Python's own messages name it to authors
for _operation in _OPERATIONS.split():
    setattr(Sealed, f"__{_operation}__", _refuse)

printed: Callable[[Sealed], str] = operator.attrgetter("_text")
"""The text itself: for whoever prints it."""


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, refusing sealed text; one that only moves text keeps the seal on what a block has captured."""

    @functools.wraps(function)
    def guard(*args: Any, **options: Any) -> Any:
        sealed = [value for value in (*args, *options.values()) if isinstance(value, Sealed)]
        if not sealed:
            return function(*args, **options)
        if name in _KEEPING and len(sealed) == 1 and isinstance(args[0], Captured):
            return Captured(function(printed(args[0]), *args[1:], **options))
        raise _refusal()

    return guard
