"""`edgeq run`: one batch through the emulator, the compiled C on this computer, an emulated board, or a real FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, working

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from edgeq.boards import Board
    from edgeq.ir import Graph, Value


def run(
    model: Model,
    input: Annotated[
        list[Path],
        typer.Option(
            "--input",
            "-i",
            metavar="x.npy",
            help="The batch: floats are real values, integers are codes; layout as in the source model. "
            "Give it once for each input of the network, in order.",
        ),
    ],
    output: Annotated[
        list[Path],
        typer.Option("--output", "-o", metavar="y.npy", help="Where to write the answers, once for each output."),
    ],
    board: BoardName = "emulator",
    port: Annotated[
        str | None,
        typer.Option(
            "--port",
            metavar="/dev/tty…",
            help="Run on the FPGA board behind this serial port, which holds the bitstream of MODEL.",
        ),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option("--baud", min=1, help="With --port: the line rate (default: the board's own, then 115200)."),
    ] = None,
    json: Json = False,
) -> int:
    """Run a batch: floats in, floats out; codes in, codes out."""
    from edgeq.errors import InputError
    from edgeq.verify import read_array, write_array

    net, target = load_model(model), find_board(board)
    if len(output) != len(net.outputs):
        raise InputError(f"this network has {len(net.outputs)} outputs ({', '.join(net.outputs)}); give -o for each")
    if baud is not None and port is None:
        raise InputError("--baud is for --port; give the serial port of the board as well")
    arrays = [read_array(path) for path in input]
    with working(f"running on {target.name}"):
        answers = execute(net, target, arrays[0] if len(arrays) == 1 else arrays, port, baud)
    for path, answer in zip(output, answers, strict=True):
        write_array(path, answer)
    found = {
        "board": target.name,
        "samples": int(answers[0].shape[0]),
        "outputs": [
            {"name": name, "file": str(path), "shape": list(answer.shape), "dtype": str(answer.dtype)}
            for name, path, answer in zip(net.outputs, output, answers, strict=True)
        ],
    }
    if json:
        emit(found)
    else:
        for path, answer in zip(output, answers, strict=True):
            console(json).print(f"{path}: {answer.dtype} {list(answer.shape)} from {target.name}")
    return 0


def execute(
    net: Graph, board: Board, x: Any, port: str | None = None, baud: int | None = None
) -> list[npt.NDArray[Any]]:
    """Outputs of one batch on a board, in the layout of the source model; codes in their smallest integer type.

    port: a serial port with the board itself behind it; None: the board is simulated or emulated.
    """
    import tempfile

    from edgeq.emulator import decode_outputs, encode_inputs
    from edgeq.verify.executors import on_board

    inputs, floats = encode_inputs(net, x)
    if port is not None:
        trace = on_port(net, board, inputs, port, baud)
    else:
        with tempfile.TemporaryDirectory(prefix="edgeq-run-") as folder:
            trace = on_board(net, board, Path(folder)).trace(inputs)
    found = decode_outputs(net, trace, floats)
    answers = found if isinstance(found, list) else [found]
    if floats:
        return answers
    return [answer.astype(smallest_type(net.values[name])) for name, answer in zip(net.outputs, answers, strict=True)]


def on_port(
    net: Graph, board: Board, inputs: Mapping[str, npt.NDArray[Any]], port: str, baud: int | None
) -> dict[str, npt.NDArray[Any]]:
    """Codes of the outputs from the FPGA board behind a serial port."""
    from edgeq.errors import InputError
    from edgeq.fpga.host import DEFAULT_BAUD, run_on_port

    if board.fpga is None:
        raise InputError(f"board {board.name}: --port is for FPGA boards; leave it out, or choose one (`edgeq boards`)")
    # A build whose clock does not reach the board's rate takes the default one.
    rates = [baud] if baud is not None else list(dict.fromkeys([board.fpga.baud, DEFAULT_BAUD]))
    return run_on_port(net, inputs, port, rates)


def smallest_type(value: Value) -> npt.DTypeLike:
    """The smallest integer type that holds every code of a value."""
    import numpy as np

    lo, hi = value.format.code_range
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(dtype).min <= lo and hi <= np.iinfo(dtype).max:
            return dtype
    return np.int64
