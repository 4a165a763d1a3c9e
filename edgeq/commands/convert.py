"""`edgeq convert`: any model that edgeq reads, as net.edgeq."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgeq.commands.shell import Json, Model, console, emit, load_model


def convert(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; it ends in .edgeq.")],
    json: Json = False,
) -> int:
    """Convert a model to net.edgeq."""
    from edgeq.errors import InputError
    from edgeq.frontends import load

    if output.suffix != ".edgeq":
        raise InputError(f"output {output}: must end in .edgeq")
    net = load_model(model)
    net.save(output)
    if load(output) != net:  # cheap, and a file that reads back otherwise must never be kept
        output.unlink()
        raise InputError(f"output {output}: did not read back equal; please report this network")
    bytes_written = output.stat().st_size
    if json:
        emit({"output": str(output), "name": net.name, "nodes": len(net.nodes), "bytes": bytes_written})
    else:
        console(json).print(f"{output}: {net.name}, {len(net.nodes)} nodes, {bytes_written:,} bytes")
    return 0
