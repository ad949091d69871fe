"""`adopt`: a config repo from a mini-cloud that was made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_agent.cli import options
from gitops_agent.cli.console import Console
from gitops_agent.errors import ConfigError

if TYPE_CHECKING:
    from gitops_agent.adopt import Place, Taken
    from gitops_agent.cli.once import Planned

TAKEN, FAILED, WOULD_WRITE = 0, 1, 3
_NEXT = """\

Next:
  cd {path}
  git init -b main && git add . && git commit -m "As it was"
  gitops-agent check
  gitops-agent apply --config agent/agent.toml    # writes nothing but the agent's own records"""


def adopt(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where the config repo is written: empty, or not there yet.")],
    project: Annotated[str, typer.Option("--project", "-p", metavar="NAME", help="The Compose project, where several run.")] = "",
    environment: Annotated[
        str, typer.Option("--environment", "-e", metavar="NAME", help="Named as the project unless given.")
    ] = "",
    state: Annotated[Path, typer.Option("--state", metavar="DIRECTORY", help="The agent's own directory.")] = Path(
        "/var/lib/gitops-agent"
    ),
    secrets: Annotated[
        Path | None, typer.Option("--secrets", metavar="DIRECTORY", help="Where secrets are put, 0600; STATE/secrets unless given.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", metavar="SYSTEM=URL", help="Where a system is: --address consul=http://…")
    ] = None,
    consul_token: Annotated[Path | None, typer.Option("--consul-token", metavar="FILE", help="Lets it read Consul.")] = None,
    vault_token: Annotated[Path | None, typer.Option("--vault-token", metavar="FILE", help="Lets it read Vault.")] = None,
    nomad_token: Annotated[Path | None, typer.Option("--nomad-token", metavar="FILE", help="Lets it read Nomad.")] = None,
    gitea_token: Annotated[
        Path | None, typer.Option("--gitea-token", metavar="FILE", help="Of an administrator or owner: lets it read Gitea.")
    ] = None,
    concourse_password: Annotated[
        Path | None, typer.Option("--concourse-password", metavar="FILE", help="Of a local user: lets it read pipelines.")
    ] = None,
    concourse_user: Annotated[
        str, typer.Option("--concourse-user", metavar="NAME", help="That user; the one of team main unless given.")
    ] = "",
    grafana_password: Annotated[
        Path | None,
        typer.Option(
            "--grafana-password", metavar="FILE", help="Of an administrator: lets it look, and a run reload provisioning."
        ),
    ] = None,
    postgres_password: Annotated[
        list[str] | None,
        typer.Option(
            "--postgres-password", metavar="[SERVICE=]FILE", help="Lets it read roles and databases, of one service or all."
        ),
    ] = None,
    postgres_user: Annotated[
        str, typer.Option("--postgres-user", metavar="NAME", help="That user; POSTGRES_USER of the container unless given.")
    ] = "",
    list_migrations: Annotated[
        bool, typer.Option("--list-migrations", help="What could be better in a config repo that was taken over. Changes nothing.")
    ] = False,
    migrate: Annotated[
        str, typer.Option("--migrate", metavar="NAME", help="Do one of these: edits the config repo at PATH, and nothing else.")
    ] = "",
    as_json: options.AsJson = False,
) -> int:
    """Take over a mini-cloud that was made by hand.

    Looks at the running containers of a Compose project, at what they mount and at the systems' APIs, and writes the config repo
    that describes them exactly as they are: the first run writes, restarts and recreates nothing. Secrets become references, and
    are put where the agent finds them. Shows the plan of that first run. Changes nothing else.

    Exits with 0 when the first run would write nothing, 3 when it would, 1 when it cannot be planned.
    """
    from gitops_agent.adopt import Place, Wishes, check_empty, take

    if list_migrations or migrate:
        return _migrate(path.absolute(), environment, migrate)
    place = Place(path.absolute(), state.absolute(), (secrets or state / "secrets").absolute())
    check_empty(place.repository)
    credentials = {
        "consul": consul_token,
        "vault": vault_token,
        "nomad": nomad_token,
        "gitea": gitea_token,
        "concourse": concourse_password,
        "grafana": grafana_password,
        **_of_services("postgres", postgres_password or []),
    }
    known = {name: file.absolute() for name, file in credentials.items() if file}
    users = {"concourse": concourse_user, "postgres": postgres_user}
    wishes = Wishes(project, environment, _addresses(address or []), known, users)
    console = Console()
    with console.waiting("looking at what runs"):
        taken = take(wishes)
    taken.write(place)
    with console.waiting("planning the first run"):
        planned = _first_plan(place, taken.environment)
    status = FAILED if planned.errors else WOULD_WRITE if _writes(planned) else TAKEN
    if as_json:
        console.json(
            {
                "environment": taken.environment,
                "project": taken.project,
                "files": sorted(taken.files(place)),
                "secrets": sorted(taken.secrets),
                "left": taken.left.to_json(),
                "plans": list(planned.run.plans),
                "errors": planned.errors,
            }
        )
        return status
    _show(console, taken, place, planned)
    if status == TAKEN:
        console.line("the first run writes, restarts and recreates nothing", mark=True)
    console.text(_NEXT.format(path=place.repository))
    return status


