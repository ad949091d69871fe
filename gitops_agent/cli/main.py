"""`gitops-agent`: all commands together, and how it ends when one of them cannot do its work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gitops_agent import __version__
from gitops_agent.cli import adopt, begin, bootstrap, check, doctor, look, operate, rollback, run, serve
from gitops_agent.cli.demo import demo
from gitops_agent.cli.help import CommandHelp, GroupHelp, paint
from gitops_agent.cli.hooks import hooks
from gitops_agent.errors import AgentError, ConfigError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit statuses; `run` adds one for «changed». WRONG: the command line or agent.toml is."""

app = typer.Typer(cls=GroupHelp, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)

_COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Begin": (demo, begin.init, bootstrap.bootstrap, adopt.adopt, serve.serve),
    "Before a push": (check.check, check.render, hooks),
    "See": (look.status, look.runs, look.show, doctor.doctor),
    "Do": (operate.sync, operate.approve, operate.suspend, operate.resume, run.plan, run.apply, rollback.rollback),
}
for _panel, _functions in _COMMANDS.items():
    for _function in _functions:
        app.command(cls=CommandHelp, rich_help_panel=_panel)(_function)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gitops-agent {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from. Works after a command, too.")] = False,
) -> None:
    """A push makes real systems what the commit says, and the commit says so."""


def main() -> None:
    """The entry point of the program."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(_status(arguments, debug=len(arguments) < len(sys.argv) - 1))


def _status(arguments: list[str], *, debug: bool) -> int:
    try:
        status = app(arguments, prog_name="gitops-agent", standalone_mode=False)
    except AgentError as error:
        if debug:
            raise
        _complain(str(error))
        return WRONG if isinstance(error, ConfigError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
        return FAILED
    except Exception as error:
        message = getattr(error, "format_message", None)  # what typer has to say about the command line
        if message is None:
            if debug:
                raise
            _complain(f"a bug of gitops-agent's own: {type(error).__name__}: {error}; --debug shows where")
            return FAILED
        return _explain(message(), error)
    return status if isinstance(status, int) else 0


def _explain(message: str, error: Any) -> int:
    """A mistake on the command line; no message means that somebody asked for nothing and gets help."""
    if not message or type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help())
        return WRONG
    _complain(message)
    command = getattr(getattr(error, "ctx", None), "command_path", "gitops-agent")
    typer.echo(f"{command} --help says what there is", err=True)
    return WRONG


def _complain(message: str) -> None:
    from gitops_agent.secret import mask

    typer.echo(f"{paint('error:', 'red', sys.stderr)} {mask(message)}", err=True)
