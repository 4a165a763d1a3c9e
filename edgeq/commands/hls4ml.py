"""Building and comparing by hls4ml: what `--backend hls4ml` of `edgeq build` and `edgeq verify` does and shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard

import typer

from edgeq.commands.fpga import phases
from edgeq.commands.shell import console, emit, near

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.hls4ml.simulate import HlsFourMl
    from edgeq.ir import Graph

Backend = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Boards of the vendor's HLS: 'edgeq' (default), or 'hls4ml', a second opinion."),
]
Io = Annotated[
    str | None,
    typer.Option("--io", metavar="TYPE", help="hls4ml: 'parallel' or 'stream'; by default 'stream' if windows slide."),
]


def wanted(board: Board | str, backend: str | None, io: str | None, options: dict[str, Any]) -> TypeGuard[Board]:
    """Whether hls4ml is asked for; InputError where the board or other options do not go with it."""
    from edgeq.errors import InputError

    if backend not in (None, "edgeq", "hls4ml"):
        raise InputError(f"--backend {backend}: choose edgeq or hls4ml")
    if backend is None or backend == "edgeq":
        if io is not None:
            raise InputError("--io is for --backend hls4ml")
        if backend is None:
            return False
    if isinstance(board, str) or board.kind != "hls":
        name = board if isinstance(board, str) else board.name
        raise InputError(f"board {name}: --backend is for boards of the vendor's HLS, such as pynq-z2")
    if backend == "edgeq":
        return False
    given = [key for key in ("inferences", "dsps", "style") if options.get(key) is not None]
    if given:
        raise InputError("--backend hls4ml folds layers its own way: --target, --dsps and --style are not for it")
    return True


def executor(net: Graph, board: Board, io: str | None, clock_mhz: float | None) -> HlsFourMl:
    """The network as hls4ml has it, for `edgeq verify`."""
    from edgeq.hls.build import with_clock
    from edgeq.hls4ml.simulate import HlsFourMl

    return HlsFourMl(net, board if clock_mhz is None else with_clock(board, clock_mhz), io)


def build_hls4ml(net: Graph, board: Board, output: Path, json: bool, io: str | None, clock_mhz: float | None) -> int:
    """`edgeq build --backend hls4ml`: the project and the comparison; 1 where they differ, the project is kept."""
    from edgeq.commands.verify import show
    from edgeq.hls4ml.build import build, make_manifest

    with phases(f"building for {board.name} with hls4ml") as progress:
        made = build(net, board, output, io=io, clock_mhz=clock_mhz, progress=progress)
    if json:
        emit({"path": made.path, **{k: v for k, v in make_manifest(made).items() if k not in ("kind", "version")}})
    else:
        show(made.result)
        if made.result.skipped:
            console(False).print(f"not shown by hls4ml: {', '.join(made.result.skipped)}", soft_wrap=True)
        console(False).print(f"project: {near(made.path)}", soft_wrap=True)
    return 0 if made.result.equal else 1
