"""Fit the cost model of edgeq/mcu/costs.py: count every kernel on many layers, write edgeq/mcu/costs.json.

    python benchmarks/fit_costs.py                     measure on six cores and fit (some minutes)
    python benchmarks/fit_costs.py cortex-m4 --dry     one core; print, write nothing
    python benchmarks/fit_costs.py --only pools        one group of operators; the others keep their coefficients
    python benchmarks/fit_costs.py --held-out          no fit: only the errors on the layers that were kept out of it

Every layer of benchmarks/cost_layers.py is run by every kernel that can run it: the layers of a group stand side by
side in one network, a copy for each kernel. The fit is least squares of the relative error
with coefficients of at least zero; layers that are kept out of it say how far it is off elsewhere ("held_out"). Their
counts are kept in benchmarks/results/costs.json, by which a test judges the choices. The last lines of each core say
how often the model would choose another kernel than the counts, and what that costs, and which kernels ever win.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import cost_layers  # noqa: E402
from benchmarks.cost_layers import GROUPS, HELD, layers  # noqa: E402
from edgeq.boards import Board, load_board  # noqa: E402
from edgeq.ir import Graph, analyse  # noqa: E402
from edgeq.mcu import costs  # noqa: E402
from edgeq.mcu.build import build, golden_sample  # noqa: E402
from edgeq.mcu.execute import measure  # noqa: E402
from edgeq.mcu.ops import KERNELS  # noqa: E402
from edgeq.mcu.ops._scaled import SCALED  # noqa: E402
from edgeq.mcu.select import Context, chosen_by_rank, preferred  # noqa: E402

BOARDS = ("cortex-m55", "cortex-m4", "cortex-m3", "cortex-m0", "riscv32", "riscv32e")
COSTS = ROOT / "edgeq" / "mcu" / "costs.json"
RESULTS = Path(__file__).parent / "results" / "costs.json"
Row = dict[str, Any]


def rivals(board: Board, net: Graph) -> dict[str, int]:
    """How many kernels can run a layer, by the name that cost_layers.py gives it: the most of its nodes."""
    ranges, found = analyse(net), dict[str, int]()
    for node in net.nodes:
        ctx = Context(net, node, ranges, frozenset(board.isa))
        variants = SCALED[node.op] if ctx.scaled else KERNELS[node.op]
        able = {v.kernel for v in variants if v.supports(ctx) is None}
        base = node.name.removeprefix(HELD).split(".")[0]
        base = f"{HELD}{base}" if node.name.startswith(HELD) else base
        found[base] = max(found.get(base, 1), len(able))
    return found


def count(board: str, group: str, scaled: bool, held_only: bool = False) -> list[Row]:
    """Every layer of a group by every kernel that runs it: key, terms, instructions. Each kernel runs a copy."""
    target = load_board(board)
    many = rivals(target, layers(group, scaled, held_only))
    net = layers(group, scaled, held_only, lambda name: many.get(name, 1))
    sample, ranges = golden_sample(net), analyse(net)
    with (
        tempfile.TemporaryDirectory(prefix="edgeq-costs-") as scratch,
        chosen_by_rank(lambda node: cost_layers.copied(node.name)[1]),
    ):
        made = build(net, target, Path(scratch, "net"))
        counts = measure(made, {n: sample[n][None] for n in net.inputs}, profile=True).counts
    assert counts is not None
    found: dict[tuple[str, str], Row] = {}
    for call in made.program.calls:
        (layer, rank), kernel = cost_layers.copied(call.node.name), call.step.kernel
        ctx = Context(net, call.node, ranges, frozenset(target.isa))
        row = {
            "layer": f"{'scaled ' if scaled else ''}{layer}",
            "held": layer.startswith(HELD),
            "rank": rank,
            "kernel": kernel,
            "key": costs.key(kernel, ctx),
            "terms": costs.terms(kernel, ctx),
            "instructions": counts.per_layer.get(call.index, 0),
        }
        found.setdefault((layer, kernel), row)
    print(f"{board}: {group} {'scaled' if scaled else 'fixed'}: {len(found)} counts", file=sys.stderr)
    return list(found.values())


def fitted(rows: list[Row], known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Coefficients of one kernel (the `known` ones, if there are) and its errors, also on the layers kept out."""
    seen = [r for r in rows if not r["held"]]
    found = least_squares(seen) if known is None else dict(known)
    held = [abs(guess(found, r) / r["instructions"] - 1) for r in rows if r["held"]]
    if held:
        found |= {"held_out": round(float(np.mean(held)), 3), "held_out_layers": len(held)}
    return found


def guess(model: dict[str, Any], row: Row) -> float:
    """What the model expects of a layer."""
    return float(sum(c * t for c, t in zip(model["coefficients"], row["terms"], strict=True)))


def least_squares(rows: list[Row]) -> dict[str, Any]:
    """The fit of some layers, by trying every set of terms; its error is the mean relative one on them."""
    x = np.array([r["terms"] for r in rows], dtype=np.float64)
    y = np.array([r["instructions"] for r in rows], dtype=np.float64)
    a = x / y[:, None]
    best, c = np.inf, np.zeros(a.shape[1])
    for size in range(1, len(c) + 1):
        for columns in map(list, combinations(range(len(c)), size)):
            some = np.linalg.lstsq(a[:, columns], np.ones(len(y)), rcond=1e-9)[0]
            off = float(((a[:, columns] @ some - 1) ** 2).sum())
            if some.min() >= 0 and off < best - 1e-12:
                best, c = off, np.zeros(len(c))
                c[columns] = some
    coefficients = [float(f"{v:.5g}") for v in c]
    return {"coefficients": coefficients, "error": round(float(np.abs(a @ c - 1).mean()), 3), "layers": len(rows)}


