"""Pages for people: the environments, one environment, one run. Server-made HTML; a few lines of script keep it fresh."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from gitops_agent import moments
from gitops_agent.errors import Refused, Unavailable
from gitops_agent.model import Run
from gitops_agent.secret import mask
from gitops_agent.web import diffs, shape, words
from gitops_agent.web.agent import Agent, Environment
from gitops_agent.web.api import Approve, Page, Suspend, Sync, parse
from gitops_agent.web.repository import commit_page
from gitops_agent.web.timeline import timeline

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_RECENT = 15
_MOVING, _RESTING = 1000, 5000
"""Milliseconds between looks of an open page at itself: while something runs, and otherwise."""


def blueprint(agent: Agent) -> Blueprint:
    routes = Blueprint("pages", __name__)

    @routes.get("/")
    def environments() -> ResponseReturnValue:
        found = [each.status() for each in agent.environments.values()]
        return render_template("environments.html", found=found, **_recent(agent), **_frame(agent))

    @routes.get("/environments/<name>")
    def environment(name: str) -> ResponseReturnValue:
        found = _find(agent, name)
        return render_template(
            "environment.html", status=found.status(), settings=found.settings, **_recent(agent, name), **_frame(agent)
        )

    @routes.get("/runs")
    def runs() -> ResponseReturnValue:
        page = parse(Page, request.args.to_dict())
        return render_template("runs.html", page=page, **_listed(agent, page), **_frame(agent))

    @routes.get("/runs/<id>")
    def run(id: str) -> ResponseReturnValue:  # noqa: A002
        found = agent.find_run(id)
        if found is None:
            abort(404, "There is no such run: the journal keeps only the newest.")
        awaiting = next((each.digest for each in agent.awaiting() if each.run.id == id), "")
        bars = timeline(found, time.time())
        return render_template("run.html", run=found, timeline=bars, awaiting=awaiting, **_frame(agent, found))

    @routes.post("/environments/<name>/<any(sync, approve, suspend, resume):action>")
    def act(name: str, action: str) -> ResponseReturnValue:
        found = _find(agent, name)
        try:
            _act(found, action)
        except Refused as error:
            flash(mask(str(error)))
        return redirect(url_for("pages.environment", name=name), 303)

    routes.app_template_global("commit_page")(lambda environment, sha: _commit_page(agent, environment, sha))
    for word in (moments.ago, moments.clock, moments.duration, words.sentence, words.state_of):
        routes.app_template_filter(word.__name__)(word)
    routes.app_template_filter("iso")(shape.moment)
    # A secret of several lines is one text still; cut into lines it could not be recognised.
    routes.app_template_filter("diff_lines")(lambda text: diffs.lines(mask(text)))
    return routes


def _act(environment: Environment, action: str) -> None:
    given = {name: text.strip() for name, text in request.form.items() if name != "csrf" and text.strip()}
    if action == "sync":
        environment.sync(allow_deletes=parse(Sync, {"allow_deletes": given.get("allow_deletes", "").split()}).allow_deletes)
        flash("A whole run was asked for.")
    elif action == "approve":
        environment.approve(parse(Approve, given).digest)
        flash("Approved: the plan is made once more, and carried out if it still is the same.")
    elif action == "suspend":
        environment.suspend(parse(Suspend, given).why)
        flash("Suspended: the change in hand is finished, then nothing happens until you resume.")
    else:
        environment.resume()
        flash("Resumed.")


def _find(agent: Agent, name: str) -> Environment:
    if name not in agent.environments:
        abort(404, "There is no such environment.")
    return agent.environments[name]


def _frame(agent: Agent, run: Run | None = None) -> dict[str, object]:
    """What every page needs: which runs go on, and how soon the page looks again."""
    running = {each.id for each in agent.in_progress()}
    refresh = _MOVING if (run.id in running if run else running) else 0 if run else _RESTING
    return {
        "refresh": refresh,
        "outcome_of": lambda run: words.outcome_of(run, run.id in running),
    }


def _recent(agent: Agent, environment: str | None = None) -> dict[str, object]:
    return _listed(agent, Page(environment=environment, limit=_RECENT))


def _listed(agent: Agent, page: Page) -> dict[str, object]:
    """The runs of a page; a journal that is lost is said there, and the rest of the page stays."""
    try:
        found = agent.journal.runs(page.environment, page.limit, page.before)
    except Unavailable as error:
        return {"runs": [], "lost": str(error), "older": None}
    return {"runs": found, "lost": "", "older": found[-1].id if len(found) == page.limit else None}


def _commit_page(agent: Agent, environment: str, sha: str) -> str:
    found = agent.environments.get(environment)
    return commit_page(found.settings, sha) if found else ""
