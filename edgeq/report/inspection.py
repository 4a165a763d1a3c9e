"""What a network needs and what a board cannot give it, found before anything is built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.ir.names import short_name
from edgeq.report.layers import Layer, layers

if TYPE_CHECKING:
    from edgeq.boards import Board
    from edgeq.mcu.program import Program
    from edgeq.report.hardware import Hardware

#: code of start-up and calls, of one kernel instance that multiplies matrices and of one that does not, in bytes, as
#: measured on the digits networks of the demo
CODE_BASE = 2200
CODE_MATRIX, CODE_OTHER = 700, 200
#: layers that a message names
MOST_NAMED = 4


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way: where, what it is, and what to change."""

    layer: str
    fact: str
    way_out: str

    def line(self) -> str:
        """One line for a person."""
        return f"{short_name(self.layer)}: {self.fact}; {self.way_out}"


@dataclass(frozen=True)
class Needs:
    """What the board's memories have to hold.

    arena:     bytes of the planned arena, exact; peak_at, peak: the step at which most is alive, and those values.
    stack:     bytes kept for the stack; ram: arena and stack; ram_size: of the board, None on the host.
    constants: bytes of weights, biases and tables as stored, exact; code: bytes of code, an estimate.
    """

    arena: int
    peak_at: str
    peak: tuple[tuple[str, int], ...]
    stack: int
    constants: int
    code: int
    ram_size: int | None
    flash_size: int | None

    @property
    def ram(self) -> int:
        """Arena and stack."""
        return self.arena + self.stack

    @property
    def flash(self) -> int:
        """Constants and code, an estimate."""
        return self.constants + self.code


@dataclass(frozen=True)
class Inspection:
    """The network's layers and, where a board was asked about, needs, kernels and problems."""

    name: str
    board: str | None
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    outputs: tuple[tuple[str, tuple[int, ...], str], ...]
    layers: tuple[Layer, ...]
    kernels: dict[str, tuple[str, str, str]]
    needs: Needs | None
    problems: tuple[Problem, ...]
    hardware: Hardware | None = None

    @property
    def macs(self) -> int:
        """Multiply–accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def constant_bytes(self) -> int:
        """Bytes of all constants at the width of their formats."""
        return sum(layer.constant_bytes for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """The object that `edgeq inspect --json` prints."""
        rows = []
        for layer in self.layers:
            kernel, variant, why = self.kernels.get(layer.node, (None, None, None))
            rows.append({**layer.to_json(), "kernel": kernel, "variant": variant, "why": why})
        needs = None
        if self.needs is not None:
            needs = {**asdict(self.needs), "ram": self.needs.ram, "flash_estimated": self.needs.flash}
        border = ("name", "shape", "format")
        return {
            "name": self.name,
            "board": self.board,
            "fits": not self.problems if self.board else None,
            "inputs": [dict(zip(border, row, strict=True)) for row in self.inputs],
            "outputs": [dict(zip(border, row, strict=True)) for row in self.outputs],
            "macs": self.macs,
            "constant_bytes": self.constant_bytes,
            "layers": rows,
            "needs": needs,
            "hardware": self.hardware.to_json() if self.hardware else None,
            "problems": [asdict(problem) for problem in self.problems],
        }


def inspect(net: Graph, board: Board | None = None) -> Inspection:
    """Look at a network, and at what `board` cannot do for it."""
    kernels: dict[str, tuple[str, str, str]] = {}
    needs: Needs | None = None
    problems: list[Problem] = []
    estimated: Hardware | None = None
    if board is not None and board.kind in ("fpga", "hls"):
        estimated, problems = _hardware(net, board)
    elif board is not None and board.kind != "emulator":
        problems = _unsupported(net, board)
        if not problems:
            needs, kernels = _needs(net, board)
            problems = _too_large(net, board, needs)
    return Inspection(
        net.name,
        board.name if board else None,
        _borders(net, net.inputs),
        _borders(net, net.outputs),
        tuple(layers(net)),
        kernels,
        needs,
        tuple(problems),
        estimated,
    )


def _hardware(net: Graph, board: Board) -> tuple[Hardware | None, list[Problem]]:
    """An FPGA's estimate, and what is in the way."""
    from edgeq.report.hardware import hardware

    found, complaint = hardware(net, board)
    way = "change this, or run it on a board that can (edgeq boards)"
    return found, [Problem(net.name, complaint, way)] if complaint else []