def several(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows of each layer that several kernels can run, in order of preference."""
    found = defaultdict(list)
    for row in sorted(rows, key=lambda r: r["rank"]):
        found[row["layer"]].append(row)
    return {layer: kernels for layer, kernels in found.items() if len(kernels) > 1}


def judged(rows: list[Row], models: dict[str, Any]) -> str:
    """How the model's choice and the order of preference compare with the best kernel of each layer."""
    best = order = model = right = 0
    for found in several(rows).values():
        least = min(r["instructions"] for r in found)
        taken = chosen(found, models)["instructions"]
        right += taken == least
        best, order, model = best + least, order + found[0]["instructions"], model + taken
    what = f"{len(several(rows))} layers with a choice, the best one taken in {right}"
    return f"{what}; instructions: best {best:,}, by the model {model:,}, by order {order:,}"


def chosen(found: list[Row], models: dict[str, Any]) -> Row:
    """As `edgeq.mcu.select.choose` does it; rows in order of preference."""
    guesses = []
    for row in found:
        model = models[row["key"]]
        error = max(model["error"], model.get("held_out", 0.0))
        guesses.append(costs.Estimate(round(guess(model, row)), error))
    return found[preferred(guesses)]


def won(rows: list[Row]) -> dict[str, dict[str, int]]:
    """For each form of layer: the kernels that were the best of a layer, and of how many."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for kernels in several(rows).values():
        best = min(kernels, key=lambda r: r["instructions"])
        found[best["key"].rsplit(" ", 1)[0]][best["kernel"]] += 1
    return {form: dict(sorted(wins.items(), key=lambda w: -w[1])) for form, wins in sorted(found.items())}


def main() -> int:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", default=list(BOARDS))
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--only", nargs="*", choices=list(GROUPS), default=list(GROUPS), help="groups of operators")
    parser.add_argument("--held-out", action="store_true", help="keep coefficients, measure their errors elsewhere")
    asked = parser.parse_args()
    for board in asked.boards:
        cores = costs.cores(frozenset(load_board(board).isa))
        assert cores is not None
        both = cost_layers.networks(asked.only, board)
        rows = [row for group, scaled in both for row in count(board, group, scaled, asked.held_out)]
        by_key = defaultdict(list)
        for row in rows:
            by_key[row["key"]].append(row)
        contested = {row["key"] for found in several(rows).values() for row in found}
        known = costs.recorded().get(cores, {}) if asked.held_out else {}
        models = {
            name: fitted(found, known.get(name))
            for name, found in sorted(by_key.items())
            if name in contested and (known or not all(r["held"] for r in found))
        }
        for name, model in models.items():
            print(
                f"{board:11} {name:58} {model['layers']:3} layers, error {100 * model['error']:5.1f} %, "
                f"{model.get('held_out_layers', 0)} beside, {100 * model.get('held_out', 0.0):5.1f} %"
            )
        for held in (False, True):
            part = [row for row in rows if row["held"] == held]
            print(f"{board}, {'kept out' if held else 'fitted'}: {judged(part, models)}", flush=True)
        print(*(f"{board}: best at {form}: {wins}" for form, wins in won(rows).items()), sep="\n", flush=True)
        if not asked.dry:
            write(cores, models, asked.only == list(GROUPS) and not asked.held_out)
            keep(board, rows)
    return 0


def write(group: str, models: dict[str, Any], whole: bool) -> None:
    """Put the models of one group of cores into costs.json; other cores, and operators not measured now, stay."""
    cores = json.loads(COSTS.read_text("utf-8"))["cores"] if COSTS.is_file() else {}
    cores[group] = dict(sorted({**({} if whole else cores.get(group, {})), **models}.items()))
    groups = []
    for name in sorted(cores):
        body = ",\n".join(f"   {json.dumps(k)}: {json.dumps(m)}" for k, m in cores[name].items())
        groups.append(f"  {json.dumps(name)}: {{\n{body}\n  }}")
    head = (
        '{\n "command": "python benchmarks/fit_costs.py",\n "terms": '
        + json.dumps({"pools and means": costs.WINDOWED, "others": costs.TERMS})
        + ',\n "cores": {\n'
    )
    put(COSTS, head + ",\n".join(groups) + "\n }\n}\n")


def keep(board: str, rows: list[Row]) -> None:
    """Put the counts of layers beside the fit, and the winners of all, into the results; the rest stays."""
    old = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    counts, wins = old.get("held_out", {}), old.get("best", {})
    counts.setdefault(board, {}).update(
        {
            layer: {r["kernel"]: r["instructions"] for r in found}
            for layer, found in several(rows).items()
            if found[0]["held"]
        }
    )
    wins.setdefault(board, {}).update(won(rows))
    lines = ['{\n "command": "python benchmarks/fit_costs.py"']
    for name, part in (("best", wins), ("held_out", counts)):
        boards = []
        for each in (b for b in BOARDS if b in part):
            body = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(part[each].items()))
            boards.append(f"  {json.dumps(each)}: {{\n{body}\n  }}")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(boards) + "\n }")
    put(RESULTS, ",\n".join(lines) + "\n}\n")


def put(path: Path, text: str) -> None:
    """Write beside, then rename."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
