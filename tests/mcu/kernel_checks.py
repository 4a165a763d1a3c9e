"""What kernels compute against the meaning of their operators: in C on this computer, and as emulated cores run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.ir import Graph, analyse
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.ops import lower
from edgeq.mcu.step import Step
from tests.mcu import tiny
from tests.mcu.dsp_cases import Batch
from tests.mcu.kernel_cases import Case
from tests.mcu.kernel_driver import run_graphs

DSP = ("dsp",)


def steps_of(graph: Graph, features: Sequence[str] = DSP) -> list[Step]:
    """The kernel calls of a graph."""
    ranges = analyse(graph)
    found = [lower(graph, node, ranges, features) for node in graph.nodes]
    return [step for step in found if step is not None]


def wrong(
    graph: Graph, inputs: dict[str, np.ndarray], found: dict[str, np.ndarray], features: Sequence[str] = DSP
) -> list[str]:
    """A line for each value that differs from its meaning."""
    want = reference(graph, inputs)
    lines = []
    for step in steps_of(graph, features):
        if not np.array_equal(want[step.output], found[step.output]):
            node = next(n for n in graph.nodes if n.name == step.node)
            shapes = [str((graph.values[v].shape, str(graph.values[v].format))) for v in (*node.inputs, *node.outputs)]
            lines.append(f"{step.kernel} {step.fixed} {dict(node.attrs)}: {' '.join(shapes)}")
    return lines


def wrong_in_c(cases: Sequence[Case], folder: Path, features: Sequence[str] = DSP, **options: Any) -> list[list[str]]:
    """The wrong values of each graph in C, by default under the sanitizers; options: those of `run_graphs`."""
    found = run_graphs(cases, folder, features=features, **options)
    return [wrong(graph, dict(data), f, features) for (graph, data), f in zip(cases, found, strict=True)]


def wrong_on_core(batch: Batch, board: str, toolchain: str, runner: str, optimize: str, folder: Path) -> list[str]:
    """The wrong values of a network on an emulated core; a skip where there is no compiler or emulator."""
    tiny.toolchain(load_board(board), toolchain)
    tiny.runner(load_board(board), runner)
    graph = batch.graph()
    made = build(graph, board, folder / "out", optimize=optimize, toolchain=toolchain)
    assert made.warnings == ()
    return wrong(graph, batch.inputs, trace(made, batch.inputs, runner=runner), load_board(board).isa)


def differs(cases: Sequence[Case], folder: Path, **options: Any) -> list[str]:
    """All tensors that are not the emulator's, those between kernels too; options: those of `run_graphs`."""
    found = []
    for (graph, inputs), computed in zip(cases, run_graphs(cases, folder, **options), strict=True):
        want = reference(graph, inputs)
        found += [f"{graph.name} {name}" for name in want if not np.array_equal(want[name], computed[name])]
    return found
