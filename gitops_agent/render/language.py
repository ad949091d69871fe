"""What templates are written in: sandboxed Jinja2 where everything undefined, null or sealed is a mistake when it is printed, and
nothing depends on the clock, on chance or on the host."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jinja2
import yaml
from jinja2.exceptions import TemplateRuntimeError
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gitops_agent.model import Value
from gitops_agent.render.sealed import Captured, Sealed, guarded, printed
from gitops_agent.secret import ENCODERS, Secret, sign
from gitops_agent.secret.masking import PREFIX

_PRINTED = (str, int, float, list, tuple, dict)
_WIDE = 1 << 30


class _Missing(jinja2.StrictUndefined):
    """Says what there is instead."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if not self._undefined_hint and isinstance(self._undefined_obj, Mapping):
            return f"{self._undefined_name!r} is undefined{nearest(self._undefined_name, self._undefined_obj)}"
        return super()._undefined_message

    def __repr__(self) -> str:  # printing a list of it is printing it
        return str(self)


def nearest(name: object, names: Iterable[object]) -> str:
    """`; did you mean …?` where a name looks like another."""
    near = difflib.get_close_matches(str(name), [other for other in names if isinstance(other, str)], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _printed(value: Any) -> str:
    if isinstance(value, Sealed):
        return printed(value)
    if value is None:
        raise TemplateRuntimeError('null is printed here; write `… or ""` if nothing is meant')
    if isinstance(value, (jinja2.Undefined, *_PRINTED)):
        return str(value)
    raise TemplateRuntimeError(f"{type(value).__name__} cannot be printed; a list is made with |list, a text with |join")


def _joined(parts: Iterable[Any]) -> str | Sealed:
    """What a macro or block has captured; sealed when there is a secret in it, so that no filter works on it either."""
    text = join(parts)
    return Captured(text) if PREFIX in text else text


def join(parts: Iterable[Any]) -> str:
    return "".join([part if type(part) is str else _printed(part) for part in parts])


class Language(ImmutableSandboxedEnvironment):
    """One rendering of one tree. `names` are what all templates see, macros in imported files too."""

    concat = staticmethod(_joined)  # type: ignore[assignment]  # Jinja wants a text, and prints whatever it gets with `finalize`

    def __init__(self, sources: Mapping[str, str], names: Mapping[str, Value], codes: jinja2.BytecodeCache) -> None:
        super().__init__(
            undefined=_Missing,
            finalize=_printed,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            loader=jinja2.FunctionLoader(lambda name: (sources[name], name, None) if name in sources else None),
            bytecode_cache=codes,
            auto_reload=False,
            cache_size=-1,
        )
        self.sources = sources
        self.filters = dict(_FILTERS)
        del self.globals["lipsum"]
        self.globals.update(names)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A mapping's own names come first: `limits.items` is the value `items`, where there is one."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def secret_function(signing: bytes) -> Callable[..., Sealed]:
    def secret(reference: object, encode: object = "") -> Sealed:
        if isinstance(reference, jinja2.Undefined):
            str(reference)
        if not isinstance(reference, str) or not reference:
            raise TemplateRuntimeError("secret() takes a reference such as 'file:db_password'")
        if not isinstance(encode, str) or encode not in ENCODERS:
            raise TemplateRuntimeError(f"secret(): encode is one of {', '.join(filter(None, ENCODERS))}")
        return Sealed(sign(Secret(str(reference), encode), signing))

    return secret


def fail(message: object) -> None:
    """The author's own check of a value has found something."""
    raise TemplateRuntimeError(str(message))


def _to_json(value: Value, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_no_data)


def _to_yaml(value: Value) -> str:
    # A scalar gets an end of document from PyYAML; the line end is the template's own.
    dumped = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=_WIDE)
    return str(dumped).removesuffix("\n").removesuffix("\n...")


def _no_data(value: object) -> Value:
    if isinstance(value, jinja2.Undefined | Sealed):
        str(value)
    raise TemplateRuntimeError(f"{type(value).__name__} is no data")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_multi_representer(str, _represent_text)
_Dumper.add_multi_representer(object, lambda _dumper, value: _no_data(value))


def _b64encode(value: object) -> str:
    return base64.b64encode(str(value).encode()).decode()


_FILTERS = {
    name: guarded(name, function)
    for name, function in {**FILTERS, "to_json": _to_json, "to_yaml": _to_yaml, "b64encode": _b64encode}.items()
    if name != "random"
}
