"""What a plan says must not depend on the value of any secret: neither its text nor its digest, from which a short one could be
guessed. Values here were never resolved in this process, so nothing is masked: it must hold by construction."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gitops_agent.model import Resource, State
from gitops_agent.plan import Plan, compare
from gitops_agent.secret import Secret, placeholder

REFERENCE, OTHER = (placeholder(Secret(f"file:{name}"), b"k" * 32) for name in ("db", "other"))
Case = Callable[[str, str], Plan]
"""Takes the live value and the value that the reference has now."""


def holding(value: str, host: str = "db", reference: str = REFERENCE) -> Resource:
    return Resource("kv:db", _spec(value, host), _spec(reference, host), version=7)


def plain(value: str = "nothing", host: str = "db") -> Resource:
    return Resource("kv:db", _spec(value, host), version=7)


def live(value: str, *, owned: bool = True) -> Resource:
    return Resource("kv:db", {**_spec(value, "db"), "undeclared": {value: value}}, version=7, owned=owned)


def _spec(value: str, host: str) -> dict[str, object]:
    return {"text": f"password={value}\nhost={host}\n", "list": [{"password": value}], "raw": value.encode(), "host": host}


def plan(desired: Resource | None, found: Resource, applied: Resource | None = None, *, adopt: bool = False) -> Plan:
    wanted = State.of(*([desired] if desired else []))
    before = State.of(applied) if applied else None
    return compare("kv", wanted, State.of(found), applied=lambda: before, adopt=adopt)


CASES: dict[str, Case] = {
    "held now": lambda old, new: plan(holding(new), live(old), plain()),
    "held before": lambda old, new: plan(plain(), live(old), holding(new)),
    "held before, moved": lambda old, new: plan(plain(host="db2"), live(old), holding(new)),
    "held now and before": lambda old, new: plan(holding(new, "db2"), live(old), holding(new)),
    "rotated": lambda old, new: plan(holding(new), live(old), holding(new)),
    "another reference": lambda old, new: plan(holding(new, reference=OTHER), live(old), holding(old)),
    "history unknown": lambda old, new: plan(plain(), live(old)),
    "history unknown, held now": lambda old, new: plan(holding(new), live(old)),
    "deleted": lambda old, new: plan(None, live(old), holding(new)),
    "deleted, history unknown": lambda old, new: plan(None, live(old)),
    "foreign": lambda old, new: plan(plain(), live(old, owned=False)),
    "foreign, held now": lambda old, new: plan(holding(new), live(old, owned=False)),
    "taken over": lambda old, new: plan(holding(new), live(old, owned=False), adopt=True),
    "adopted": lambda old, new: plan(holding(new), Resource("kv:db", _spec(new, "db"), owned=False)),
    "created": lambda old, new: compare("kv", State.of(holding(new)), State()),
}

values = st.text("XYZ019 \n\t\"'\\{}$é-", min_size=4, max_size=40)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@given(first=st.tuples(values, values), second=st.tuples(values, values))
def test_nothing_of_a_secret_is_in_a_plan(case: Case, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Failure mode 59."""
    assume(first[0] != first[1])
    assume(second[0] != second[1])
    one, other = case(*first), case(*second)
    assert one.changes
    assert one.text() == other.text()
    assert one.to_json() == other.to_json()
    assert one.digest == other.digest
    assert [repr(change) for change in one] == [repr(change) for change in other]


def test_the_plan_still_shows_what_is_no_secret() -> None:
    text = CASES["held now and before"]("old value", "new value").text()
    assert "-host=db\n" in text
    assert "+host=db2\n" in text
    assert "password=(sensitive)" in text
