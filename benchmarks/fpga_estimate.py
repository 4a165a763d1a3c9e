"""The estimate before synthesis beside real synthesis: a table of errors, and results/fpga_estimate.json.

    python benchmarks/fpga_estimate.py            synthesise DESIGNS and RANDOM random networks, compare, print
    python benchmarks/fpga_estimate.py --fit      fit edgeq/fpga/costs.json to FITTED first (synthesises those, too)
    python benchmarks/fpga_estimate.py --record   keep each row in results/fpga_estimate.json as soon as it is there
    python benchmarks/fpga_estimate.py --family ecp5 --random 4
    python benchmarks/fpga_estimate.py --minifloats [--fit] [--record]   the same for what only minifloats need: fits
                                                  costs of decoders and of rounding to minifloats, no others
    python benchmarks/fpga_estimate.py --projects FOLDER --fit    fit to what `fpga.py --keep FOLDER` left instead, and
                                                  say how far off it is there

Costs are fitted to designs of which none is among those that are compared: the errors are held out. LUTs and flip-flops
are those that synthesis counts, before place and route adds the few that it routes through.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import benchmarks.fpga as big  # noqa: E402
from benchmarks import amd_synthesis  # noqa: E402
from benchmarks.fpga import digits  # noqa: E402
from benchmarks.networks import ACTIVATION, khot, maker  # noqa: E402
from benchmarks.random_networks import random_network, random_options  # noqa: E402
from edgeq.boards import Board, load_board  # noqa: E402
from edgeq.formats import RULES, FixedPoint, KHot, Minifloat, minifloat  # noqa: E402
from edgeq.fpga.build import make_flow, part_labels, write_project  # noqa: E402
from edgeq.fpga.dataflow import Dataflow  # noqa: E402
from edgeq.fpga.estimate import MINIFLOAT_STAGE, cost_key, costs, estimate, features, stage_usage  # noqa: E402
from edgeq.fpga.lower import lower  # noqa: E402
from edgeq.fpga.toolchain import Project, Usage, family_of, find_toolset, synthesise  # noqa: E402
from edgeq.fpga.toolchain.flow import FILES, parts_of  # noqa: E402
from edgeq.fpga.toolchain.pll import choose_clock  # noqa: E402
from edgeq.ir import Graph, GraphBuilder  # noqa: E402
from edgeq.verify.random_formats import all_codes  # noqa: E402

COSTS = ROOT / "edgeq" / "fpga" / "costs.json"
RESULTS = Path(__file__).parent / "results" / "fpga_estimate.json"
MINIFLOAT_RESULTS = RESULTS.with_name("fpga_estimate_minifloats.json")
MINIFLOATS = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2")
BOARDS = {"ecp5": "ulx3s-85f", "ice40": "icebreaker", "gowin": "tang-nano-20k", "xilinx": "pynq-z2"}


def separable(
    activation: FixedPoint | Minifloat | None = ACTIVATION, width: int = 16, weight: Minifloat | None = None
) -> Graph:
    """A convolution, a depthwise and a pointwise one, a residual sum, the mean of each channel, a linear layer."""
    m = maker("separable", 8, activation)
    if weight is not None:
        m.weight, m.levels = weight, all_codes(weight)
    x = m.conv(m.input(12, 12, 2), 2, width, 3, 2, (0, 1, 0, 1), name="conv")
    y = m.conv(x, width, width, 3, name="depthwise", groups=width)
    y = m.conv(y, width, width, 1, name="pointwise", relu=False)
    x = m.node("add", "sum", [x, y], lo=0)
    x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
    return m.graph(m.linear(x, width, 4, name="fc"))


def in_minifloats(weights: str, activations: str, width: int) -> Graph:
    """The same with minifloats for weights and for everything that is computed."""
    return separable(minifloat(activations).per_tensor(4), width, minifloat(weights).per_tensor(6))


def stages_of_minifloats() -> Graph:
    """Sums and products from one minifloat to another: decoders of all widths, roundings of narrow and wide sums."""
    b, rules, count = GraphBuilder("minifloats"), tuple(RULES), len(MINIFLOATS)
    at, fmt = 0, minifloat(MINIFLOATS[0])
    x, channels = b.input("x", (8, 12, 4), fmt), 4
    for step in range(2 * count):
        if step == 3:  # what is smaller goes by in fewer lanes
            x, channels = b.node("slice", "less", [x], fmt, begin=(0,) * 3, end=(8, 12, 2), step=(1,) * 3), 2
        at, factor, greatest = (at + 1 + step // count) % count, FixedPoint(4 + step % 5, 0), max(fmt.grid_range)
        op, second, most = "add", x, 2
        if step % 3:
            most = max(factor.grid_range)
            op, second = "mul", b.constant(f"c{step}", [most, 1 - most] * (channels // 2), factor)
        # All of the next format's numbers are used: no sum is narrower than it looks.
        onward, point = minifloat(MINIFLOATS[at]), fmt.frac
        assert isinstance(point, int)
        fmt = onward.per_tensor(point + max(onward.grid_range).bit_length() - (greatest * most).bit_length())
        x = b.node(op, f"y{step}", [x, second], fmt, rounding=rules[step % 3])
    return b.build([x])


def one_digit() -> Graph:
    """The digits' network with K-hot weights of one digit."""
    return khot(digits(), KHot(8, 1))


