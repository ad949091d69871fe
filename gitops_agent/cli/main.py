"""`gitops-agent`, and how it ends when a command cannot do its work."""

from __future__ import annotations

import os
import sys
from typing import Any

from gitops_agent.cli import early
from gitops_agent.errors import AgentError, ConfigError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit statuses; `run` adds one for «changed». WRONG: the command line or agent.toml is."""


def main() -> None:
    """The entry point of the program."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(_status(arguments, debug=len(arguments) < len(sys.argv) - 1))


def _status(arguments: list[str], *, debug: bool) -> int:
    wanted = arguments[0] if arguments else ""
    try:
        early.begin(wanted)
        from gitops_agent.cli.commands import program

        status = program(wanted)(arguments, prog_name="gitops-agent", standalone_mode=False)
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
    finally:
        early.end()
    return status if isinstance(status, int) else 0


def _explain(message: str, error: Any) -> int:
    """A mistake on the command line; no message means that somebody asked for nothing and gets help."""
    import typer

    if not message or type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help())
        return WRONG
    _complain(message)
    command = getattr(getattr(error, "ctx", None), "command_path", "gitops-agent")
    typer.echo(f"{command} --help says what there is", err=True)
    return WRONG


def _complain(message: str) -> None:
    import typer

    from gitops_agent.cli.help import paint
    from gitops_agent.secret import mask

    typer.echo(f"{paint('error:', 'red', sys.stderr)} {mask(message)}", err=True)
