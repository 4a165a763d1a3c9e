"""Fit the cost model of edgeq/mcu/costs.py: count every kernel on many layers, write edgeq/mcu/costs.json.

    python benchmarks/fit_costs.py                     measure on five cores and fit (some minutes)
    python benchmarks/fit_costs.py cortex-m4 --dry     one core; print, write nothing

Every layer is run by every kernel that can run it: all layers stand side by side in one network, which is built once
for each rank of preference. The fit is least squares of the relative error with coefficients of at least zero. The
last lines say how often the model would choose another kernel than the counts, and what that costs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import Maker, ScaledMaker  # noqa: E402
from edgeq.boards import load_board  # noqa: E402
from edgeq.ir import Graph, analyse  # noqa: E402
from edgeq.mcu import costs  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402
from edgeq.mcu.select import Context, chosen_by_rank  # noqa: E402

BOARDS = ("cortex-m55", "cortex-m4", "cortex-m3", "cortex-m0", "riscv32")
COSTS = ROOT / "edgeq" / "mcu" / "costs.json"
#: rows, columns, channels, filters, kernel, stride
WINDOWS = (
    (12, 12, 16, 16, 3, 1), (8, 8, 32, 32, 3, 1), (6, 6, 64, 64, 3, 1), (12, 12, 16, 32, 3, 2), (9, 9, 17, 19, 3, 1),
    (14, 14, 8, 8, 3, 1), (5, 5, 16, 64, 5, 1), (7, 7, 24, 12, 3, 1), (30, 1, 20, 24, (3, 1), 1),
)  # fmt: skip
FIRST = (
    (10, 10, 3, 16, 3, 1), (20, 8, 1, 32, (10, 4), 2), (16, 16, 3, 8, 3, 2), (20, 20, 3, 16, 3, 1),
    (16, 16, 1, 16, 3, 1), (14, 14, 2, 12, 3, 1), (12, 12, 1, 8, 5, 1), (16, 16, 3, 16, 5, 2),
    (25, 10, 1, 64, (10, 4), 2), (9, 9, 3, 32, 3, 1), (7, 7, 2, 5, 3, 1), (40, 6, 1, 16, (8, 3), 1),
)  # fmt: skip
POINTS = (
    (12, 12, 8, 16, 1, 1), (12, 12, 16, 32, 1, 2), (10, 10, 64, 64, 1, 1), (6, 6, 128, 96, 1, 1), (8, 8, 32, 10, 1, 1),
    (9, 9, 24, 40, 1, 1), (5, 5, 5, 7, 1, 1), (1, 20, 128, 32, 1, 1), (4, 4, 48, 64, 1, 1),
)  # fmt: skip
DEPTHWISE = (
    (12, 12, 16, 3, 1), (10, 10, 64, 3, 1), (8, 8, 32, 3, 2), (9, 9, 24, 3, 1), (8, 8, 16, 5, 1),
    (20, 1, 64, (5, 1), 1), (16, 1, 40, (15, 1), 1), (7, 7, 12, 3, 1), (14, 14, 8, 3, 2),
)  # fmt: skip
LINEAR = ((128, 128, 1), (320, 64, 1), (64, 10, 1), (64, 64, 16), (8, 128, 1), (256, 16, 1), (33, 17, 1), (24, 20, 5))
SHAPES = ((12, 12, 16), (8, 8, 40), (1, 1, 100), (5, 5, 3))


def layers(scaled: bool) -> Graph:
    """All layers side by side, each with an input and an output of its own."""
    m = ScaledMaker("layers") if scaled else Maker("layers")
    outs = []
    for i, (h, w, c, f, k, s) in enumerate((*WINDOWS, *POINTS, *FIRST)):
        pad = None if i % 3 else (0, 0, 0, 0)
        outs.append(m.conv(m.input(h, w, c), c, f, k, s, pad if k != 1 else None, name=f"conv{i}"))
    for i, (h, w, c, k, s) in enumerate(DEPTHWISE):
        pad = (0, 0, 0, 0) if k == (15, 1) else None
        outs.append(m.conv(m.input(h, w, c), c, c, k, s, pad, name=f"depthwise{i}", groups=c))
    for i, (n, o, rows) in enumerate(LINEAR):
        x = m.input(n) if rows == 1 else m.input(rows, n)
        outs.append(m.linear(x, n, o, name=f"linear{i}"))
    for i, shape in enumerate(SHAPES):
        outs.append(m.node("add", f"add{i}", [m.input(*shape), m.input(*shape)], lo=0))
        outs.append(m.node("mean", f"mean{i}", [m.input(*shape)], axes=(0, 1), keep_axes=0))
    return m.builder.build(outs)


def count(board: str, scaled: bool) -> list[dict[str, Any]]:
    """Every layer by every kernel that runs it: key, terms, instructions."""
    net, target = layers(scaled), load_board(board)
    ranges = analyse(net)
    contexts = {n.name: Context(net, n, ranges, frozenset(target.isa)) for n in net.nodes}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for rank in range(8):
        with chosen_by_rank(rank):
            measured = bench(net, target)
        before = len(found)
        for row in measured["layers"]:
            ctx = contexts[row["layer"]]
            found[row["layer"], row["kernel"]] = (
                {
                    "layer": f"{'scaled ' if scaled else ''}{row['layer']}",
                    "rank": rank,
                    "kernel": row["kernel"],
                    "key": costs.key(row["kernel"], ctx),
                    "terms": costs.terms(ctx),
                    "instructions": row["instructions"],
                }
                if (row["layer"], row["kernel"]) not in found
                else found[row["layer"], row["kernel"]]
            )
        print(f"{board}: {'scaled' if scaled else 'fixed'} rank {rank}: {measured['instructions']:,}", file=sys.stderr)
        if len(found) == before:
            break
    return list(found.values())


def fitted(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Coefficients of one kernel and its errors: least squares of the relative error, nothing below zero."""
    x = np.array([r["terms"] for r in rows], dtype=np.float64)
    y = np.array([r["instructions"] for r in rows], dtype=np.float64)
    a = x / y[:, None]
    scale = np.maximum(np.abs(a).max(axis=0), 1e-30)
    a /= scale
    c = np.zeros(a.shape[1])
    gram, right = a.T @ a + 1e-9 * np.eye(a.shape[1]), a.sum(axis=0)
    for _ in range(20000):  # coordinate descent on a small convex problem
        for i in range(len(c)):
            c[i] = max(0.0, c[i] + (right[i] - gram[i] @ c) / gram[i, i])
    error = np.abs(a @ c - 1)
    coefficients = [float(f"{v:.5g}") for v in c / scale]
    return {"coefficients": coefficients, "error": round(float(error.mean()), 3), "layers": len(rows)}


