"""Engines: LUTs of the multiply–accumulate engine of two formats, from synthesis by yosys.

One engine stands for all of them, so that formats are compared and not networks: a linear layer of 16 inputs and 16
outputs with random weights of full range, signed formats on both sides, 16 products a cycle made in logic, weights in
block RAM, and the accumulator that range analysis asks for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from edgeq.boards import load_board
from edgeq.errors import ToolError
from edgeq.formats import FixedPoint, Format
from edgeq.fpga.build import write_project
from edgeq.fpga.lower import lower
from edgeq.fpga.toolchain.families import device_of
from edgeq.fpga.toolchain.flow import synthesise
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.fpga.toolchain.pll import choose_clock
from edgeq.fpga.toolchain.toolset import find_toolset
from edgeq.ir import Graph, GraphBuilder, Value
from edgeq.quant.recipe import Number
from edgeq.quant.spec import QuantSpec
from edgeq.verify.data import finite_codes

#: a 4-input LUT of an ECP5 is what most small FPGAs have
BOARD = "ulx3s-85f"
#: inputs, outputs and products a cycle
SIZE = 16
#: modules of an engine: products and sums, and what brings minifloats to the grid that they are summed on
MODULES = ("eq_mvu", "eq_decode")


def engine(weights: Number, activations: Number) -> Graph:
    """The linear layer of two formats."""
    x, w = (QuantSpec("engine", number, narrow=True).format(0) for number in (activations, weights))
    builder = GraphBuilder("engine")
    rng = np.random.default_rng(0)
    codes = _codes(w, rng)
    operands = [builder.input("x", (SIZE,), x), builder.constant("w", codes, w)]
    bias = FixedPoint(32, _grid(x) + _grid(w))
    operands.append(builder.constant("b", rng.integers(-100, 100, SIZE), bias))
    name = builder.node("linear", "fc", operands, x)
    return builder.build([name])


def _codes(fmt: Format, rng: np.random.Generator) -> np.ndarray:
    """Random weights, the greatest among them; fixed point without its least code, as weights are trained."""
    known = finite_codes(Value("w", (), fmt))
    if isinstance(fmt, FixedPoint):
        known = known[1:]
    codes: np.ndarray = rng.choice(known, (SIZE, SIZE))
    codes[:, 0] = known[np.argmax(fmt.to_grid(known))]
    return codes


def _grid(fmt: Format) -> int:
    assert isinstance(fmt.frac, int)
    return fmt.frac


def synthesised(weights: Number, activations: Number) -> tuple[Usage, str]:
    """What the engine uses, and the version of the tools.

    Raises UnsupportedError where a format has no hardware, ToolError where the tools are missing or fail.
    """
    board = load_board(BOARD)
    flow = lower(engine(weights, activations), board, dsps=SIZE, style="lut")
    device = device_of(board)
    tools = find_toolset(device.family)
    stages = [stage.name for stage in flow.stages if stage.module in MODULES]
    if not stages:
        raise ToolError(f"engine of {weights} × {activations}: no {MODULES[0]} was made; please report it")
    with tempfile.TemporaryDirectory(prefix="edgeq-engine-") as scratch:
        project = write_project(flow, board, choose_clock(board, device.target_hz), tools, Path(scratch))
        parts = synthesise(project, tools)
    return sum((parts[name] for name in stages), Usage()), tools.version
