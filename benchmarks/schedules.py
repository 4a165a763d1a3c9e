"""RAM against work: every schedule on the Pareto front of a network, and with --measure instructions of some of them.

    python benchmarks/schedules.py                                 MobileNetV2 0.35 at 144 x 144, both ways of input
    python benchmarks/schedules.py resnet8 --board cortex-m4       another network, another board's kernels
    python benchmarks/schedules.py resnet8 --board cortex-m4 --measure
    python benchmarks/schedules.py --patches                       schedules by patches too (minutes)
    python benchmarks/schedules.py mobilenet_v2_step1 --measure --budget 16k
    python benchmarks/schedules.py --patches --plot docs/scheduling.svg

The arena is the planned one, that of a built image to the byte. MACs are those of the network times the factor; extra
work is the planner's estimate of instructions beside the kernels (rows moved, kernels called). --measure builds the
layer-by-layer image, the one by rows and the one with pushed rows, and counts instructions on the emulated board. With
--budget the only image is the one with pushed rows that `edgeq build --budget-ram` makes, its every tensor is compared
with the emulator's, and no front is printed. --plot draws the fronts, and what --measure and --budget counted before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import dscnn, mobilenet_v2, resnet8  # noqa: E402
from edgeq.boards import load_board  # noqa: E402
from edgeq.commands.schedule import size  # noqa: E402
from edgeq.errors import EdgeqError  # noqa: E402
from edgeq.ir import Graph, operator  # noqa: E402
from edgeq.mcu import program  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402
from edgeq.mcu.bench import measured as bench_of  # noqa: E402
from edgeq.mcu.build import build  # noqa: E402
from edgeq.verify import verify  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "schedules.json"
NETWORKS: dict[str, Callable[[], Graph]] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v2_step1": lambda: mobilenet_v2(step=1),
    "resnet8": resnet8,
    "dscnn": dscnn,
}


#: ways of input and kinds of schedules that fronts are of, and their colours
CASES = {
    "image in the arena": "#7a8699",
    "image in the arena, by patches": "#3f9b6c",
    "rows pushed": "#3b7ddd",
    "rows pushed, by patches": "#e08a1e",
}


def macs_of(graph: Graph) -> int:
    """Multiply-accumulates of a network."""
    return sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)


def front(graph: Graph, board: str, pushed: bool, kind: str) -> list[dict[str, Any]]:
    """The points from least work to least RAM."""
    target = load_board(board)
    rows, macs = [], macs_of(graph)
    for found in program.front(graph, target, pushed=pushed, kind=kind):
        names = [n for s in found.stretches for n in s.nodes]
        rows.append(
            {
                "arena": found.bytes,
                "extra_work": round(found.work),
                "mac_factor": 1 + found.macs / macs,
                "by_rows": len(names),
            }
        )
    return rows


def measured(graph: Graph, board: str) -> dict[str, Any]:
    """Linked arena and instructions of three schedules."""
    found = {}
    for name, options in (
        ("layers", {"schedule": "layers"}),
        ("rows", {"schedule": "rows"}),
        ("pushed", {"schedule": "rows", "push_rows": True}),
    ):
        try:
            made = bench(graph, board, **options)  # type: ignore[arg-type]
        except EdgeqError as error:
            found[name] = {"error": str(error)}
            continue
        found[name] = {key: made[key] for key in ("arena", "ram", "flash", "instructions", "cycles_estimated")}
    return found


def within(graph: Graph, board: str, budget: int) -> dict[str, Any]:
    """What a build with pushed rows takes of so many bytes of RAM, and whether it computes what the emulator does."""
    with tempfile.TemporaryDirectory() as folder:
        made = build(graph, board, Path(folder, "net"), budget_ram=budget, push_rows=True)
        result = verify(graph, made, random=1)
        row = bench_of(made)
    keys = ("arena", "ram", "stack", "flash", "instructions", "cycles_estimated", "schedule")
    found = {key: row[key] for key in keys}
    same = {"equal": result.equal, "tensors": result.tensors, "values": result.values}
    return {**found, "mac_factor": made.program.macs / macs_of(graph), **same}


def report(name: str, board: str, measure: bool, patches: bool, budget: int | None) -> dict[str, Any]:
    """The figures of one network, printed and returned."""
    graph = NETWORKS[name]()
    macs = macs_of(graph)
    if budget is not None:
        row = within(graph, board, budget)
        print(f"{name}, kernels of {board}, within {budget:,} bytes of RAM: {row}")
        return {f"within {budget}": row}
    whole = program.make_program(graph, load_board(board)).plan.arena_bytes
    found: dict[str, Any] = {"macs": macs, "layers_arena": whole}
    print(f"{name}, {macs:,} MACs, kernels of {board}: layer by layer {whole:,} bytes of arena")
    for title in (title for title in CASES if patches or "patches" not in title):
        pushed, kind = title.startswith("rows"), "patches" if "patches" in title else "rows"
        found[title] = front(graph, board, pushed, kind)
        print(f"  {title}:\n    {'arena':>9} {'MACs':>6} {'extra work':>11} {'nodes by rows':>14}")
        for row in found[title]:
            print(f"    {row['arena']:>9,} {row['mac_factor']:>6.2f} {row['extra_work']:>11,} {row['by_rows']:>14}")
    if measure:
        found["measured"] = measured(graph, board)
        for title, row in found["measured"].items():
            print(f"  {title}: {row}")
    return found


def plot(name: str, found: dict[str, Any], path: Path) -> None:
    """Draw RAM against work: points of the planner in its own estimate, counted builds as stars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(7.2, 4.4))
    counted = found.get("measured", {})
    builds = [counted[key] for key in ("layers", "rows", "pushed") if "instructions" in counted.get(key, {})]
    builds += [row for key, row in found.items() if key.startswith("within")]
    base = counted.get("layers", {}).get("instructions", found["macs"])
    for (title, colour), marker in zip(CASES.items(), "o^sd", strict=True):
        if title in found:
            x = [row["arena"] / 1024 for row in found[title]]
            y = [(base + row["extra_work"]) / 1e6 for row in found[title]]
            axis.step(x, y, where="post", color=colour, linewidth=0.8, alpha=0.6)
            axis.plot(x, y, marker, color=colour, markersize=4, label=f"{title}, planned")
    if builds:
        x, y = [row["arena"] / 1024 for row in builds], [row["instructions"] / 1e6 for row in builds]
        axis.plot(x, y, "*", color="#b0303a", markersize=10, label="built and counted")
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("arena, KiB")
    axis.set_ylabel("million instructions of an inference")
    axis.set_title(f"{name}: RAM against work", fontsize=10)
    axis.grid(alpha=0.25, which="both")
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    # no date, so that the same figures give the same file
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="mobilenet_v2", choices=list(NETWORKS))
    parser.add_argument("--board", default="cortex-m4")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--patches", action="store_true")
    parser.add_argument("--budget", type=size, metavar="BYTES")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw all that is known of the network, .svg or .png")
    options = parser.parse_args()
    found = report(options.network, options.board, options.measure, options.patches, options.budget)
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    key = f"{options.network} {options.board}"
    kept[key] = {**kept.get(key, {}), **found}  # what was measured before stays
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    if options.plot:
        plot(options.network, kept[key], options.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
