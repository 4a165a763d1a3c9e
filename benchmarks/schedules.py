"""RAM against work: every schedule on the Pareto front of a network, and with --measure instructions of some of them.

    python benchmarks/schedules.py                                 MobileNetV2 0.35 at 144 x 144, both ways of input
    python benchmarks/schedules.py resnet8 --board cortex-m4       another network, another board's kernels
    python benchmarks/schedules.py resnet8 --board cortex-m4 --measure
    python benchmarks/schedules.py --fused                         plans with fused blocks too (minutes)

The arena is the planned one, that of a built image to the byte, but for fused blocks, which firmware does not run yet;
there a tile's kernels are taken to need the scratch of a row's. MACs are those of the network times the factor; extra
work is the planner's estimate of instructions beside the kernels (rows moved, kernels called). --measure builds the
layer-by-layer image, the one by rows and the one with pushed rows, and counts instructions on the emulated board.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import dscnn, mobilenet_v2, resnet8  # noqa: E402
from edgeq.boards import load_board  # noqa: E402
from edgeq.errors import EdgeqError  # noqa: E402
from edgeq.ir import Graph, operator  # noqa: E402
from edgeq.mcu import program  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "schedules.json"
NETWORKS: dict[str, Callable[[], Graph]] = {
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v2_step1": lambda: mobilenet_v2(step=1),
    "resnet8": resnet8,
    "dscnn": dscnn,
}


#: columns of the tiles of fused steps, which firmware does not run yet
TILES = (2, 4, 6, 9, 12, 18)


def macs_of(graph: Graph) -> int:
    """Multiply-accumulates of a network."""
    return sum(operator(n.op, n.name).macs(n, graph.ins(n), graph.outs(n)) for n in graph.nodes)


def front(graph: Graph, board: str, pushed: bool, tiles: Sequence[int] = ()) -> list[dict[str, Any]]:
    """The points from least work to least RAM."""
    target = load_board(board)
    rows, macs = [], macs_of(graph)
    for found in program.front(graph, target, pushed=pushed, tiles=tiles):
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


def report(name: str, board: str, measure: bool, fused: bool) -> dict[str, Any]:
    """The figures of one network, printed and returned."""
    graph = NETWORKS[name]()
    macs = macs_of(graph)
    whole = program.make_program(graph, load_board(board)).plan.arena_bytes
    found: dict[str, Any] = {"macs": macs, "layers_arena": whole}
    print(f"{name}, {macs:,} MACs, kernels of {board}: layer by layer {whole:,} bytes of arena")
    cases: list[tuple[str, bool, Sequence[int]]] = [("image in the arena", False, ()), ("rows pushed", True, ())]
    if fused:
        cases.append(("rows pushed, blocks fused (plan only)", True, TILES))
    for title, pushed, tiles in cases:
        found[title] = front(graph, board, pushed, tiles)
        print(f"  {title}:\n    {'arena':>9} {'MACs':>6} {'extra work':>11} {'nodes by rows':>14}")
        for row in found[title]:
            print(f"    {row['arena']:>9,} {row['mac_factor']:>6.2f} {row['extra_work']:>11,} {row['by_rows']:>14}")
    if measure:
        found["measured"] = measured(graph, board)
        for title, row in found["measured"].items():
            print(f"  {title}: {row}")
    return found


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="mobilenet_v2", choices=list(NETWORKS))
    parser.add_argument("--board", default="cortex-m4")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--fused", action="store_true")
    options = parser.parse_args()
    found = report(options.network, options.board, options.measure, options.fused)
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    key = f"{options.network} {options.board}"
    kept[key] = {**kept.get(key, {}), **found}  # what was measured before stays
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
