"""Instructions, flash and RAM of whole networks against the recorded ones: a rise of more than 1 % is an error.

    python benchmarks/baseline.py --check                 compare with baseline.json; exit 1 where a figure rose
    python benchmarks/baseline.py --check --only dscnn,cortex-m4    networks and boards whose names hold a word
    python benchmarks/baseline.py --update                measure everything and write baseline.json

Networks: the shapes of benchmarks/networks.py, which need nothing, and the published MLPerf Tiny models where they are
(--models FOLDER). A board whose compiler is not the recorded one is left out, with that reason: other compilers make
other instructions. Exit 2 where nothing at all could be compared. Falls are never an error; --update records them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.networks import NETWORKS, SCALED  # noqa: E402
from edgeq.boards import load_board  # noqa: E402
from edgeq.errors import EdgeqError, ToolError  # noqa: E402
from edgeq.ir import Graph  # noqa: E402
from edgeq.mcu.bench import bench  # noqa: E402

BASELINE = Path(__file__).with_name("baseline.json")
MODELS = ROOT.parent / "shared" / "models"
BOARDS = ("cortex-m4", "cortex-m55", "cortex-m0", "riscv32")
#: the published models, by what a row calls them
PUBLISHED = {
    "MLPerf IC": "resnet8_cifar10_int8",
    "MLPerf KWS": "kws_dscnn_int8",
    "MLPerf AD": "ad01_int8",
    "MLPerf SWW": "streaming_wakeword_int8",
}
#: a figure may rise by this much and not more
ALLOWED = 0.01
FIGURES = ("instructions", "flash", "ram", "arena", "stack")
Figures = dict[str, Any]


def networks(models: Path = MODELS) -> dict[str, Callable[[], Graph]]:
    """Everything that can be measured here, by name."""
    found: dict[str, Callable[[], Graph]] = {**NETWORKS, **SCALED}
    for name, stem in PUBLISHED.items():
        path = models / f"{stem}.tflite"
        if path.is_file():
            found[name] = partial(_load, path)
    return found


def _load(path: Path) -> Graph:
    import edgeq

    return edgeq.load(path)


def compiler(board: str) -> str:
    """Name and version of the compiler that measures `board`; ToolError where it or QEMU is missing."""
    from edgeq.mcu.runners import pick_runner
    from edgeq.mcu.toolchains import find_toolchain

    target = load_board(board)
    pick_runner(target, "qemu")
    return find_toolchain(target, "gcc").version


def measure(net: Graph, board: str) -> Figures:
    """The figures of one network on one board, as baseline.json holds them."""
    found = bench(net, board, runner="qemu", toolchain="gcc")
    layers = {
        f"{row['index']:02} {row['op']} {'x'.join(map(str, row['shape']))}": [row["kernel"], row["instructions"]]
        for row in found["layers"]
    }
    return {"macs": found["macs"], **{key: found[key] for key in FIGURES}, "layers": layers}


def rises(name: str, old: Figures, new: Figures) -> Iterator[str]:
    """A line for each figure that is more than ALLOWED above the recorded one."""
    pairs: list[tuple[str, float, float]] = [(key, old[key], new[key]) for key in FIGURES]
    for layer, (kernel, count) in new["layers"].items():
        if layer in old["layers"]:
            before, most = old["layers"][layer]
            pairs.append((f"instructions of {layer} ({_kernels(before, kernel)})", most, count))
    for key, before, after in pairs:
        if after > before * (1 + ALLOWED):
            yield f"{name}: {key}: {before:,} -> {after:,} (+{100 * (after / before - 1) if before else 100:.1f} %)"


def _kernels(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"


def wanted(name: str, board: str, words: Sequence[str]) -> bool:
    """Whether the row is asked for: one of the words in the network's name, one in the board's, where any is given."""
    boards = [w for w in words if any(w in b for b in BOARDS)]
    names = [w for w in words if w not in boards]
    return (not boards or any(w in board for w in boards)) and (not names or any(w in name for w in names))


def check(
    recorded: Mapping[str, Any], models: Path = MODELS, words: Sequence[str] = (), say: Callable[[str], None] = print
) -> tuple[int, list[str], list[str]]:
    """Measure again: the number of rows compared, what rose, and why rows were left out."""
    makers, compared = networks(models), 0
    rose: list[str] = []
    left: list[str] = []
    for board in BOARDS:
        reason = _unlike(board, recorded["compilers"].get(board))
        if reason:
            left.append(f"{board}: {reason}")
            continue
        for name, rows in recorded["figures"].items():
            if board not in rows or not wanted(name, board, words):
                continue
            if name not in makers:
                left.append(f"{name} on {board}: the published model is not here")
                continue
            new = measure(makers[name](), board)
            found = list(rises(f"{name} on {board}", rows[board], new))
            say(f"{name} on {board}: {_change(rows[board], new)}{'; ROSE' if found else ''}")
            rose += found
            compared += 1
    return compared, rose, left


def _unlike(board: str, recorded: str | None) -> str | None:
    """Why the figures of a board cannot be compared here."""
    try:
        here = compiler(board)
    except ToolError as error:
        return str(error)
    return None if here == recorded else f"measured with {recorded}, here is {here}"


def _change(old: Figures, new: Figures) -> str:
    before, after = old["instructions"], new["instructions"]
    return f"{before:,} -> {after:,} instructions ({100 * (after / before - 1):+.2f} %)"


def update(recorded: Mapping[str, Any], models: Path, words: Sequence[str]) -> dict[str, Any]:
    """Measure what is asked for and can be; the rest keeps its figures."""
    figures: dict[str, dict[str, Figures]] = {n: dict(rows) for n, rows in recorded.get("figures", {}).items()}
    compilers = dict(recorded.get("compilers", {}))
    for board in BOARDS:
        for name, make in networks(models).items():
            if wanted(name, board, words):
                compilers[board] = compiler(board)
                figures.setdefault(name, {})[board] = measure(make(), board)
                print(f"{name} on {board}: {figures[name][board]['instructions']:,} instructions", file=sys.stderr)
    ordered = {n: figures[n] for n in (*NETWORKS, *SCALED, *PUBLISHED) if n in figures}
    return {"command": "python benchmarks/baseline.py --update", "compilers": compilers, "figures": ordered}


def written(data: Mapping[str, Any]) -> str:
    """JSON with one line for each layer, so that a change of one is a change of one line."""
    lines = [f' "command": {json.dumps(data["command"])},', ' "compilers": {']
    lines += _joined(f"  {json.dumps(b)}: {json.dumps(v)}" for b, v in data["compilers"].items())
    lines += [" },", ' "figures": {']
    networks = []
    for name, rows in data["figures"].items():
        boards = []
        for board, row in rows.items():
            plain = ", ".join(f'"{key}": {row[key]}' for key in ("macs", *FIGURES))
            layers = "\n".join(_joined(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in row["layers"].items()))
            boards.append(f'   "{board}": {{{plain}, "layers": {{\n{layers}\n   }}}}')
        networks.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(boards) + "\n  }")
    return "{\n" + "\n".join(lines) + "\n" + ",\n".join(networks) + "\n }\n}\n"


def _joined(items: Iterator[str]) -> list[str]:
    found = list(items)
    return [f"{item}," for item in found[:-1]] + found[-1:]


def main(given: Sequence[str] | None = None) -> int:
    """Check or update."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--update", action="store_true")
    parser.add_argument("--only", default="", help="words, separated by commas")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the published .tflite files")
    parser.add_argument("--file", type=Path, default=BASELINE)
    asked = parser.parse_args(given)
    words = [word for word in asked.only.split(",") if word]
    recorded = json.loads(asked.file.read_text("utf-8")) if asked.file.is_file() else {}
    try:
        if asked.update:
            text = written(update(recorded, asked.models, words))
            beside = asked.file.with_name(f".{asked.file.name}.{os.getpid()}")
            beside.write_text(text, "utf-8")
            beside.replace(asked.file)
            return 0
        if not recorded:
            print(f"{asked.file} is not there; --update makes it", file=sys.stderr)
            return 2
        compared, rose, left = check(recorded, asked.models, words)
    except EdgeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for line in left:
        print(f"not compared: {line}", file=sys.stderr)
    for line in rose:
        print(f"rose: {line}", file=sys.stderr)
    print(f"{compared} rows compared, {len(rose)} figures rose by more than {100 * ALLOWED:g} %")
    return 1 if rose else 0 if compared else 2


if __name__ == "__main__":
    sys.exit(main())
