"""Instructions of convolutions with packed weights and minifloats against int8: a table, and results/narrow.json.

    python benchmarks/narrow.py                        cortex-m4
    python benchmarks/narrow.py cortex-m4 cortex-m55   these boards
    python benchmarks/narrow.py --only 1x1             layers whose name holds the word; nothing is saved
    python benchmarks/narrow.py --formats E3M2 MXFP4   these formats; the others keep their recorded counts

Each layer is built and counted in every format, one network each; counts are exact (the QEMU plugin). Flash is
the bytes of the layer's constants; RAM that of the network: input, output, scratch and stack.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import window  # noqa: E402
from edgeq.boards import Board, load_board  # noqa: E402
from edgeq.formats import NAMED, FixedPoint, Format, Minifloat, grouped  # noqa: E402
from edgeq.ir import Graph, GraphBuilder  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "narrow.json"
INT8 = "int8"
#: name -> activations, weights
FORMATS: dict[str, tuple[Format, FixedPoint | Minifloat]] = {
    INT8: (FixedPoint(8, 4), FixedPoint(8, 6)),
    "W4A8": (FixedPoint(8, 4), FixedPoint(4, 3)),
    "W2A8": (FixedPoint(8, 4), FixedPoint(2, 1)),
    "E2M1": (NAMED["e2m1"], NAMED["e2m1"]),
    "E2M3": (NAMED["e2m3"], NAMED["e2m3"]),
    "E3M2": (NAMED["e3m2"], NAMED["e3m2"]),
    "E4M3": (NAMED["e4m3"], NAMED["e4m3"]),
    "MXFP4": (FixedPoint(8, 4), NAMED["e2m1"]),
    "MXFP6": (FixedPoint(8, 4), NAMED["e3m2"]),
    "MXINT8": (FixedPoint(8, 4), FixedPoint(8, 6)),
}
#: of them weights with a scale for each group of so many input channels, and how far apart those lie
GROUP, SPREAD = 32, 6
#: name -> rows and columns, channels, filters, kernel
LAYERS = {
    "3x3 32>32, 16x16": (16, 32, 32, 3),
    "3x3 64>64, 8x8": (8, 64, 64, 3),
    "1x1 32>32, 16x16": (16, 32, 32, 1),
    "1x1 64>64, 16x16": (16, 64, 64, 1),
}


def layer(x: Format, weight: FixedPoint | Minifloat, shape: tuple[int, int, int, int], group: int = 0) -> Graph:
    """A convolution with a bias and a ReLU, whose weights take every code but the least of fixed point.

    group: input channels that share a scale; 0: one scale for all.
    """
    size, channels, filters, kernel = shape
    rng, builder = np.random.default_rng(0), GraphBuilder("one")
    lo, hi = weight.code_range
    least = lo if isinstance(weight, Minifloat) else lo + 1
    codes = rng.integers(least, hi, (filters, kernel, kernel, channels), endpoint=True)
    if isinstance(weight, Minifloat):
        # Codes behind that of the greatest number stand for none.
        sign, top = 1 << (weight.bits - 1), int(weight.from_grid(np.array([weight.max_magnitude]))[0])
        codes = np.minimum(codes & (sign - 1), top) | codes & sign
    fmt: Format = weight
    if group:
        scales = rng.integers(0, SPREAD, (filters, kernel, kernel, -(-channels // group)))
        scales[:, 0, 0, 0] = 0
        fmt = grouped(weight, group, scales)
    operands = [builder.input("x", (size, size, channels), x), builder.constant("w", codes, fmt)]
    assert isinstance(x.frac, int)
    assert isinstance(weight.frac, int)
    bias = rng.integers(-100, 100, (filters,))
    operands.append(builder.constant("b", bias, FixedPoint(16, x.frac + weight.frac)))
    # As a trained layer has it: the sums of random weights are about as wide as the output.
    up = round(np.log2(np.sqrt(channels * kernel * kernel)) + np.log2(max(weight.grid_range[1], 1)))
    out = x.per_tensor(x.frac + weight.frac - up)
    # The rules that recipes leave unset: ties of minifloats go to the even one.
    rule = "half_even" if isinstance(x, Minifloat) else "half_up"
    made = builder.node("conv", "layer", operands, out, lo=0, rounding=rule, **window(kernel, 1, None, 1))
    return builder.build([made])


def count(name: str, shape: tuple[int, int, int, int], board: Board) -> dict[str, Any]:
    """One layer in one format: kernel, instructions, bytes."""
    net = layer(*FORMATS[name], shape, GROUP if name.startswith("MX") else 0)
    found = bench(net, board)
    row = found["layers"][0]
    size, channels, filters, kernel = shape
    return {
        "format": name,
        "kernel": row["kernel"],
        "instructions": row["instructions"],
        "per_mac": round(row["instructions"] / (size * size * channels * filters * kernel * kernel), 3),
        "constants": row["weight_bytes"],
        "ram": found["ram"],
    }


def lines(name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each format of a layer; times: the instructions of int8."""
    one = rows[0]["instructions"]
    for r in rows:
        yield (
            f"{name:18} {r['format']:6} {r['kernel']:22} {r['instructions']:10,} {r['per_mac']:7.3f} "
            f"{r['instructions'] / one:6.3f} {r['constants'] or 0:8,} {r['ram']:8,}"
        )


def main() -> None:
    """Count, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=["cortex-m4"])
    parser.add_argument("--only", default="")
    parser.add_argument("--formats", nargs="*", choices=list(FORMATS), default=list(FORMATS))
    asked = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    wanted = {name: shape for name, shape in LAYERS.items() if asked.only in name}
    for name in asked.boards:
        board = load_board(name)
        heads = f"{'instr.':>10} {'per MAC':>7} {'times':>6} {'flash':>8} {'RAM':>8}"
        print(f"{'layer, ' + name:18} {'':6} {'kernel':22} {heads}")
        for title, shape in wanted.items():
            known = {row["format"]: row for row in results.get(name, {}).get(title, [])}
            known |= {each: count(each, shape, board) for each in asked.formats}
            rows = [known[each] for each in FORMATS if each in known]
            print("\n".join(lines(title, rows)), flush=True)
            results.setdefault(name, {})[title] = rows
    if not asked.only:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
