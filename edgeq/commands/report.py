"""`edgeq report`: build, measure and compare, and put everything on one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.shell import BoardName, Json, Model, console, emit, find_board, load_model, working

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.ir import Graph

#: samples that are compared when no data is given
RANDOM_SAMPLES = 16


def report(
    model: Model,
    board: BoardName = "cortex-m4",
    input: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", "-i", metavar="x.npy", help="A batch to compare and to draw histograms of [random codes]."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="y.npy", help="Class of each sample of the batch, for the accuracy.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page.")] = Path("report.html"),
    json: Json = False,
) -> int:
    """Build, measure and compare; write one self-contained HTML page. Exit code 1 if tensors differ."""
    from edgeq.errors import InputError
    from edgeq.verify import read_array

    if labels is not None and not input:
        raise InputError("report: --labels needs the --input that they belong to")
    net, target = load_model(model), find_board(board)
    arrays = [read_array(path) for path in input or ()]
    classes = read_array(labels) if labels is not None else None
    with working(f"building, running and comparing on {target.name}"):
        found = make(net, target, arrays, classes, output)
    if json:
        emit(found)
    else:
        out = console(json)
        out.print(found["line"], style="green" if found["equal"] else "red", soft_wrap=True)
        out.print(f"page: {output}", soft_wrap=True)
    return 0 if found["equal"] else 1


def make(net: Graph, board: Board, arrays: list[Any], classes: Any, output: Path) -> dict[str, Any]:
    """Write the page and say what is on it."""
    import tempfile

    from edgeq.emulator import encode_inputs
    from edgeq.mcu.bench import measured
    from edgeq.mcu.build import build
    from edgeq.report import make_page, write
    from edgeq.verify import random_inputs, verify

    if arrays:
        inputs = encode_inputs(net, arrays[0] if len(arrays) == 1 else arrays)[0]
    else:
        inputs = dict(random_inputs(net, RANDOM_SAMPLES))
    with tempfile.TemporaryDirectory(prefix="edgeq-report-") as folder:
        made = build(net, board, Path(folder, "net"))
        bench = measured(made)
        check = verify(net, made, codes=inputs)
        page = make_page(
            made,
            inputs,
            data="the given batch" if arrays else "random codes",
            bench=bench,
            checks=[check],
            accuracy=_accuracy(net, inputs, classes),
        )
    write(page, output)
    return {
        "page": output,
        "board": board.name,
        "equal": check.equal,
        "line": check.line(),
        "flash": bench["flash"],
        "ram": bench["ram"],
        "instructions": bench["instructions"],
        "accuracy": [{"execution": name, "accuracy": share} for name, share, _ in page.accuracy],
    }


def _accuracy(net: Graph, inputs: dict[str, Any], classes: Any) -> list[tuple[str, float | None, str]]:
    """Share of samples whose greatest output is the class; nothing without classes."""
    import numpy as np

    from edgeq.errors import InputError
    from edgeq.report.assemble import net_trace

    if classes is None:
        return []
    count = len(next(iter(inputs.values())))
    if classes.shape != (count,) or classes.dtype.kind not in "iu":
        raise InputError(f"labels: {classes.dtype} of shape {classes.shape}; give {count} integers")
    answers = net_trace(net, inputs)[net.outputs[0]].reshape(count, -1)
    grid = net.values[net.outputs[0]].format.to_grid(answers)
    share = float(np.mean(grid.argmax(axis=1) == classes))
    return [("emulator", share, f"{count} samples")]
