"""Instructions and RAM of packed codes against our own 8-bit kernels, layer by layer: a table, and results/packed.json.

    python benchmarks/packed.py                          cortex-m4
    python benchmarks/packed.py cortex-m4 cortex-m55     these boards
    python benchmarks/packed.py --only "conv 3x3"        layers whose name holds the words

W4A4 stands for weights of 4 bits and codes of 4 bits. Every row is a network of one layer, input and output in the
arena: codes of up to 4 bits once in a byte each and once packed (`--packing none` and `all`). Counts are of one
inference by the QEMU plugin, exact and repeatable. `ram` is the arena.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import Maker  # noqa: E402
from edgeq.boards import load_board  # noqa: E402
from edgeq.formats import FixedPoint  # noqa: E402
from edgeq.ir import Graph  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "packed.json"
#: bits of weights and of codes, the first what the others are compared with
WIDTHS = ((8, 8), (4, 4), (2, 2), (4, 2), (2, 4), (8, 4), (4, 8))
#: what a row is known by
KEY = ("board", "layer", "widths", "packing")
Layer = Callable[[Maker], str]


def conv(size: int, channels: int, kernel: int, groups: int = 1) -> Layer:
    """A convolution that keeps size and channels."""
    return lambda m: m.conv(m.input(size, size, channels), channels, channels, kernel, name="layer", groups=groups)


def element(op: str, *shape: int, **attrs: Any) -> Layer:
    """One operator without weights."""

    def make(m: Maker) -> str:
        operands = [m.input(*shape)]
        if op == "add":
            operands.append(m.builder.input("x2", shape, m.activation))
        return m.node(op, "layer", operands, **attrs)

    return make


POOL = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0)}
LAYERS: dict[str, Layer] = {
    "conv 3x3 32>32, 16x16": conv(16, 32, 3),
    "conv 3x3 64>64, 8x8": conv(8, 64, 3),
    "conv 1x1 32>32, 16x16": conv(16, 32, 1),
    "conv 1x1 64>64, 16x16": conv(16, 64, 1),
    "depthwise 3x3 32, 16x16": conv(16, 32, 3, 32),
    "linear 128>64": lambda m: m.linear(m.input(128), 128, 64, name="layer"),
    "add, 16x16x32": element("add", 16, 16, 32, lo=0),
    "max_pool 2x2, 16x16x32": element("max_pool", 16, 16, 32, **POOL, dilation=(1, 1)),
    "average_pool 2x2, 16x16x32": element("average_pool", 16, 16, 32, **POOL, include_pad=1),
}


def network(layer: Layer, weight: int, codes: int) -> Graph:
    """One layer at these widths."""
    m = Maker("one", weight, FixedPoint(codes, 4))
    return m.graph(layer(m))


def measure(name: str, board: str, packings: tuple[str, ...] = ("none", "all")) -> list[dict[str, Any]]:
    """The rows of one layer."""
    rows: list[dict[str, Any]] = []
    target = load_board(board)
    for weight, codes, packing in ((*widths, p) for p in packings for widths in WIDTHS):
        graph = network(LAYERS[name], weight, codes)
        weighted = any(value.constant for value in graph.values.values())
        if (not weighted and weight != codes) or (codes == 8 and packing == "all" and rows):
            continue
        found = bench(graph, target, packing=packing)
        units = found["macs"] or graph.values[graph.outputs[0]].size
        row = {
            "layer": name,
            "board": board,
            "packing": packing,
            "widths": f"W{weight}A{codes}" if weighted else f"A{codes}",
            "kernels": sorted({layer["kernel"] for layer in found["layers"]}),
            "instructions": found["instructions"],
            "each": round(found["instructions"] / units, 3),
            "unit": "MAC" if found["macs"] else "output",
            "ram": found["arena"],
            "flash": found["flash"],
        }
        row["ratio"] = round(row["instructions"] / (rows[0] if rows else row)["instructions"], 3)
        rows.append(row)
        print(
            f"{board} {name:28} {row['widths']:5} {packing:4} {row['instructions']:>11,}  "
            f"{row['each']:>7.3f}/{row['unit']:6} "
            f"x{row['ratio']:<6.3f} RAM {row['ram']:>6,}  flash {row['flash']:>6,}  {', '.join(row['kernels'])}",
            flush=True,
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=["cortex-m4"])
    parser.add_argument("--only", default="", help="layers whose name holds these words")
    parser.add_argument("--packing", action="append", choices=("none", "all"), help="only this one")
    parser.add_argument("--json", action="store_true", help="write results/packed.json")
    args = parser.parse_args()
    rows = [
        row
        for board in args.boards
        for name in LAYERS
        if args.only in name
        for row in measure(name, board, tuple(args.packing or ("none", "all")))
    ]
    if args.json:
        kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else []
        new = {tuple(r[k] for k in KEY) for r in rows}
        rows = [r for r in kept if tuple(r[k] for k in KEY) not in new] + rows
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