@dataclass(frozen=True)
class Case:
    """A network folded in some way; options: of `lower`."""

    name: str
    network: partial[Graph]
    options: dict[str, Any] = field(default_factory=dict)
    families: tuple[str, ...] = ("ecp5", "ice40", "gowin", "xilinx")


BIG = ("ecp5", "gowin", "xilinx")
FITTED = (
    Case("separable", partial(separable), {"dsps": 6}),
    Case("separable, scaled", partial(separable, None), {"dsps": 16}, BIG),
    Case("digits, 24 products", partial(digits), {"dsps": 24}, BIG),
    Case("digits, 3 products", partial(digits), {"dsps": 3}, ("ecp5", "ice40")),
    Case("digits in logic, 4 bits", partial(digits, 4, FixedPoint(4, 4)), {"dsps": 12, "style": "lut"}),
    Case("digits in logic, 8 bits", partial(digits), {"dsps": 6, "style": "lut"}, ("ecp5", "xilinx")),
)
#: what the costs of `OF_MINIFLOATS` are fitted to, and nothing else is
FITTED_MINIFLOATS = (Case("stages of minifloats", partial(stages_of_minifloats), {"cycles": 200}),)
OF_MINIFLOATS = ("eq_decode", MINIFLOAT_STAGE)
#: designs of minifloats that are compared
MINIFLOAT_DESIGNS = (
    Case("separable in e2m1", partial(in_minifloats, "e2m1", "e2m1", 4), {"dsps": 6}),
    Case("separable, e2m1 and e4m3", partial(in_minifloats, "e2m1", "e4m3", 4), {"dsps": 12}),
    Case("separable in e3m2, in logic", partial(in_minifloats, "e3m2", "e3m2", 4), {"dsps": 6, "style": "lut"}),
)
DESIGNS = (
    Case("digits, 8 products", partial(digits), {"dsps": 8}),
    Case("digits in logic, 5 bits", partial(digits, 5, FixedPoint(5, 4)), {"dsps": 8, "style": "lut"}, ("ecp5",)),
    Case("digits of one digit, 8 products", partial(one_digit), {"dsps": 8, "style": "khot"}, ("ecp5",)),
    Case("separable, scaled, 8 products", partial(separable, None, 8), {"dsps": 8}, BIG),
    Case("separable, 24 channels", partial(separable, ACTIVATION, 24), {"dsps": 8}, ("ecp5",)),
)


#: random networks that are compared, and every how many of them also on the other families than the first
RANDOM, ELSEWHERE = 12, 3


def random_cases(count: int) -> tuple[Case, ...]:
    """Networks of `benchmarks/random_networks.py`, the same for the same count."""
    return tuple(
        Case(
            f"random {seed}",
            partial(random_network, seed),
            random_options(seed),
            ("ecp5",) if seed % ELSEWHERE != 1 else tuple(BOARDS),
        )
        for seed in range(count)
    )


