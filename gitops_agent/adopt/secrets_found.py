"""All secrets of a mini-cloud under one name each, wherever they stand, and the files without them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from gitops_agent import secret
from gitops_agent.adopt import confidential, templates
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.templates import Place
from gitops_agent.errors import Unavailable

_VAGUE = frozenset({"address", "key", "pass", "passwd", "password", "password-hash", "secret", "secret-key", "token", "vault"})
"""Names that only say something together with a place."""


class SecretsFound:
    """First learn all texts, then write them: a value that one file names is a secret in all of them."""

    def __init__(self, left: Left) -> None:
        self._left = left
        self._wishes: dict[str, Counter[tuple[str, str]]] = {}
        """By value: what it is called, and where, as often as it is."""
        self._names: dict[str, str] = {}
        self._used: set[str] = set()
        self._told: set[str] = set()

    def learn_values(self, where: str, values: Iterable[tuple[str, str]]) -> None:
        """What is known to be secret, after what it is called: before the texts that it stands in."""
        for wish, value in values:
            self._told.add(value)
            self._learn(value, wish, where)

    def learn(self, where: str, text: str, *, whole: bool = False) -> None:
        """`where` is a path, for names. `whole`: the file is a secret whatever is in it."""
        if whole or self._is_whole(where, text):
            self._learn(text.rstrip("\r\n"), _of_file(where), where)
            return
        for found in confidential.find(text):
            self._learn(_real(found.value)[0], found.name, where)

    def learn_environment(self, service: str, environment: Mapping[str, str]) -> None:
        """What a running container was given, wherever that came from."""
        for name, value in environment.items():
            if confidential.is_secret_name(name) and confidential.is_value(value):
                self._learn(value, name, service)

    def _is_whole(self, where: str, text: str) -> bool:
        """A private key that is known by itself does not make a secret of all that stands around it."""
        for value in self._told:
            text = templates.without(text, value)
        return confidential.is_whole(where, text)

    def _learn(self, value: str, wish: str, where: str) -> None:
        """From now on it is masked."""
        self._wishes.setdefault(value, Counter())[_slug(wish), _slug(where.partition("/")[0])] += 1
        try:
            secret.remember(value, wish)
        except Unavailable as error:
            self._left.add(Why.ATTENTION, f"{where}: {wish}", str(error))

    def _name(self, value: str) -> str:
        """By what it is called most often."""
        if value not in self._names:
            slugs = Counter[str]()
            for (slug, _), number in self._wishes[value].items():
                slugs[slug] += number
            slug = slugs.most_common(1)[0][0]
            place = next(place for wish, place in self._wishes[value] if wish == slug)
            self._names[value] = self._free(f"{place}-{slug}" if place and slug in _VAGUE else slug, place)
            if not confidential.is_strong(value):
                reason = "is short or a plain word: wherever that stands it is masked"
                self._left.add(Why.ATTENTION, f"secret {self._names[value]}", reason)
        return self._names[value]

    def written(self, path: str, content: bytes, *, whole: bool = False, parsed: bool = False) -> tuple[str, bytes] | None:
        """Name and content of the file in the config repo; None where it cannot be there. `parsed`: see `Described.parsed`."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            if whole or templates.is_named_so(path):
                self._left.add(Why.ATTENTION, path, "is no text, and a secret or a template: keep it by hand")
                return None
            return path, content
        if whole or self._is_whole(path, text):
            return self._as_secret(path, text)
        places = [place.unescaped() if parsed else place for place in self._places(text)]
        if not places and not templates.is_named_so(path):
            return path, content
        template = templates.written(text, places) if templates.can_be_one(path, text) else None
        if template is None:
            return self._as_secret(path, text)
        self._used |= {place.name for place in places}
        return templates.named(path), template.encode()

    def values(self) -> Mapping[str, str]:
        """Of the secrets that the files refer to, by name."""
        return {name: value for value, name in self._names.items() if name in self._used}

    def _places(self, text: str) -> list[Place]:
        places = []
        for value in filter(confidential.is_strong, self._wishes):
            found_at = list(templates.occurrences(text, value))
            places += [Place(start, end, self._name(value), encode) for start, end, encode in found_at]
        for found in confidential.find(text):
            value, encode = _real(found.value)
            if value in self._wishes:
                places.append(Place(found.start, found.end, self._name(value), encode))
        return places

    def _as_secret(self, path: str, text: str) -> tuple[str, bytes] | None:
        value = text.rstrip("\r\n")
        end = text[len(value) :]
        if not value.strip() or not templates.can_be_one(path, end):
            self._left.add(Why.ATTENTION, path, "holds a secret and cannot be a template: keep it by hand")
            return None
        if value not in self._wishes:
            self._learn(value, _of_file(path), path)
        name = self._name(value)
        self._used.add(name)
        return templates.named(path), f"{templates.reference(name)}{end}".encode()

    def _free(self, wish: str, where: str) -> str:
        taken = {*self._names.values()}
        numbered = (f"{where}-{wish}-{number}" for number in range(2, 10_000))
        return next(name for name in (wish, f"{where}-{wish}", *numbered) if name not in taken)


def can_be_taken_out(text: str, value: str) -> bool:
    """Whether a place where a secret stands in a text would become a reference."""
    if confidential.is_strong(value):
        return any(True for _ in templates.occurrences(text, value))
    return any(_real(found.value)[0] == value for found in confidential.find(text))


def _real(written: str) -> tuple[str, str]:
    """A value as it is meant, and how that is written where it was found: between quotes, backslashes stand before some signs."""
    if "\\" in written:
        try:
            meant = str(json.loads(f'"{written}"'))
        except ValueError:
            return written, ""
        if json.dumps(meant, ensure_ascii=False)[1:-1] == written:
            return meant, "json"
    return written, ""


def _of_file(path: str) -> str:
    return re.sub(r"[/.]+", "-", path)


def _slug(text: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.") or "secret"
