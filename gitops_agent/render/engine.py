"""One request after the other: values, then template by template. Pure: same request, same answers, whatever came before."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from gitops_agent.errors import InvalidRevision
from gitops_agent.render.language import Language, fail, join, nearest, secret_function
from gitops_agent.render.values import overlay

_MOST_CODES = 2000
_LONGEST_MESSAGE = 300
_RESERVED = ("environment", "revision", "secret", "fail")


class Engine:
    """Keeps the compiled code of templates from one request to the next, which is what rendering mostly costs, and nothing else."""

    def __init__(self) -> None:
        self._codes = _Codes()

    def render(self, request: dict[str, Any]) -> Iterator[str]:
        """An empty text when the values are read, then the text of each output. Raises InvalidRevision with file and line."""
        names = {
            **overlay(request["values"], _RESERVED),
            "environment": request["environment"],
            "revision": _Revision(request["revision"]),
            "secret": secret_function(bytes.fromhex(request["signing"])),
            "fail": fail,
        }
        language = Language(request["templates"], names, self._codes)
        yield ""
        most = left = int(request["most"])
        for name in request["outputs"]:
            try:
                text = _render(language, name, left)
            except _TooLong:
                raise InvalidRevision(f"output larger than {most >> 20} MiB, all files together", file=name) from None
            left -= len(text)
            yield text


class _Revision(str):
    """Prints as `main@sha1:<sha>`; `revision.sha`, `revision.short` and `revision.branch` are its parts."""

    __slots__ = ("branch", "sha", "short")

    def __new__(cls, parts: dict[str, str]) -> _Revision:
        return super().__new__(cls, parts["text"])

    def __init__(self, parts: dict[str, str]) -> None:
        self.branch, self.sha, self.short = parts["branch"], parts["sha"], parts["short"]


class _Codes(jinja2.BytecodeCache):
    """Compiled templates by name and content, the least recently used ones forgotten."""

    def __init__(self) -> None:
        self._codes: OrderedDict[tuple[str, str], CodeType] = OrderedDict()

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))
        if bucket.code is not None:
            self._codes.move_to_end((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code
        while len(self._codes) > _MOST_CODES:
            self._codes.popitem(last=False)


def _render(language: Language, name: str, left: int) -> str:
    try:
        template = language.get_template(name)
        text = join(_limited(template.root_render_func(template.new_context()), left))
        text.encode()
    except (MemoryError, _TooLong):
        raise
    except Exception as error:  # noqa: BLE001 -- whatever a template does wrong is its author's mistake
        raise _explained(error, name, language) from None
    return text


class _TooLong(Exception):
    pass


def _limited(parts: Iterator[Any], most: int) -> Iterator[Any]:
    for part in parts:
        most -= len(part) if type(part) is str else 0
        if most < 0:
            raise _TooLong
        yield part


def _explained(error: Exception, rendered: str, language: Language) -> InvalidRevision:
    message = str(error)
    file, line = _place(error, rendered)
    if isinstance(error, jinja2.TemplateSyntaxError):
        message = error.message or "is no template"
        file, line = error.name or rendered, error.lineno
    elif isinstance(error, jinja2.TemplateNotFound):
        known = nearest(error.name, language.sources) or "; only .j2 files can be included"
        message = f"there is no template {error.name!r}{known}"
    elif isinstance(error, jinja2.UndefinedError):
        if undefined := re.fullmatch(r"'(\w+)' is undefined", message):
            message += nearest(undefined[1], language.globals)
    elif isinstance(error, RecursionError):
        message = "templates or macros call each other without end"
    elif isinstance(error, UnicodeEncodeError):
        message = "prints a character that does not exist"
    elif not isinstance(error, jinja2.TemplateError):
        message = f"{type(error).__name__}: {message}"
    if file != rendered:
        message += f" (in {rendered})"
    return InvalidRevision(" ".join(message.split())[:_LONGEST_MESSAGE], file=file, line=line)


def _place(error: Exception, rendered: str) -> tuple[str, int]:
    """The innermost line of a template that the error came through."""
    file, line = rendered, 0
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            file, line = template.name, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return file, line
