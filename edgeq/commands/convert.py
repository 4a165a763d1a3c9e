"""`edgeq convert`: any model that edgeq reads, as net.edgeq or QONNX; float ones with calibration data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeq.commands.shell import Json, Model, console, emit, load_model, working

if TYPE_CHECKING:
    from edgeq.ir import Graph


def convert(
    model: Model,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write: .edgeq, or .onnx for QONNX.")
    ],
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate",
            metavar="DATA",
            help="Samples for a float .tflite or .onnx model: a .npy file, or a .npz file with an array for each input "
            "(a single input may be called x).",
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="YAML", help="Number formats for a float model; default: 8 bits.")
    ] = None,
    json: Json = False,
) -> int:
    """Convert a model to net.edgeq, or to QONNX."""
    from edgeq.errors import InputError
    from edgeq.frontends import load

    if output.suffix not in (".edgeq", ".onnx"):
        raise InputError(f"output {output}: must end in .edgeq, or in .onnx for QONNX")
    net = load_model(model) if calibrate is None and recipe is None else _calibrated(model, calibrate, recipe)
    wide: list[str] = []
    if output.suffix == ".onnx":
        from edgeq.frontends.onnx.write import write_qonnx

        wide = write_qonnx(net, output)
    else:
        net.save(output)
        if load(output) != net:  # cheap, and a file that reads back otherwise must never be kept
            output.unlink()
            raise InputError(f"output {output}: did not read back equal; please report this network")
    bytes_written = output.stat().st_size
    if json:
        emit(
            {
                "output": str(output),
                "name": net.name,
                "nodes": len(net.nodes),
                "bytes": bytes_written,
                "wide_sums": wide,
            }
        )
    else:
        console(json).print(f"{output}: {net.name}, {len(net.nodes)} nodes, {bytes_written:,} bytes")
        if wide:
            said = f"{', '.join(wide[:5])}{' and others' if len(wide) > 5 else ''}"
            console(json).print(f"sums that float32 may round, which tools that run the file compute in: {said}")
    return 0


def _calibrated(model: Path, data: Path | None, recipe: Path | None) -> Graph:
    """A float model, quantised after training."""
    from edgeq.errors import InputError
    from edgeq.frontends import load
    from edgeq.verify.archives import read_arrays

    if data is None:
        raise InputError("--recipe is for float models, which need calibration data too: --calibrate data.npz")
    with working(f"calibrating {model.name}"):
        return load(model, calibrate=read_arrays(data), recipe=recipe)
