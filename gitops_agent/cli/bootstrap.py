"""`bootstrap`: from an empty Docker host to a green first run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gitops_agent.cli.climbing import Climbing
from gitops_agent.cli.console import Console
from gitops_agent.errors import ConfigError

if TYPE_CHECKING:
    from gitops_agent.bootstrap import Blueprint, Credentials, Ground


def bootstrap(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The config repo, this directory unless given. ROOT, where that is lost.")
    ] = Path(),
    environment: Annotated[str, typer.Option("--environment", "-e", metavar="NAME", help="Where values/ has several.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the steps, and which are done. Changes nothing.")] = False,
    vault_keys: Annotated[
        Path | None,
        typer.Option("--vault-keys", metavar="FILE", help="Where Vault's keys are, or are written to when it is initialised."),
    ] = None,
    consul_token: Annotated[
        Path | None, typer.Option("--consul-token", metavar="FILE", help="A management token that Consul has already.")
    ] = None,
    nomad_token: Annotated[
        Path | None, typer.Option("--nomad-token", metavar="FILE", help="A management token that Nomad has already.")
    ] = None,
    gitea_admin: Annotated[
        Path | None,
        typer.Option("--gitea-admin", metavar="FILE", help="NAME:PASSWORD of an administrator that Gitea has already."),
    ] = None,
    unseal: Annotated[bool, typer.Option("--unseal", help="Only unseal Vault: what a restart of the host leaves to do.")] = False,
    serve_here: Annotated[
        bool, typer.Option("--serve-here", help="Be the agent, in this process, instead of starting its container.")
    ] = False,
    down: Annotated[bool, typer.Option("--down", help="Remove the containers. Data stay.")] = False,
    destroy_data: Annotated[bool, typer.Option("--destroy-data", help="With --down: all volumes and files, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before data are destroyed.")] = False,
) -> None:
    """Bring an empty Docker host to a green first run.

    Does what no run can do for itself: secrets, the first start, Consul's and Nomad's ACLs, Vault's keys, Gitea's people, the first
    push. Looks at the systems to know what is done, so it may be run again at any time: it goes on where it was killed, and mends a
    single system that lost its data.
    """
    from gitops_agent.bootstrap import Blueprint, Credentials, climb, look_at, of_root, steps, unsealing

    if destroy_data and not down:
        raise ConfigError("--destroy-data goes with --down")
    console = Console()
    blueprint = Blueprint.read(of_root(path, environment) if (path / "agent-state").is_dir() else path, environment)
    if down:
        _down(console, blueprint, destroy_data=destroy_data, yes=yes)
        return
    keys = vault_keys.absolute() if vault_keys else None
    ground = _ground(console, blueprint, Credentials(consul_token, nomad_token, keys, gitea_admin))
    try:
        series = unsealing(ground) if unseal else steps(ground, agent=not serve_here)
        climbing = Climbing(console, len(series))
        if dry_run:
            for look in look_at(series):
                climbing.look(look)
            return
        done = climb(series, _nothing_to_take if unseal else ground.take, climbing.doing)
    finally:
        ground.close()
        _forget(ground)
    _outstanding(console, ground.blueprint, climbing.elapsed if done else "", keys)
    if serve_here:
        from gitops_agent import app

        app.run(ground.blueprint.settings)


def _ground(console: Console, blueprint: Blueprint, credentials: Credentials) -> Ground:
    """Where what runs has gone on since the clone, that is gone by."""
    from gitops_agent import app
    from gitops_agent.bootstrap import Ground, newest

    ground = Ground(blueprint, lambda settings, name, source: app.reconciler(settings, name, source=source), credentials)
    newer = newest(ground)
    if newer is None:
        return ground
    ground.close()
    console.text(
        f"{blueprint.place} is at {blueprint.revision.sha[:10]}; what counts is {newer.revision.sha[:10]}: going by that. "
        "What only the clone has counts once it is pushed"
    )
    return Ground(newer, ground.make, credentials)


def _nothing_to_take() -> None:
    """Unsealing changes nothing that the agent looks after: it runs on, and goes on by itself."""


def _outstanding(console: Console, blueprint: Blueprint, elapsed: str, keys: Path | None) -> None:
    """What only a person can do. `elapsed` is empty when there was nothing to do."""
    from gitops_agent.bootstrap.host import unknown_names

    console.text(f"{blueprint.facts.project} is up after {elapsed}: {blueprint.settings.serve.url}" if elapsed else "nothing to do")
    if elapsed and keys is not None and keys.exists():
        console.text(
            f"{keys} opens Vault: whoever has it has everything. Copy it to a place that is not on this host, and delete it."
        )
    if unknown := unknown_names(blueprint.facts.hostnames):
        console.text("These names are not known here. For this host alone:")
        console.text(f"  echo '127.0.0.1 {' '.join(unknown)}' | sudo tee -a /etc/hosts")


def _down(console: Console, blueprint: Blueprint, *, destroy_data: bool, yes: bool) -> None:
    from gitops_agent.bootstrap import down

    if destroy_data and not yes:
        project = blueprint.facts.project
        answer = typer.prompt(
            f"All data of {project} and everything below {blueprint.facts.root} will be gone. Its name, to confirm"
        )
        if answer != project:
            raise ConfigError("nothing was removed")
    for said in down(blueprint, destroy_data=destroy_data):
        console.line(said, mark=True)


def _forget(ground: Ground) -> None:
    from gitops_agent.bootstrap.vault import forget_root

    forget_root(ground)