def judged(rows: list[dict[str, Any]], models: dict[str, Any]) -> str:
    """How the model's choice and the order of preference compare with the best kernel of each layer."""
    by_layer = defaultdict(list)
    for row in rows:
        by_layer[row["layer"]].append(row)
    best = order = model = several = 0
    for found in by_layer.values():
        several += len(found) > 1
        best += min(r["instructions"] for r in found)
        order += min(found, key=lambda r: r["rank"])["instructions"]
        model += chosen(found, models)["instructions"]
    return f"{several} layers with a choice; instructions: best {best:,}, by the model {model:,}, by order {order:,}"


def chosen(found: list[dict[str, Any]], models: dict[str, Any]) -> dict[str, Any]:
    """As `edgeq.mcu.select.choose` does it."""
    from edgeq.mcu.select import preferred

    ranked = sorted(found, key=lambda r: r["rank"])
    guesses = []
    for row in ranked:
        model = models[row["key"]]
        total = sum(c * t for c, t in zip(model["coefficients"], row["terms"], strict=True))
        guesses.append(costs.Estimate(round(total), model["error"]))
    return ranked[preferred(guesses)]


def main() -> int:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=list(BOARDS))
    parser.add_argument("--dry", action="store_true", help="write nothing")
    asked = parser.parse_args()
    for board in asked.boards:
        rows = [*count(board, False), *count(board, True)]
        by_key = defaultdict(list)
        for row in rows:
            by_key[row["key"]].append(row)
        models = {name: fitted(found) for name, found in sorted(by_key.items())}
        for name, model in models.items():
            print(f"{board:11} {name:52} {model['layers']:3} layers, error {100 * model['error']:5.1f} %")
        print(f"{board}: {judged(rows, models)}", flush=True)
        if not asked.dry:
            group = costs.cores(frozenset(load_board(board).isa))
            assert group is not None
            write(group, models)
    return 0


def write(group: str, models: dict[str, Any]) -> None:
    """Put the models of one group of cores into costs.json; the others stay."""
    cores = json.loads(COSTS.read_text("utf-8"))["cores"] if COSTS.is_file() else {}
    cores[group] = models
    groups = []
    for name in sorted(cores):
        body = ",\n".join(f"   {json.dumps(k)}: {json.dumps(m)}" for k, m in cores[name].items())
        groups.append(f"  {json.dumps(name)}: {{\n{body}\n  }}")
    head = (
        '{\n "command": "python benchmarks/fit_costs.py",\n "terms": ["1", "outputs", "macs", "reads"],\n "cores": {\n'
    )
    beside = COSTS.with_name(f".{COSTS.name}.{os.getpid()}")
    beside.write_text(head + ",\n".join(groups) + "\n }\n}\n", "utf-8")
    beside.replace(COSTS)


if __name__ == "__main__":
    sys.exit(main())
