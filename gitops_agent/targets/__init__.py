"""The kinds of targets: one module (or package) each, named as the kind, found by its name, imported only when configured."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from gitops_agent.target import Target


@cache
def kinds() -> tuple[str, ...]:
    """Every kind there is, without importing any."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in modules if not name.startswith("_")))


def load(kind: str) -> type[Target]:
    """The class of a kind. Raises KeyError for one that does not exist."""
    if kind not in kinds():
        raise KeyError(kind)
    target: type[Target] = import_module(f"{__name__}.{kind.replace('-', '_')}").TARGET
    return target
