"""Placeholders: nobody forges one, nothing mangles one unseen."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_agent.errors import InvalidRevision
from gitops_agent.secret import ENCODERS, SHOWN, Secret, conceal, placeholder, references, sign, signing_key

KEY = b"k" * 32
DB = Secret("file:db_password")
TOKEN = placeholder(DB, KEY)
KV = Secret("kv/mini-cloud/gitea#db_password", "json")

secrets = st.builds(Secret, st.text(min_size=1), st.sampled_from([*ENCODERS]))


@given(secrets, st.binary(min_size=32, max_size=32))
def test_a_placeholder_leads_back_to_its_reference(secret: Secret, key: bytes) -> None:
    assert references(f"password={placeholder(secret, key)};", key) == {secret}


@given(secrets)
def test_a_placeholder_survives_every_syntax_unquoted(secret: Secret) -> None:
    text = placeholder(secret, KEY)
    assert re.fullmatch(r"[a-z0-9_]+", text)
    assert yaml.safe_load(f"password: {text}") == {"password": text}
    assert json.loads(f'{{"password": "{text}"}}') == {"password": text}


def test_the_same_reference_gives_the_same_text() -> None:
    assert placeholder(DB, KEY) == TOKEN
    assert placeholder(Secret("file:db_password", "json"), KEY) != TOKEN
    assert placeholder(DB, b"other" * 8) != TOKEN


def test_the_renderer_signs_with_a_key_that_tells_nothing_of_the_agents() -> None:
    assert sign(DB, signing_key(KEY)) == TOKEN
    assert KEY not in signing_key(KEY)


def test_all_of_a_spec_is_searched() -> None:
    spec = {"a": [1, {"b": f"x{TOKEN}y"}], "c": (f"{placeholder(KV, KEY)}{TOKEN}",), "d": b"\xff\x00" + TOKEN.encode(), "e": None}
    assert references(spec, KEY) == {DB, KV}


def test_what_people_see() -> None:
    spec = {TOKEN: [f"x{TOKEN}y{TOKEN}"], "raw": b"\xff" + TOKEN.encode(), "port": 80, "pair": (TOKEN, True)}
    assert conceal(spec) == {SHOWN: [f"x{SHOWN}y{SHOWN}"], "raw": b"\xff(sensitive)", "port": 80, "pair": (SHOWN, True)}


@pytest.mark.parametrize(
    "mangled",
    [
        TOKEN.upper(),
        TOKEN.title(),
        TOKEN[:-1],
        TOKEN[:-20],
        TOKEN[: len("gitops_secret_")],
        TOKEN.replace("0", "1").replace("a", "b"),
        TOKEN.replace("gitops_secret_", "gitops_secret_a"),
        placeholder(DB, b"x" * 32),
        "gitops_secret_" + "a" * 8 + "_" + "0" * 32 + "_",
    ],
    ids=["upper", "title", "last character", "cut", "prefix", "digits", "body", "other key", "forged"],
)
def test_forged_and_mangled_ones_are_refused(mangled: str) -> None:
    for value in (mangled, mangled.encode(), {"x": [mangled]}, {mangled: 1}):
        with pytest.raises(InvalidRevision, match="forged or mangled secret placeholder"):
            references(value, KEY)


@given(st.text(), st.binary())
def test_other_content_is_left_alone(text: str, data: bytes) -> None:
    assert conceal({"text": text, "data": data}) == {"text": text, "data": data}
