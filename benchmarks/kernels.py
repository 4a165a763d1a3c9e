"""Instructions of each kernel, portable against the core's own: a table, and results/kernels.json.

    python benchmarks/kernels.py                       cortex-m4
    python benchmarks/kernels.py cortex-m4 cortex-m55  these boards
    python benchmarks/kernels.py --only conv           layers whose name holds the word

Every row is built and counted twice in one run: with the board's instruction set features and without. Counts are of
one inference of a network of that one layer, by the QEMU plugin, exact and repeatable; cycles are an estimate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import NETWORKS, Maker  # noqa: E402
from edgeq.boards import Board, load_board  # noqa: E402
from edgeq.formats import FixedPoint  # noqa: E402
from edgeq.ir import Graph  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "kernels.json"
U8 = FixedPoint(8, 4, False)


def conv(
    size: tuple[int, int], channels: int, filters: int, kernel: int | tuple[int, int], stride: int = 1, **kw: Any
) -> Callable[[], Graph]:
    """A network of one convolution; groups: "each" for a depthwise one."""

    def make() -> Graph:
        m = Maker("one", kw.get("bits", 8), kw.get("activation", FixedPoint(8, 4)))
        groups = channels if kw.get("depthwise") else 1
        x = m.input(*size, channels)
        return m.graph(m.conv(x, channels, filters, kernel, stride, name="layer", groups=groups))

    return make


def linear(inputs: int, outputs: int, rows: int = 1, bits: int = 8) -> Callable[[], Graph]:
    """A network of one linear layer."""

    def make() -> Graph:
        m = Maker("one", bits)
        x = m.input(inputs) if rows == 1 else m.input(rows, inputs)
        return m.graph(m.linear(x, inputs, outputs, name="layer"))

    return make


def bytes_only(op: str, *shape: int, **attrs: Any) -> Callable[[], Graph]:
    """A network of one operator without weights."""

    def make() -> Graph:
        m = Maker("one")
        x = m.input(*shape)
        operands = [x, m.builder.input("x2", shape, FixedPoint(8, 5))] if op in ("add", "sub") else [x]
        return m.graph(m.node(op, "layer", operands, **attrs))

    return make


LAYERS: dict[str, Callable[[], Graph]] = {
    "conv 3x3 16>16, 32x32": conv((32, 32), 16, 16, 3),
    "conv 3x3 32>32, 16x16": conv((16, 16), 32, 32, 3),
    "conv 3x3 64>64, 8x8": conv((8, 8), 64, 64, 3),
    "conv 3x3 64>64, 8x8, u8": conv((8, 8), 64, 64, 3, activation=U8),
    "conv 3x3 16>32 stride 2, 32x32": conv((32, 32), 16, 32, 3, 2),
    "conv 3x3 3>16, 32x32": conv((32, 32), 3, 16, 3),
    "conv 3x3 1>16, 32x32": conv((32, 32), 1, 16, 3),
    "conv 10x4 1>64 stride 2, 49x10": conv((49, 10), 1, 64, (10, 4), 2),
    "conv 3x3 17>19, 9x9": conv((9, 9), 17, 19, 3),
    "conv 1x1 8>16, 24x24": conv((24, 24), 8, 16, 1),
    "conv 1x1 16>32 stride 2, 32x32": conv((32, 32), 16, 32, 1, 2),
    "conv 1x1 64>64, 25x5": conv((25, 5), 64, 64, 1),
    "conv 1x1 128>128, 8x8": conv((8, 8), 128, 128, 1),
    "depthwise 3x3 64, 25x5": conv((25, 5), 64, 64, 3, depthwise=True),
    "depthwise 3x3 16, 24x24": conv((24, 24), 16, 16, 3, depthwise=True),
    "depthwise 3x3 32 stride 2, 24x24": conv((24, 24), 32, 32, 3, 2, depthwise=True),
    "linear 128>128": linear(128, 128),
    "linear 640>128": linear(640, 128),
    "linear 64>10": linear(64, 10),
    "linear 64>64, 16 rows": linear(64, 64, 16),
    "conv 3x3 32>32, 16x16, 4-bit weights": conv((16, 16), 32, 32, 3, bits=4),
    "linear 128>128, 4-bit weights": linear(128, 128, bits=4),
    "add, 32x32x16": bytes_only("add", 32, 32, 16, lo=0),
    "requantise, 32x32x16": bytes_only("requantise", 32, 32, 16, lo=0),
    "mean, 8x8x64": bytes_only("mean", 8, 8, 64, axes=(0, 1), keep_axes=0),
    "average_pool 2x2, 16x16x32": bytes_only(
        "average_pool", 16, 16, 32, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0), include_pad=1
    ),
    "max_pool 2x2, 16x16x32": bytes_only(
        "max_pool", 16, 16, 32, kernel=(2, 2), stride=(2, 2), padding=(0, 0, 0, 0), dilation=(1, 1)
    ),
}


def count(net: Graph, board: Board) -> dict[str, Any]:
    """What one inference costs, and by which kernels."""
    found = bench(net, board)
    return {
        "kernels": sorted({row["kernel"] for row in found["layers"]}),
        **{k: found[k] for k in ("instructions", "cycles_estimated", "flash", "ram", "stack")},
    }


def row(name: str, net: Graph, board: Board) -> dict[str, Any]:
    """One measured layer: with the features of the board, and without."""
    from edgeq.ir import operator

    macs = sum(operator(n.op, n.name).macs(n, net.ins(n), net.outs(n)) for n in net.nodes)
    units = macs or sum(net.outs(n)[0].size for n in net.nodes)
    return {
        "layer": name,
        "macs": macs,
        "outputs": sum(net.outs(n)[0].size for n in net.nodes),
        "per": "MAC" if macs else "output",
        "units": units,
        "fast": count(net, board),
        "portable": count(net, replace(board, isa=())),
    }


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table, one line a row."""
    yield f"{'layer':38} {'kernel':20} {'portable':>10} {'fast':>10} {'times':>6} {'cycles*':>8}  per"
    for r in rows:
        slow, fast = r["portable"]["instructions"], r["fast"]["instructions"]
        cycles = r["fast"]["cycles_estimated"]
        estimate = f"{cycles / r['units']:8.2f}" if cycles else "       -"
        kernels = r["fast"]["kernels"]
        kernel = kernels[0] if len(kernels) == 1 else f"{len(kernels)} kernels"
        yield (
            f"{r['layer']:38} {kernel:20} {slow / r['units']:10.3f} {fast / r['units']:10.3f} "
            f"{slow / fast:6.2f} {estimate}  {r['per']}"
        )


def main() -> None:
    """Count, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=["cortex-m4"])
    parser.add_argument("--only", default="")
    parser.add_argument("--no-networks", action="store_true")
    asked = parser.parse_args()
    networks = {} if asked.no_networks else {f"network {n}": make for n, make in NETWORKS.items()}
    wanted = {n: make for n, make in {**LAYERS, **networks}.items() if asked.only in n}
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    for name in asked.boards:
        board = load_board(name)
        rows = []
        for i, (layer, make) in enumerate(wanted.items(), start=1):
            if sys.stderr.isatty():
                print(f"\r{name}: {i}/{len(wanted)} {layer:40}", end="", file=sys.stderr, flush=True)
            rows.append(row(layer, make(), board))
        print("\r" if sys.stderr.isatty() else "", end="", file=sys.stderr)
        print(f"{name}: instructions for each unit of the last column; * estimated, by a model of the M4's pipeline")
        print("\n".join(lines(rows)))
        if not asked.only and not asked.no_networks:
            results[name] = rows
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
