"""`/api/v1`: what the CLI and other programs use. openapi.json, served with it, is its manual."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, TypeVar

from flask import Blueprint, abort, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gitops_agent import __version__
from gitops_agent.web import shape
from gitops_agent.web.agent import Agent, Environment

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
_Body = TypeVar("_Body", bound=BaseModel)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Sync(_Request):
    """`allow_deletes`: digests of the plans that may delete as much as they say. `skip_gate`: nothing has to be green."""

    allow_deletes: list[Digest] = Field(default=[], max_length=100)
    skip_gate: bool = False


class Approve(_Request):
    """`digest`: of the plan that awaits approval."""

    digest: Digest


class Suspend(_Request):
    """`why` is shown to whoever wonders; one line."""

    why: str = Field(default="", max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")


class Page(BaseModel):
    """Which runs: of one environment, at most `limit`, those before the run named by `before`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: str | None = None
    limit: int = Field(default=50, ge=1, le=200)
    before: str | None = None


def blueprint(agent: Agent) -> Blueprint:
    routes = Blueprint("api", __name__, url_prefix="/api/v1")

    @routes.get("/openapi.json")
    def document() -> ResponseReturnValue:
        text = files(__package__).joinpath("openapi.json").read_text()
        described = json.loads(text)
        described["info"]["version"] = __version__
        return jsonify(described)

    @routes.get("/environments")
    def environments() -> ResponseReturnValue:
        return jsonify({"environments": [shape.environment(each, agent.url) for each in agent.environments.values()]})

    @routes.get("/environments/<name>")
    def environment(name: str) -> ResponseReturnValue:
        return jsonify(shape.environment(_find(agent, name), agent.url))

    @routes.get("/runs")
    def runs() -> ResponseReturnValue:
        page = parse(Page, request.args.to_dict())
        found = agent.journal.runs(page.environment, page.limit, page.before)
        before = found[-1].id if len(found) == page.limit else None
        return jsonify({"runs": [shape.summary(run, agent.url) for run in found], "before": before})

    @routes.get("/runs/<id>")
    def run(id: str) -> ResponseReturnValue:  # noqa: A002
        found = agent.find_run(id)
        if found is None:
            abort(404, "no such run; the journal keeps only the newest")
        return jsonify(shape.whole(found, agent.url))

    _operate(routes, agent)
    return routes


def _operate(routes: Blueprint, agent: Agent) -> None:
    """What an operator may ask for."""

    @routes.post("/environments/<name>/sync")
    def sync(name: str) -> ResponseReturnValue:
        found, body = _find(agent, name), _body(Sync)
        found.sync(allow_deletes=body.allow_deletes, skip_gate=body.skip_gate)
        return jsonify({"queued": [name]}), 202

    @routes.post("/environments/<name>/approve")
    def approve(name: str) -> ResponseReturnValue:
        found, body = _find(agent, name), _body(Approve)
        found.approve(body.digest)
        return jsonify({"queued": [name]}), 202

    @routes.post("/environments/<name>/suspend")
    def suspend(name: str) -> ResponseReturnValue:
        found, body = _find(agent, name), _body(Suspend)
        found.suspend(body.why)
        return jsonify(shape.environment(found, agent.url))

    @routes.post("/environments/<name>/resume")
    def resume(name: str) -> ResponseReturnValue:
        found = _find(agent, name)
        _body(_Request)
        found.resume()
        return jsonify(shape.environment(found, agent.url))


def _find(agent: Agent, name: str) -> Environment:
    if name not in agent.environments:
        abort(404, "no such environment")
    return agent.environments[name]


def _body(model: type[_Body]) -> _Body:
    """The JSON object of the request, {} for none. Ends the request with 400, or 415 for another type of content."""
    return parse(model, request.get_json() if request.get_data() else {})


def parse(model: type[_Body], value: object) -> _Body:
    """Ends the request with 400 that names the field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        abort(400, f"{where}: {first['msg'].lower()}")