def _migrate(path: Path, environment: str, name: str) -> int:
    """Lists them all, or does the one of that name."""
    from gitops_agent.adopt.migrations import MIGRATIONS, ConfigRepo, carry_out, migration

    console = Console()
    repo = ConfigRepo(path, environment)
    for one in [migration(name)] if name else MIGRATIONS:
        proposal = one.propose(repo)
        console.line(one.summary, mark=not proposal.edits, head=one.name)
        for said in proposal.steps:
            console.text(f"  {said}")
        for said in proposal.not_done:
            console.text(f"  by hand first: {said}")
        if name:
            carry_out(repo, proposal)
        for said in dict.fromkeys(proposal.effects):
            console.text(f"  the next run {said}")
    if name:
        console.text("Look through `git diff`, and commit: the next run does it." if proposal.edits else "Nothing to do.")
    return 0


def _addresses(said: list[str]) -> dict[str, str]:
    found = {}
    for one in said:
        system, equals, address = one.partition("=")
        postgres = system == "postgres"
        if not equals or not address.startswith("postgres://" if postgres else ("http://", "https://")):
            example = "postgres=postgres://127.0.0.1:5432" if postgres else "consul=http://127.0.0.1:8500"
            raise ConfigError(f"--address {one}: write SYSTEM=URL, as in {example}")
        found[system] = address
    return found


def _of_services(system: str, said: list[str]) -> dict[str, Path]:
    """Files by the name that `Wishes` has for them: of the system, or of one service that runs it."""
    named = [re.fullmatch(r"(?:([\w.-]+)=)?(.*)", one, re.DOTALL) for one in said]
    return {f"{system}/{match[1]}" if match[1] else system: Path(match[2]) for match in named if match}


def _first_plan(place: Place, environment: str) -> Planned:
    """As the first run would make it: what the directory holds, committed to a throw-away repository; with a state of its own."""
    from gitops_agent.cli import worktree
    from gitops_agent.cli.once import Once
    from gitops_agent.settings import load

    settings = load(place.repository / "agent/agent.toml")
    with TemporaryDirectory(prefix="gitops-agent-") as temporary, worktree.committed(place.repository) as repository:
        secrets = settings.secrets.model_copy(update={"directory": place.secrets})
        elsewhere = settings.model_copy(update={"state": Path(temporary), "secrets": secrets})
        with Once(elsewhere, environment, str(repository)) as once:
            return once.plan()


def _writes(planned: Planned) -> bool:
    return any(plan.plan is not None and plan.plan.writes for plan in planned.prepared.plans)


def _show(console: Console, taken: Taken, place: Place, planned: Planned) -> None:
    from gitops_agent.cli import describe

    console.line(f"{len(taken.files(place))} files", mark=True, head=str(place.repository))
    console.line(f"{len(taken.secrets)} secrets", mark=True, head=str(place.secrets))
    for why, things in taken.left:
        console.text(f"\n{why}:")
        for what, reason in things.items():
            console.text(f"  {what}{f': {reason}' if reason else ''}")
    console.text(f"\nThe first run of {taken.environment} would do this:\n")
    for each in planned.run.plans:
        console.rich(describe.plan(each))
    for target, error in planned.errors.items():
        console.line(error, mark=False, head=target)
