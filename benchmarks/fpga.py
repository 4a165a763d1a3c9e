"""Networks on FPGA boards, placed and routed: a table, and results/fpga.json.

    python benchmarks/fpga.py                      every design of DESIGNS
    python benchmarks/fpga.py digits-icebreaker    these designs
    python benchmarks/fpga.py --record             write the figures of these designs into results/fpga.json

Each figure comes from the post-route netlist and timing report, cycles from the simulated Verilog. The networks have
the shapes of MLPerf Tiny and random weights (benchmarks/networks.py); the published int8 models are built as well where
they are (--models FOLDER). A large design takes many minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.baseline import MODELS  # noqa: E402
from benchmarks.networks import ACTIVATION, Maker, dscnn, maker, resnet8  # noqa: E402
from edgeq.formats import FixedPoint  # noqa: E402
from edgeq.fpga.build import build  # noqa: E402
from edgeq.fpga.manifest import figures  # noqa: E402
from edgeq.ir import Graph  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "fpga.json"


def digits(bits: int = 8, activation: FixedPoint | None = ACTIVATION) -> Graph:
    """Two convolutions and a linear layer on 8 x 8 images: 26 k MACs."""
    m: Maker = maker("digits", bits, activation)
    x = m.conv(m.input(8, 8, 1), 1, 8, 3, name="conv1")
    x = m.conv(x, 8, 16, 3, 2, name="conv2")
    x = m.builder.node("reshape", "flat", [x], m.builder.values[x].format, shape=(256,))
    return m.graph(m.linear(x, 256, 10, name="fc"))


@dataclass(frozen=True)
class Design:
    """A network on a board. options: of `edgeq.fpga.build.build`; model: file of a published model, or None."""

    board: str
    network: Callable[[], Graph] | None
    model: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


#: four-bit weights and activations
W4A4 = {"bits": 4, "activation": FixedPoint(4, 4)}
DESIGNS: dict[str, Design] = {
    "digits-icebreaker": Design("icebreaker", digits),
    "digits-tang-nano-9k": Design("tang-nano-9k", digits),
    "digits-ulx3s": Design("ulx3s-85f", digits, options={"dsps": 16}),
    "dscnn-colorlight-i5": Design("colorlight-i5", dscnn),
    "resnet8-ulx3s": Design("ulx3s-85f", resnet8),
    "resnet8-w4a4-lut-ulx3s": Design(
        "ulx3s-85f", partial(resnet8, **W4A4), options={"style": "lut", "inferences": 1250}
    ),
    # beyond the board's multiplier blocks: some layers in logic
    "resnet8-mixed-ulx3s": Design("ulx3s-85f", resnet8, options={"inferences": 1250}),
    "mlperf-ic-ulx3s": Design("ulx3s-85f", None, "resnet8_cifar10_int8.tflite"),
    "mlperf-kws-colorlight-i5": Design("colorlight-i5", None, "kws_dscnn_int8.tflite"),
}


def graph_of(design: Design, models: Path) -> Graph | None:
    """The network; None where its file is not there."""
    if design.network is not None:
        return design.network()
    import edgeq

    path = models / (design.model or "")
    return edgeq.load(path) if path.is_file() else None


def tell(name: str, phase: str) -> None:
    """Show what is going on in one line."""
    print(f"\r{name}: {phase:60}", end="", file=sys.stderr, flush=True)


def measure(name: str, models: Path, keep: Path | None) -> dict[str, Any] | None:
    """Figures of one design; None where its model is not there."""
    design = DESIGNS[name]
    graph = graph_of(design, models)
    if graph is None:
        return None
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeq-fpga-") as scratch:
        out = (keep or Path(scratch)) / name
        made = build(graph, design.board, out, progress=partial(tell, name), **design.options)
    print(file=sys.stderr)
    return {"board": design.board, **figures(made), "seconds": round(time.monotonic() - started)}


def row(name: str, found: dict[str, Any]) -> str:
    """The figures of a design in words."""
    uses = f"{found['luts']:,} LUTs, {found['ffs']:,} flip-flops, {found['dsps']} DSPs, {found['brams']} block RAMs"
    speed = f"{found['fmax_mhz']} MHz reached, runs at {found['clock_mhz']} MHz"
    cycles = f"{found['cycles_per_inference']:,} cycles an inference, {found['inferences_per_second']:,}/s"
    more = f"latency {found['latency_cycles']:,} cycles, {found['macs_per_cycle']} MACs a cycle"
    return f"{name}: {uses}; {speed}; {cycles}, {more}; built in {found['seconds']} s"


def main() -> int:
    """Build what is asked for; print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("designs", nargs="*", metavar="DESIGN", help=f"of {', '.join(DESIGNS)}")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the published .tflite files")
    parser.add_argument("--keep", type=Path, help="keep the projects in this folder")
    parser.add_argument("--record", action="store_true", help=f"write the figures into {RESULTS.name}")
    options = parser.parse_args()
    unknown = set(options.designs) - DESIGNS.keys()
    if unknown:
        parser.error(f"unknown design {', '.join(sorted(unknown))}; there are {', '.join(DESIGNS)}")
    for name in options.designs or DESIGNS:
        found = measure(name, options.models, options.keep)
        if found is None:
            print(f"{name}: the model's file is not there")
            continue
        print(row(name, found))
        if options.record:
            recorded = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
            RESULTS.write_text(json.dumps({**recorded, name: found}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
