"""The shell: `edgeq COMMAND …`. Commands live in `edgeq/commands/`; here are start-up, errors and exit codes.

Exit codes: 0 good; 1 the check failed (tensors differ, a budget does not hold); 2 wrong use or bad input, with one
clear line; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from edgeq import __version__
from edgeq.commands import COMMANDS
from edgeq.errors import BudgetError, EdgeqError

app = typer.Typer(
    name="edgeq",
    help="One trained network as MCU firmware, FPGA project and Python emulator, equal to the bit.",
    epilog="MODEL is a file: .edgeq, .tflite or .onnx. Boards: `edgeq boards`. Every command takes --json.",
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for _name, _function in COMMANDS.items():
    if isinstance(_function, typer.Typer):
        app.add_typer(_function, name=_name)
    else:
        app.command(_name)(_function)


def _show_version(value: bool) -> None:
    if value:
        print(f"edgeq {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show Python's traceback of an error (any place).")] = False,
) -> None:
    """Options before the command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; nothing but `--debug` lets an exception out."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"] or ["--help"]
    try:
        status = app(args, prog_name="edgeq", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return _stop("interrupted", args, 130)
    except BrokenPipeError:
        # The reader of our output has gone; say nothing, and keep Python from complaining at exit.
        sys.stdout = None
        return 1
    except Exception as error:
        if debug and not hasattr(error, "format_message"):
            raise
        # A network that is larger than its budget is a check that failed, not wrong use.
        return _stop(_line(error), args, 1 if isinstance(error, BudgetError) else 2)


def _line(error: Exception) -> str:
    """One clear line for any exception."""
    if isinstance(error, EdgeqError):
        return _one_line(str(error))
    if hasattr(error, "format_message"):  # wrong use, from typer
        return _one_line(f"{error.format_message()} (see: edgeq --help)")
    if type(error).__name__ == "Abort":
        return "interrupted"
    text = _one_line(str(error)) or "no message"
    return f"unexpected {type(error).__name__}: {text} (run again with --debug for the traceback, and please report it)"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _stop(line: str, args: Sequence[str], status: int) -> int:
    print(f"edgeq: {line}", file=sys.stderr)
    if "--json" in args:
        print(json.dumps({"error": line}))
    return status


def script() -> None:
    """Entry point of the installed `edgeq` program."""
    raise SystemExit(main())


if __name__ == "__main__":
    script()
