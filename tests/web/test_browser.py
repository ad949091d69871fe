"""Pages in a real Chromium, wide and on a telephone, light and dark: nothing in the console, nothing wider than the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_agent import web
from gitops_agent.model import Outcome, Run, Step
from gitops_agent.worker import TargetStatus
from tests.web.browser import Browser, chromium
from tests.web.conftest import World
from tests.web.test_pages import HOSTILE, loaded
from tests.web.world import TOKEN, revision, run

pytestmark = [pytest.mark.server, pytest.mark.slow]

LONG = "nginx/conf.d/" + "a-very-long-name-without-a-place-to-break-" * 6 + ".conf"


@pytest.fixture(scope="module")
def browser(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    profile = tmp_path_factory.mktemp("profile")
    with chromium(binary("chromedriver"), binary("chromium"), free_port(), profile) as started:
        yield started


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """Served over plain HTTP, where a cookie for https only would not come back."""
    app = web.create(world.environments, world.journal, TOKEN, "http://127.0.0.1", lambda: world.unready)
    server = web.serve(app, "127.0.0.1:0")
    server.start()
    yield f"http://{server.address}"
    server.close()


@pytest.fixture
def person(browser: Browser, address: str) -> Browser:
    """Signed in through the form, as people do it."""
    browser.protocol("Network.clearBrowserCookies")
    browser.shape(1200, 800)
    browser.open(f"{address}/environments/mini-cloud")
    browser.write("input[type=password]", TOKEN)
    browser.click("button.strong")
    browser.wait_for("Newest on main")
    browser.complaints()
    return browser


def begun(*steps: Step) -> Run:
    return run("20261123-205400-0a1b2c", outcome=None, ended=0.0, message="", steps=steps, plans=(), started=time.time() - 1)


def fill(world: World) -> list[str]:
    """Long names, hostile words, a failure, a run in progress; the paths of all pages."""
    hostile, long = loaded(HOSTILE), replace(loaded(LONG), id="20261123-205301-0a1b2c", outcome=Outcome.FAILURE, message=LONG)
    for each in (hostile, long):
        world.journal.record(each)
    world.main.state = replace(
        world.main.state,
        head=revision(LONG, 3),
        message=LONG,
        fetch_error=LONG,
        current=begun(*run().steps),
        targets=(
            TargetStatus("nginx", "nginx", "failure", LONG),
            TargetStatus("grafana", "grafana", "success", HOSTILE, drift=True),
        ),
    )
    world.environments["staging"].suspend(HOSTILE)
    runs = [f"/runs/{each.id}" for each in (hostile, long, begun())]
    return ["/", "/environments/mini-cloud", "/environments/staging", "/runs", *runs]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 768, 1200])
def test_no_complaints_and_nothing_wider_than_the_screen(
    world: World, person: Browser, address: str, *, width: int, dark: bool
) -> None:
    for path in fill(world):
        person.shape(width, 844, dark=dark)
        person.open(address + path)
        assert person.run("return document.documentElement.scrollWidth") <= width, path
        assert person.complaints() == [], path


def luminance_of_pairs(person: Browser) -> list[tuple[str, float]]:
    """Contrast (WCAG 2.1) of each text with the ground it stands on."""
    return [
        (text, contrast)
        for text, contrast in person.run(
            """
            const parse = (color) => color.match(/[\\d.]+/g).map(Number);
            const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
            const ground = (element) => {
              for (let at = element; at; at = at.parentElement) {
                const color = parse(getComputedStyle(at).backgroundColor);
                if (color.length === 3 || color[3] > 0) return color;
              }
              return [255, 255, 255];
            };
            const found = [];
            for (const element of document.querySelectorAll("body *")) {
              const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
              if (!own || !element.checkVisibility() || element.namespaceURI.includes("svg")) continue;
              const [front, back] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
              const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
              found.push([element.tagName + "." + element.className + " " + element.textContent.trim().slice(0, 40), contrast]);
            }
            return found;
            """
        )
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read(world: World, person: Browser, address: str, *, dark: bool) -> None:
    for path in [*fill(world), "/nothing"]:
        person.shape(1200, 800, dark=dark)
        person.open(address + path)
        pairs = luminance_of_pairs(person)
        assert len(pairs) > 5
        assert [pair for pair in pairs if pair[1] < 4.5] == [], path
    person.complaints()


def test_page_of_a_run_in_progress_follows_it(world: World, person: Browser, address: str) -> None:
    """Steps appear by themselves; when the run has ended the page says so and stops asking."""
    steps = run().steps
    world.main.state = replace(world.main.state, current=begun(*steps[:2]))
    person.open(f"{address}/runs/{begun().id}")
    person.wait_for("running")
    world.main.state = replace(world.main.state, current=begun(*steps[:4]))
    person.wait_for("apply nginx")
    world.main.state = replace(world.main.state, current=None)
    world.journal.record(run(begun().id, message="applied; nginx: 1 updated"))
    person.wait_for("success")
    assert person.run("return document.title") == "success: mini-cloud · gitops-agent"
    assert person.run("return document.getElementById('said').textContent") == "success: mini-cloud · gitops-agent"
    assert person.run("return document.body.dataset.refresh") == "0"
    assert person.complaints() == []


def test_page_does_not_take_away_what_somebody_writes(world: World, person: Browser, address: str) -> None:
    world.main.state = replace(world.main.state, current=begun())
    person.open(f"{address}/environments/mini-cloud")
    person.click("details.menu summary")
    person.write("input[name=why]", "for the move")
    asked = "return performance.getEntriesByType('resource').filter((entry) => entry.initiatorType === 'fetch').length"
    person.run("document.querySelector('details.menu').open = true")
    time.sleep(1.5)  # longer than the page waits between two looks: the time itself is what is tested
    assert person.run(asked) == 0
    assert person.run("return document.querySelector('input[name=why]').value") == "for the move"
    person.click("details.menu form button")
    person.wait_for("suspended for the move")
    assert world.main.state.suspended


def test_session_that_is_over_leads_to_the_sign_in(world: World, person: Browser, address: str) -> None:
    world.main.state = replace(world.main.state, current=begun())
    person.open(f"{address}/")
    person.protocol("Network.clearBrowserCookies")
    person.wait_for("Sign in")


def test_hostile_words_run_no_script(world: World, person: Browser, address: str) -> None:
    """The content policy would stop them too; the log must not even show that it had to."""
    for path in fill(world):
        person.open(address + path)
        assert person.run("return document.querySelectorAll('script').length") == 1
        assert person.run("return document.querySelectorAll('main img').length") == 0
    assert person.complaints() == []


def test_works_without_scripts(world: World, person: Browser, address: str, tmp_path: Path) -> None:
    person.protocol("Emulation.setScriptExecutionDisabled", value=True)
    try:
        person.open(f"{address}/environments/mini-cloud")
        person.click(".actions > form button")
    finally:
        person.protocol("Emulation.setScriptExecutionDisabled", value=False)
    person.wait_for("A whole run was asked for.")
    assert world.main.syncs == [()]