@dataclass(frozen=True)
class Measured:
    """A case on a family: its dataflow and what synthesis says of each stage ("" is the border)."""

    case: Case
    family: str
    flow: Dataflow
    parts: dict[str, Usage]


def synthesised(case: Case, family: str) -> Measured:
    """Run synthesis for one case."""
    board = load_board(BOARDS[family])
    if family == "xilinx":
        flow = lower(case.network(), board, **case.options)
        return Measured(case, family, flow, amd_synthesis.synthesise(flow))
    assert board.fpga is not None
    tools, clock = find_toolset(family), choose_clock(board, board.fpga.target_hz)
    flow = lower(case.network(), board, **case.options)
    with tempfile.TemporaryDirectory(prefix="edgeq-estimate-") as scratch:
        project = write_project(flow, board, clock, tools, Path(scratch))
        return Measured(case, family, flow, synthesise(project, tools))


def kept(folder: Path) -> Iterator[Measured]:
    """The designs of benchmarks/fpga.py that were kept in a folder, with the netlists that synthesis left there."""
    for name, design in big.DESIGNS.items():
        graph, board = big.graph_of(design, big.MODELS), load_board(design.board)
        if graph is None or board.fpga is None or not (folder / name / FILES.netlist).is_file():
            continue
        clock = choose_clock(board, board.fpga.target_hz)
        options = {"inferences": None, "dsps": None, "style": None, **design.options}
        flow = make_flow(graph, board, clock, **options)
        project = write_nothing(flow, folder / name, board, clock.hz)
        parts = parts_of(project, FILES.netlist, family_of(board).synthesised)
        yield Measured(Case(name, partial(big.digits)), board.fpga.family, flow, parts)


def write_nothing(flow: Dataflow, folder: Path, board: Board, hz: int) -> Project:
    """The project of a folder that is there already."""
    return Project(folder, board, "top", f"{flow.name}_core", tuple(part_labels(flow)), (), hz / 1e6)


def measure(cases: Sequence[Case], families: Sequence[str]) -> Iterator[Measured]:
    """Synthesise all; a line of progress each."""
    for case in cases:
        for family in families:
            if family in case.families:
                started = time.monotonic()
                found = synthesised(case, family)
                print(f"{family}: {case.name}: synthesised in {time.monotonic() - started:.0f} s", file=sys.stderr)
                yield found


def fit(measured: Sequence[Measured]) -> dict[str, Any]:
    """family -> module -> "luts", "ffs" -> feature -> cost; "other" is fitted to all modules without their own."""
    rows: dict[tuple[str, str], list[tuple[dict[str, float], Usage]]] = {}
    for found in measured:
        for stage in found.flow.stages:
            row = (features(found.flow, stage), found.parts[stage.name])
            rows.setdefault((found.family, cost_key(stage)), []).append(row)
            rows.setdefault((found.family, "other"), []).append((plain(row[0]), row[1]))
    made: dict[str, Any] = {}
    for (family, module), samples in sorted(rows.items()):
        names = sorted({name for sample, _ in samples for name in sample})
        matrix = np.array([[sample.get(name, 0.0) for name in names] for sample, _ in samples])
        for key in ("luts", "ffs"):
            counts = np.array([float(used.to_json()[key]) for _, used in samples])
            fitted = dict(zip(names, (round(float(c), 4) for c in not_negative(matrix, counts)), strict=True))
            made.setdefault(family, {}).setdefault(module, {})[key] = {n: c for n, c in fitted.items() if c}
    return made


def merged(known: dict[str, Any], made: dict[str, Any], only_minifloats: bool) -> dict[str, Any]:
    """Costs with those of a fit in place of older ones, module by module; or only those of `OF_MINIFLOATS`."""
    found = {family: dict(modules) for family, modules in known.items()}
    for family, modules in made.items():
        wanted = {key: costs for key, costs in modules.items() if (key in OF_MINIFLOATS) is only_minifloats}
        found[family] = dict(sorted({**found.get(family, {}), **wanted}.items()))
    return found


