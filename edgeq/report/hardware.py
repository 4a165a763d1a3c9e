"""What a network will need of an FPGA board, estimated before any tool runs; part of `edgeq inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeq.boards import Board
from edgeq.errors import EdgeqError
from edgeq.fpga.build import BORDER, part_labels
from edgeq.fpga.estimate import estimate, refuse_what_cannot_fit
from edgeq.fpga.latency import latency
from edgeq.fpga.lower import lower
from edgeq.fpga.protocol import network_shape
from edgeq.fpga.toolchain.families import device_of
from edgeq.fpga.toolchain.netlist import Usage
from edgeq.hls import timing
from edgeq.ir import Graph


@dataclass(frozen=True)
class Hardware:
    """Estimated usage by layer, `border` included; cycles of an inference in steady state and alone, the clock to try.

    kind: of the board, "fpga" or "hls".
    """

    layers: dict[str, Usage]
    cycles: dict[str, int]
    multipliers: int
    slowest: int
    latency: int
    clock_hz: int
    kind: str

    @property
    def total(self) -> Usage:
        """Of all layers."""
        return sum(self.layers.values(), Usage())

    def to_json(self) -> dict[str, Any]:
        """The object under `hardware` of `edgeq inspect --json`."""
        rows = [{"layer": n, "cycles": self.cycles.get(n), **u.to_json()} for n, u in self.layers.items()]
        return {
            "estimated": True,
            **self.total.to_json(),
            "multipliers": self.multipliers,
            "cycles_per_inference": self.slowest,
            "latency_cycles": self.latency,
            "clock_mhz": self.clock_hz / 1e6,
            "inferences_per_second": round(self.clock_hz / self.slowest, 1),
            "layers": rows,
        }


def hardware(net: Graph, board: Board) -> tuple[Hardware | None, str | None]:
    """The estimate, and in one line what is in the way (both where it is only too large)."""
    try:
        if board.fpga is not None:
            network_shape(net)  # its serial link carries one input and one output
        flow = lower(net, board)
    except EdgeqError as error:
        return None, str(error)
    labels, parts = part_labels(flow), estimate(flow, board)
    layers: dict[str, Usage] = {}
    for part, used in parts.items():
        label = labels.get(part, BORDER)
        layers[label] = layers.get(label, Usage()) + used
    hls = board.hls
    cycles: dict[str, int] = {}
    for stage in flow.stages:
        own = stage.cycles if hls is None else timing.stage_cycles(stage, flow)
        cycles[labels[stage.name]] = max(cycles.get(labels[stage.name], 0), own)
    slowest = flow.cycles if hls is None else timing.cycles(flow, hls.dma_bits)
    alone = latency(flow) if hls is None else timing.latency(flow, hls.dma_bits)
    found = Hardware(layers, cycles, flow.multipliers, slowest, alone, (hls or device_of(board)).target_hz, board.kind)
    try:
        refuse_what_cannot_fit(board, parts, labels)
    except EdgeqError as error:
        return found, str(error)
    return found, None
