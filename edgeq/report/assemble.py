"""From a build, and what was measured and compared, to the page about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq import __version__
from edgeq.report.histograms import activation_histograms, weight_histograms
from edgeq.report.layers import Layer, layers
from edgeq.report.page import LayerRow, Page, Part
from edgeq.report.timeline import timeline

if TYPE_CHECKING:
    from edgeq.ir import Graph
    from edgeq.mcu.build import BuildResult
    from edgeq.verify import VerifyResult

#: samples that the histograms of activations are taken from, at most
HISTOGRAM_SAMPLES = 64


def make_page(
    build: BuildResult,
    inputs: Mapping[str, npt.NDArray[Any]],
    *,
    data: str,
    bench: Mapping[str, Any] | None = None,
    checks: Sequence[VerifyResult] = (),
    accuracy: Sequence[tuple[str, float | None, str]] = (),
    facts: Sequence[tuple[str, str]] = (),
) -> Page:
    """The page about a build.

    inputs: codes in the graph's layout, batch first, for the histograms of activations; data: what they are, in words.
    bench:  the object of `edgeq bench --json`; checks: comparisons; accuracy: (execution, share, note).
    """
    net, board = build.graph, build.board
    samples = {name: codes[:HISTOGRAM_SAMPLES] for name, codes in inputs.items()}
    count = len(next(iter(samples.values())))
    sized = board.kind == "mcu"
    return Page(
        title=net.name,
        subtitle=f"on {board.name}: {board.description}",
        tiles=_tiles(build, bench),
        accuracy=accuracy,
        checks=[(check.equal, check.line()) for check in checks],
        layers=_rows(build, bench),
        timeline=timeline(build.plan),
        flash=_flash(build),
        ram=_ram(build, bench),
        flash_size=board.flash.size if sized else None,
        ram_size=board.ram.size if sized else None,
        weights=weight_histograms(net),
        activations=activation_histograms(net, net_trace(net, samples)),
        warnings=[f"The compiler warned: {line}" for line in build.warnings],
        facts=[*_facts(build, bench), ("activations seen", f"{count} samples of {data}"), *facts],
    )


def net_trace(net: Graph, inputs: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
    """Every tensor of the emulator for input codes."""
    from edgeq.verify.executors import emulator

    return emulator(net).trace({name: np.asarray(codes) for name, codes in inputs.items()})


def _tiles(build: BuildResult, bench: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    program = build.program
    found = []
    if build.elf is not None:
        found.append(("Flash", f"{build.flash:,} B", f"weights and tables {build.sizes['weights']:,}"))
    else:
        found.append(("Weights and tables", f"{build.flash:,} B", "in flash on a device"))
    stack = _stack(build, bench)
    ram = build.ram + (stack or 0)
    note = f"arena {build.arena:,}" + (f", stack {stack:,}" if stack is not None else ", stack not measured")
    found.append(("RAM", f"{ram:,} B", note if build.elf is not None else "arena, as planned"))
    found.append(("MACs", f"{program.macs:,}", "one inference"))
    if bench is None or bench["instructions"] is None:
        return found
    exact = "" if bench["instructions_exact"] else "about "
    per_mac = f"{bench['instructions'] / program.macs:.2f} per MAC" if program.macs else ""
    found.append(("Instructions", f"{exact}{bench['instructions']:,}", per_mac))
    cycles = bench["cycles_estimated"]
    if cycles and build.board.clock_hz:
        time = 1000 * cycles / build.board.clock_hz
        found.append(("Estimated time", f"{time:.2f} ms", f"{cycles:,} cycles at {build.board.clock_hz / 1e6:g} MHz"))
    return found


def _stack(build: BuildResult, bench: Mapping[str, Any] | None) -> int | None:
    measured = bench["stack"] if bench else None
    return build.stack if measured is None else int(measured)


def _flash(build: BuildResult) -> list[Part]:
    sizes = build.sizes
    if build.elf is None:
        return []
    return [
        Part("weights, biases, tables", sizes["weights"], "packed at the width of their formats"),
        Part("network code", sizes["network_code"], f"{len(build.program.instances)} specialised kernels"),
        Part("layer parameters", sizes["network_params"], "sizes, strides, pointers"),
        Part("start-up and harness", sizes["other_flash"], "what runs the test here; your application has its own"),
    ]


def _ram(build: BuildResult, bench: Mapping[str, Any] | None) -> list[Part]:
    if build.elf is None:
        return []
    stack = _stack(build, bench)
    parts = [
        Part("arena", build.arena, "every tensor; planned and linked to the byte"),
        Part("other static data", build.ram - build.arena, "of the harness"),
    ]
    return [*parts, Part("stack", stack, "peak, measured")] if stack is not None else parts


def _rows(build: BuildResult, bench: Mapping[str, Any] | None) -> list[LayerRow]:
    chosen = {call.node.name: call.step for call in build.program.calls}
    measured = {row["layer"]: row for row in bench["layers"]} if bench else {}
    makers = {node.outputs[0]: node.name for node in build.program.graph.nodes}
    outputs = {node.name: node.outputs[0] for node in build.graph.nodes}
    rows = []
    for layer in layers(build.graph):
        out = outputs[layer.node]
        names = [makers[piece] for piece in build.program.pieces.get(out, (out,))]
        step, counts = chosen.get(names[0]), _sum([measured.get(name, {}) for name in names])
        row = layer_row(layer)
        if step is not None:
            row = replace(row, kernel=step.kernel, variant=step.variant, why=step.brief)
        rows.append(replace(row, instructions=counts.get("instructions"), cycles=counts.get("cycles_estimated")))
    return rows


def _sum(slices: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What all slices of a layer took together; without what was not measured."""
    keys = [key for key in ("instructions", "cycles_estimated") if all(s.get(key) is not None for s in slices)]
    return {key: sum(s[key] for s in slices) for key in keys}


def layer_row(layer: Layer) -> LayerRow:
    """A row of the table from what the graph says."""
    shapes = ", ".join("×".join(map(str, shape)) for shape in layer.inputs)
    return LayerRow(
        layer.layer,
        layer.op,
        f"{shapes} → {'×'.join(map(str, layer.output))}",
        layer.output_format,
        f"{', '.join(layer.formats)} → {layer.output_format}",
        layer.weights.get("weight", ""),
        layer.accumulator_bits,
        layer.macs,
        layer.constant_bytes,
        layer.output_bytes,
    )


def _facts(build: BuildResult, bench: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    found = [
        ("edgeq", __version__),
        ("board facts", build.board.source),
        ("compiler", f"{build.toolchain} {build.optimize}"),
        ("memory plan", f"{build.plan.method}{', no smaller one exists for this order' if build.plan.optimal else ''}"),
    ]
    if bench is not None and bench["instructions_method"]:
        found.append(("instructions", f"counted by {bench['instructions_method']}, in {bench['runner']}"))
        if bench["cycles_estimated"]:
            found.append(("time", "estimated by a simple model of the pipeline; an emulator has no clock"))
    return found