def plain(sample: dict[str, float]) -> dict[str, float]:
    """The features that every module has."""
    return {name: sample[name] for name in ("one", "width")}


def not_negative(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Least squares without negative coefficients; small stages weigh as much as large ones, nearly."""
    from scipy.optimize import nnls

    weight = 1 / np.sqrt(counts + 20)
    solution, _ = nnls(matrix * weight[:, None], counts * weight)
    return np.asarray(solution)


def compare(found: Measured) -> dict[str, Any]:
    """Estimate and truth of one design, in all and for the worst layer."""
    board = load_board(BOARDS[found.family])
    started = time.perf_counter()
    if found.family == "xilinx":  # of the Verilog itself; what differs in C++ cannot be measured
        guessed = {stage.name: stage_usage(found.flow, stage, found.family) for stage in found.flow.stages}
    else:
        guessed = estimate(found.flow, board)
    seconds = time.perf_counter() - started
    real, guess = (sum(parts.values(), Usage()).to_json() for parts in (found.parts, guessed))
    return {
        "design": found.case.name,
        "family": found.family,
        "real": real,
        "estimate": guess,
        "error": {key: round(guess[key] / real[key] - 1, 3) if real[key] else None for key in real},
        "cycles": found.flow.cycles,
        "seconds": round(seconds, 4),
    }


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    for row in rows:
        cells = (
            f"{key} {row['estimate'][key]:,} for {row['real'][key]:,} ({row['error'][key] or 0:+.0%})"
            for key in row["real"]
        )
        print(f"{row['family']:6} {row['design']:32} {'; '.join(cells)}")
    for key, found in errors(rows).items():
        print(f"{key}: mean error {found['mean']:.1%}, largest {found['largest']:.1%} of {found['designs']} designs")


def main() -> int:
    """Fit if asked to, compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the costs first")
    parser.add_argument("--family", action="append", choices=sorted(BOARDS), help="only these families")
    parser.add_argument("--random", type=int, default=RANDOM, metavar="N", help="how many random networks")
    parser.add_argument("--minifloats", action="store_true", help="costs and designs of minifloats instead")
    parser.add_argument("--projects", type=Path, help="fit to the designs that fpga.py kept here")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    options = parser.parse_args()
    families = options.family or list(BOARDS)
    if options.fit:
        known = json.loads(COSTS.read_text("utf-8"))
        fitted = FITTED_MINIFLOATS if options.minifloats else FITTED
        measured = list(kept(options.projects) if options.projects else measure(fitted, families))
        COSTS.write_text(json.dumps(merged(known, fit(measured), options.minifloats), indent=1) + "\n", "utf-8")
        costs.cache_clear()
    if options.projects:
        show([compare(found) for found in kept(options.projects)])
        return 0
    rows = []
    designs = MINIFLOAT_DESIGNS if options.minifloats else (*DESIGNS, *random_cases(options.random))
    for found in measure(designs, families):
        rows.append(compare(found))
        if options.record:
            record(MINIFLOAT_RESULTS if options.minifloats else RESULTS, rows[-1])
    show(rows)
    return 0


def record(path: Path, row: dict[str, Any]) -> None:
    """Put one row into the results in place of an older one of that design, and say the errors of all anew."""
    known = json.loads(path.read_text("utf-8"))["designs"] if path.is_file() else []
    same = (row["family"], row["design"])
    rows = [old for old in known if (old["family"], old["design"]) != same] + [row]
    found = {family: errors([r for r in rows if r["family"] == family]) for family in sorted(BOARDS)}
    path.write_text(json.dumps({"errors": found, "designs": rows}, indent=1) + "\n", "utf-8")


def errors(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each resource: mean and largest absolute error, as a part of the truth, and of how many designs."""
    made: dict[str, Any] = {}
    for key in ("luts", "ffs", "dsps", "brams"):
        found = [abs(row["error"][key]) for row in rows if row["error"][key] is not None]
        if found:
            made[key] = {"mean": round(float(np.mean(found)), 3), "largest": max(found), "designs": len(found)}
    return made


if __name__ == "__main__":
    sys.exit(main())
