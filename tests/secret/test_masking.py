"""What leaves the process. Values here are their own: the register of the process never forgets one."""

from __future__ import annotations

import base64
import html
import json
import secrets
import string
import threading
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_agent.errors import Unavailable
from gitops_agent.secret import SHOWN, Secret, mask, placeholder, remember

NASTY = "p\"a\\s$s^w[o](r)d.*+?|{}/<&>'é "
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nKcwggSjAgEAAoIBAQDZzzzzzzzzzzzz\n}\n-----END PRIVATE KEY-----"
remember(NASTY)
remember(PEM)


FORMS = {
    "as it is": NASTY,
    "json": json.dumps(NASTY)[1:-1],
    "json in utf-8": json.dumps(NASTY, ensure_ascii=False)[1:-1],
    "json in json": json.dumps(json.dumps(NASTY))[3:-3],
    "repr": repr(NASTY)[1:-1],
    "repr of bytes": repr(NASTY.encode())[2:-1],
    "url": quote(NASTY, safe=""),
    "url path": quote(NASTY),
    "form": quote_plus(NASTY),
    "html": html.escape(NASTY),
    "hex": NASTY.encode().hex(),
    "base64": base64.b64encode(NASTY.encode()).decode(),
    "base64 for urls": base64.urlsafe_b64encode(NASTY.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_value_is_hidden_however_it_is_written(form: str) -> None:
    assert mask(f"before {form} after") == f"before {SHOWN} after"
    assert mask(f"x{form}{form}y") == f"x{SHOWN}{SHOWN}y"


@pytest.mark.parametrize("before", ["user:", "x", "xy", "xyz"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_value_is_hidden_in_the_middle_of_base64(before: str, encode: Callable[[bytes], bytes]) -> None:
    """HTTP basic authentication, a KV pair in Consul's JSON, a file in an API's body."""
    masked = mask(encode(f"{before}{NASTY} and more".encode()).decode())
    head, tail = masked.split(SHOWN)
    assert base64.b64decode(head + "A" * (-len(head) % 4)).decode(errors="replace").startswith(before[:-1])
    assert len(head) <= len(before) * 4 / 3 + 2
    assert len(tail) <= len(" and more") * 4 / 3 + 4


@pytest.mark.parametrize(
    "written", [PEM, json.dumps(PEM), PEM.replace("\n", "\n    "), PEM.replace("\n", "\r\n"), " ".join(PEM.split())]
)
def test_every_line_of_a_longer_value_is_hidden(written: str) -> None:
    masked = mask(f"key: {written}")
    assert "MIIEvQ" not in masked
    assert "Kcwgg" not in masked
    assert mask("a } alone says nothing") == "a } alone says nothing"
    assert mask("-----END PRIVATE KEY-----") == "-----END PRIVATE KEY-----"


def test_the_longest_value_wins() -> None:
    remember("mask-short")
    remember("mask-short-and-longer")
    assert mask("x mask-short-and-longer y mask-short z") == f"x {SHOWN} y {SHOWN} z"


def test_values_that_overlap_are_hidden_together() -> None:
    remember("overlap-one-two")
    remember("two-three-four")
    assert mask("<overlap-one-two-three-four>") == f"<{SHOWN}>"
    assert mask("overlap-one-twooverlap-one-two") == SHOWN * 2


def test_placeholders_are_hidden_too() -> None:
    text = placeholder(Secret("file:somewhere"), b"k" * 32)
    assert mask(f"{text} and {text.upper()} and {text[:20]}") == f"{SHOWN} and {SHOWN} and {SHOWN}{text[14:20]}"


@pytest.mark.parametrize("short", ["", "abc", " a ", "\n\n\n\n\n"])
def test_what_could_not_be_masked_is_refused(short: str) -> None:
    with pytest.raises(Unavailable, match=r"^the token is shorter than 4 characters: it could not be masked$"):
        remember(short, "the token")


@given(st.text(alphabet=string.printable, min_size=4).filter(lambda value: len(value.strip()) >= 4), st.text(), st.text())
def test_no_value_survives(value: str, before: str, after: str) -> None:
    remember(value)
    masked = mask(f"{before}{value}{after}")
    assert value not in masked.replace(SHOWN, "\0")


@given(st.text(alphabet=string.ascii_letters + " .:=/", max_size=300))
def test_masking_twice_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_threads_remember_and_mask_at_once() -> None:
    """Failure mode 59: a value is hidden from the moment `remember` returns."""
    leaks: list[str] = []

    def work(number: int) -> None:
        for index in range(200):
            value = f"thread-{number}-value-{index}-{secrets.token_hex(4)}"
            remember(value)
            if value in mask(f"log line with {value} in it"):
                leaks.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not leaks


@pytest.mark.slow
def test_a_thousand_secrets_cost_no_more_than_ten() -> None:
    """One regular expression of them took 9 s for a megabyte."""
    line = "2026-01-01T10:00:00.123Z info  applied nginx: 2 updated environment=mini-cloud seconds=0.23 reason=webhook\n"
    text = line * (len("x" * (1 << 20)) // len(line))

    def seconds() -> float:
        return min(_time(text) for _ in range(3))

    few = seconds()
    for _ in range(1000):
        remember(secrets.token_urlsafe(24))
    assert seconds() < 3 * few + 0.1


def _time(text: str) -> float:
    started = time.process_time()
    mask(text)
    return time.process_time() - started
