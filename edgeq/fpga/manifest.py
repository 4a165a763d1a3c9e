"""manifest.json of an FPGA build: what it holds, what it uses, how fast it is; for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeq import __version__
from edgeq.folders import KIND
from edgeq.fpga.dataflow import multipliers, style_of
from edgeq.fpga.toolchain.families import device_of
from edgeq.fpga.toolchain.toolset import Toolset
from edgeq.ir import operator

if TYPE_CHECKING:
    from edgeq.fpga.build import FpgaBuild

VERSION = 1


def make_manifest(result: FpgaBuild, tools: Toolset) -> dict[str, Any]:
    """The manifest as a JSON object; paths in it are relative to the project."""
    return {
        "kind": KIND,
        "version": VERSION,
        "edgeq": __version__,
        "network": result.graph.name,
        "name": result.flow.name,
        "board": result.board.name,
        "part": device_of(result.board).part,
        "toolchain": tools.name,
        **figures(result),
        "bitstream": result.made.path.name,
        "inputs": list(result.graph.inputs),
        "outputs": list(result.graph.outputs),
        "stages": [
            {"stage": stage.name, "module": stage.module, "node": stage.node, "cycles": stage.cycles}
            | result.made.parts[stage.name].to_json()
            for stage in result.flow.stages
        ],
    }


def figures(result: FpgaBuild) -> dict[str, Any]:
    """The figures that build and bench print: usage, clock, cycles, layers."""
    made, timing, clock = result.made, result.timing, result.clock
    fpga = device_of(result.board)
    cycles = timing.cycles if timing else None
    return {
        **made.used.to_json(),
        "available": {key: getattr(fpga, key) for key in ("luts", "ffs", "dsps", "brams")},
        "fmax_mhz": round(made.fmax_mhz, 2),
        "clock_mhz": clock.hz / 1e6,
        "slowest_path": list(result.slowest),
        "cycles_per_inference": cycles,
        "latency_cycles": timing.latency if timing else None,
        "simulator": timing.simulator if timing else None,
        "inferences_per_second": round(clock.hz / cycles, 1) if cycles else None,
        "multipliers": result.flow.multipliers,
        "macs": macs(result),
        "macs_per_cycle": round(macs(result) / cycles, 2) if cycles else None,
        "tools": made.tools,
        "layers": layers(result),
    }


def layers(result: FpgaBuild) -> list[dict[str, Any]]:
    """One row a layer: its operators, the cycles of its slowest stage by count, post-route usage and speed."""
    stages, ops = result.stages_by_layer(), {node.name: node.op for node in result.graph.nodes}
    rows, speeds = [], result.speeds
    for name, used in result.layers.items():
        here = stages.get(name, [])
        row: dict[str, Any] = {
            "layer": name,
            "op": ", ".join(dict.fromkeys(ops[stage.node] for stage in here if stage.node)),
            "cycles": max((stage.cycles for stage in here), default=None),
            "multipliers": sum(multipliers(stage) for stage in here),
            "style": ", ".join(dict.fromkeys(filter(None, map(style_of, here)))) or None,
        }
        mhz = speeds.get(name)
        rows.append(row | used.to_json() | {"fmax_mhz": None if mhz is None else round(mhz, 2)})
    return rows


def macs(result: FpgaBuild) -> int:
    """Multiply–accumulates of one inference."""
    graph = result.graph
    return sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)