def _borders(net: Graph, names: Sequence[str]) -> tuple[tuple[str, tuple[int, ...], str], ...]:
    """Name, shape in the layout of the source model, and format."""
    found = []
    for name in names:
        value = net.values[name]
        layout = net.layouts.get(name, tuple(range(len(value.shape))))
        shape = tuple(value.shape[layout.index(i)] for i in range(len(layout)))
        found.append((name, shape, str(value.format)))
    return tuple(found)


def _unsupported(net: Graph, board: Board) -> list[Problem]:
    """Every node that no kernel runs, not only the first."""
    from edgeq.ir import analyse
    from edgeq.mcu import ops

    ranges = analyse(net)
    found = []
    for node in net.nodes:
        try:
            ops.lower(net, node, ranges, board.isa)
        except EdgeqError as error:
            way = "change this layer, or run it on a board that can (edgeq boards)"
            found.append(Problem(node.source or node.name, str(error), way))
    return found


def _needs(net: Graph, board: Board) -> tuple[Needs, dict[str, tuple[str, str, str]]]:
    from edgeq.mcu.program import make_program
    from edgeq.mcu.toolchains.ports import DEFAULT_STACK_BYTES

    program = make_program(net, board)
    plan = program.plan
    sized = board.kind == "mcu"
    needs = Needs(
        arena=plan.arena_bytes,
        peak_at=plan.label(plan.peak),
        peak=tuple(plan.peak_values()),
        stack=DEFAULT_STACK_BYTES if sized else 0,
        constants=program.weight_bytes,
        code=code_estimate(program),
        ram_size=board.ram.size if sized else None,
        flash_size=board.flash.size if sized else None,
    )
    return needs, {c.node.name: (c.step.kernel, c.step.variant, c.step.why) for c in program.calls}


def code_estimate(program: Program) -> int:
    """Bytes of code, by the number of kernel instances; the build knows better."""
    matrix = sum(i.kernel.startswith(("conv", "linear", "matmul")) for i in program.instances)
    return CODE_BASE + CODE_MATRIX * matrix + CODE_OTHER * (len(program.instances) - matrix)


def _too_large(net: Graph, board: Board, needs: Needs) -> list[Problem]:
    found = []
    if needs.ram_size is not None and needs.ram > needs.ram_size:
        held = ", ".join(f"{short_name(name)} {size:,}" for name, size in needs.peak[:MOST_NAMED])
        found.append(
            Problem(
                needs.peak_at,
                f"RAM of {board.name} has {needs.ram_size:,} bytes, {needs.ram:,} are needed (arena {needs.arena:,}, "
                f"stack {needs.stack:,}); at the peak live {held}",
                "make these tensors smaller (stride or pool earlier, fewer channels, 8 bits instead of 16) "
                "or take a board with more RAM",
            )
        )
    if needs.flash_size is not None and needs.flash > needs.flash_size:
        found.append(_flash_problem(net, board, needs))
    return found


def _flash_problem(net: Graph, board: Board, needs: Needs) -> Problem:
    rows = sorted(layers(net), key=lambda row: -row.constant_bytes)[:MOST_NAMED]
    held = ", ".join(f"{short_name(row.layer)} {row.constant_bytes:,}" for row in rows)
    wide = sum(
        net.values[node.inputs[1]].size * (net.values[node.inputs[1]].format.bits - 4) // 8
        for node in net.nodes
        if node.op in ("conv", "conv_transpose", "linear") and net.values[node.inputs[1]].format.bits > 4
    )
    saving = f"4-bit weights would save {wide:,} bytes; " if wide else ""
    return Problem(
        rows[0].layer,
        f"flash of {board.name} has {needs.flash_size:,} bytes, about {needs.flash:,} are needed "
        f"(constants {needs.constants:,}, code about {needs.code:,}); most lies in {held}",
        f"{saving}make these layers smaller or take a board with more flash",
    )
