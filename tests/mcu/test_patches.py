"""Firmware by patches, of blocks and of parts: every tensor equals the emulator's, and the arena is the plan's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeq.boards import load_board
from edgeq.errors import BudgetError, InputError, ToolError
from edgeq.formats import NAMED, FixedPoint, Format
from edgeq.ir import Graph
from edgeq.mcu.build import BuildResult, build
from edgeq.mcu.fit import STATIC_RESERVE, scheduled
from edgeq.mcu.host import available_host_compilers
from edgeq.mcu.program import make_program
from edgeq.mcu.scheduling import Schedule
from tests.mcu.test_schedule import OTHERS, emulated_here, wrong
from tests.schedule.test_stream import S8, W4, Maker, maps

needs_cc = pytest.mark.skipif(not available_host_compilers(), reason="no C compiler on this computer")


class Blocks(Maker):
    """Inverted blocks whose windows stride along rows and columns."""

    def one(self, x: str, out: int) -> str:
        w = self.g.constant("w", self.rng.integers(-8, 8, (out, 1, 1, self.g.values[x].shape[-1])), W4)
        b = self.g.constant("b", self.rng.integers(-20, 20, out), FixedPoint(8, 2))  # not zero where padding is
        window = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
        return self.g.node("conv", "one", [x, w, b], self.fmt, groups=1, **window)

    def window(self, x: str, stride: int) -> str:
        channels = self.g.values[x].shape[-1]
        w = self.g.constant("w", self.rng.integers(-8, 8, (channels, 3, 3, 1)), W4)
        window = {"stride": (stride, stride), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
        return self.g.node("conv", "dw", [x, w], self.fmt, groups=channels, **window)

    def block(self, x: str, wide: int, out: int, stride: int = 1) -> str:
        return self.one(self.window(self.one(x, wide), stride), out)


def net(width: int = 23, wide: int = 24, stride: int = 2, seed: int = 5, fmt: FixedPoint = S8) -> Graph:
    """A depthwise pair, an inverted block that strides, one with a skip branch, and a tail that is no rows."""
    m = Blocks(seed, (15, width, 3))
    m.fmt = fmt
    x = m.one(m.window(m.conv(m.x, 8, 3, 1, (1, 1)), 1), 4)
    x = m.block(x, wide, 6, stride)
    x = m.g.node("add", "join", [m.block(x, wide, 6), x], fmt)
    return m.g.build([m.g.node("mean", "mean", [x], S8, axes=(0, 1), keep_axes=0)])


def plain(stride: int = 2, seed: int = 6, fmt: Format = S8) -> Graph:
    """Convolutions over several channels, a skip branch whose window is smaller than the other's, a pool; no blocks."""
    m = Blocks(seed, (17, 71, 3))
    m.fmt = fmt
    x = m.conv(m.x, 8, 3, 1, (1, 1))
    x = m.conv(x, 16, 3, stride, (1, 1))
    y = m.conv(m.conv(x, 16, 3, 1, (1, 1)), 16, 3, 1, (1, 1))
    x = m.g.node("add", "join", [y, x], fmt)
    x = m.conv(m.pool("max_pool", x, 3, 1, (1, 1)), 2, 1, 1, (0, 0))
    return m.g.build([m.g.node("mean", "mean", [x], S8, axes=(0, 1), keep_axes=0)])


def only(monkeypatch: pytest.MonkeyPatch, grid: tuple[int, int] | None) -> None:
    """Parts by so many patches, or blocks in tiles, are all that the planner knows beside rows."""
    monkeypatch.setattr("edgeq.mcu.program.TILES" if grid else "edgeq.mcu.program.GRIDS", ())
    if grid:
        monkeypatch.setattr("edgeq.mcu.program.GRIDS", (grid,))


GRIDS = [(5, 6), pytest.param((3, 6), marks=pytest.mark.heavy), pytest.param((2, 9), marks=pytest.mark.heavy)]


@needs_cc
@pytest.mark.parametrize("push", [True, False])
@pytest.mark.parametrize("grid", GRIDS)
def test_parts_by_patches_equal_the_emulator_under_the_sanitizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grid: tuple[int, int], push: bool
) -> None:
    graph = plain()
    only(monkeypatch, grid)
    made = build(graph, "host", tmp_path / "net", schedule="patches", push_rows=push)
    (patches,) = (patches for stretch in made.plan.stretches for patches in stretch.fused)
    assert patches.grid == grid
    assert any(node.op == "slice" for node in patches.graph.nodes)
    assert patches.size[1] % patches.tile[1], "the last patches are shifted back"
    assert made.warnings == ()
    assert wrong(made, graph) == []
    assert wrong(made, graph, sanitize=True) == []
    assert made.arena < make_program(graph, load_board("host"), Schedule("rows", None, push)).plan.arena_bytes
    assert made.program.macs > make_program(graph, load_board("host")).macs


@pytest.mark.sample(2)
@needs_cc
@pytest.mark.parametrize("push", [True, False])
def test_fused_blocks_equal_the_emulator_under_the_sanitizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, push: bool
) -> None:
    graph = net()
    only(monkeypatch, None)
    made = build(graph, "host", tmp_path / "net", schedule="patches", push_rows=push)
    fused = [patches for stretch in made.plan.stretches for patches in stretch.fused]
    assert sorted(len(patches.nodes) for patches in fused) == ([2, 3, 4] if push else [2, 3])
    assert made.warnings == ()
    assert wrong(made, graph) == []
    assert wrong(made, graph, sanitize=True) == []
    rows = make_program(graph, load_board("host"), Schedule("rows", None, push))
    assert made.arena < rows.plan.arena_bytes
    assert made.program.macs > rows.macs


def recompiled(made: BuildResult, pattern: str, by: str) -> None:
    """The library of a build whose source was changed in one place."""
    source = made.path / f"{made.program.name}.c"
    text, count = re.subn(pattern, by, source.read_text(), count=1)
    assert count == 1
    source.write_text(text)
    assert made.library is not None
    available_host_compilers()[0].library(made.path, made.program.name, made.library)


def differs(made: BuildResult, graph: Graph) -> bool:
    """Whether a build is seen to differ: by its tensors, or by codes that are made twice and are not the same."""
    try:
        return wrong(made, graph) != []
    except ToolError as error:
        return "anew" in str(error)


@needs_cc
def test_a_wrong_tile_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equality can fail: padding that is left out, and a code that differs from one tile to the next."""
    graph = net()
    only(monkeypatch, None)
    made = build(graph, "host", tmp_path / "net", schedule="patches", push_rows=True)
    recompiled(made, r"eq_tile_border\(&maps\[1\], a, row, column\);", "")
    assert wrong(made, graph)
    again = build(graph, "host", tmp_path / "again", schedule="patches", push_rows=True)
    kernel = r"(_params, x, a \+ (\d+)u\);\n\s*)eq_tile_border"
    recompiled(again, kernel, r"\1a[\2] = (uint8_t)(a[\2] ^ (uint8_t)(tile & 1)); eq_tile_border")
    with pytest.raises(ToolError, match="anew"):
        wrong(again, graph)


@needs_cc
@pytest.mark.parametrize(
    ("what", "by"),
    [(r"(eq_tile_take\(.*, from, first) *\);", r"\1 - 1);"), (r"(eq_tile_cut\(a \+ \d+u, a \+ \d+)u", r"\1u + 1u")],
)
def test_a_wrong_part_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, by: str) -> None:
    """Equality can fail: a patch that is taken a row too low, and a skip branch that is cut out a byte too late."""
    only(monkeypatch, (5, 6))
    graph = plain()
    made = build(graph, "host", tmp_path / "net", schedule="patches")
    recompiled(made, what, by)
    assert differs(made, graph)


@pytest.mark.heavy
@needs_cc
def test_the_selftest_knows_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, None)
    made = build(net(), "host", tmp_path / "net", schedule="patches", push_rows=True)
    name = made.program.name
    files = [f"{name}.c", f"{name}_weights.c", f"{name}_selftest.c", "port/selftest_main.c"]
    command = [*available_host_compilers()[0].command, "-DEDGEQ_SELFTEST_LAYERS", "-o", "selftest", *files]

    def told() -> str:
        subprocess.run(command, check=True, cwd=made.path)
        return subprocess.run(["./selftest"], cwd=made.path, capture_output=True, text=True, check=False).stdout

    assert "self-test passed" in told()
    inside = next(call for call in made.program.calls if call.inside)
    weights = made.path / f"{name}_weights.c"
    text = weights.read_text()
    start = text.index("{", text.index(f"{name}_{inside.constants['weight'].c_name}["))
    number = re.search(r"-?\d+", text[start:])
    assert number is not None
    at = start + number.start()
    weights.write_text(text[:at] + str(int(number[0]) ^ 3) + text[at + len(number[0]) :])
    assert f"first wrong step: {inside.node.name}" in told()


@pytest.mark.parametrize("board", ["cortex-m4", *OTHERS])
@pytest.mark.parametrize("make", [net, plain])
def test_on_boards_the_linked_arena_is_the_planned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, make: Callable[[], Graph]
) -> None:
    if not emulated_here(board):
        pytest.skip(f"no compiler or emulator for {board}")
    only(monkeypatch, (5, 6) if make is plain else None)
    graph = make()
    made = build(graph, board, tmp_path / "net", schedule="patches", push_rows=make is net)
    assert any(stretch.fused for stretch in made.plan.stretches)
    assert made.arena == made.plan.arena_bytes
    assert made.ram < made.arena + 640  # the image that the harness pushes is not counted
    assert wrong(made, graph, samples=2) == []


def test_a_budget_turns_to_fused_blocks_by_itself() -> None:
    graph, board = net(), load_board("host")
    rows = make_program(graph, board, Schedule("rows", None, True))
    least = make_program(graph, board, Schedule("patches", None, True))
    assert least.plan.arena_bytes < rows.plan.arena_bytes
    free = scheduled(graph, load_board("host"), "auto", True, None)
    assert not any(stretch.fused for stretch in free.plan.stretches), "without a limit nothing is computed twice"
    loose = scheduled(graph, board, "auto", True, rows.plan.arena_bytes + STATIC_RESERVE)
    assert not any(stretch.fused for stretch in loose.plan.stretches)
    tight = scheduled(graph, board, "auto", True, least.plan.arena_bytes + STATIC_RESERVE)
    assert tight.plan.arena_bytes <= least.plan.arena_bytes
    assert "patches of" in tight.reason
    assert "done again" in tight.reason
    with pytest.raises(BudgetError, match=f"the least is {least.plan.arena_bytes} bytes"):
        make_program(graph, board, Schedule("patches", least.plan.arena_bytes - 8, True))


def test_a_factor_of_macs_bounds_what_is_computed_again(tmp_path: Path) -> None:
    graph, board = net(31, 40), load_board("host")
    macs = make_program(graph, board).macs
    found = [scheduled(graph, board, "auto", True, None, mac_factor=factor) for factor in (1, 1.15, 1.6, 9)]
    arenas = [program.plan.arena_bytes for program in found]
    assert arenas == sorted(arenas, reverse=True)
    assert len(set(arenas)) > 2
    assert found[0].macs == macs < found[1].macs <= 1.15 * macs < found[2].macs <= 1.6 * macs
    assert arenas[-1] == make_program(graph, board, Schedule("patches", None, True)).plan.arena_bytes
    for wrong_factor in (0.99, float("nan")):
        with pytest.raises(InputError, match="give 1 or more"):
            scheduled(graph, board, "auto", True, None, mac_factor=wrong_factor)
    with pytest.raises(InputError, match="by itself"):
        build(graph, "host", tmp_path / "net", schedule="rows", mac_factor=1.2)


@needs_cc
@pytest.mark.heavy
@pytest.mark.parametrize(("fmt", "packing"), [(S8, "none"), (FixedPoint(4, 1), "all")])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(3, 30), wide=st.integers(1, 20), stride=st.integers(1, 2), seed=st.integers(0, 99))
def test_random_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    fmt: FixedPoint,
    packing: str,
    width: int,
    wide: int,
    stride: int,
    seed: int,
) -> None:
    graph = net(width, wide, stride, seed, fmt)
    folder = tmp_path_factory.mktemp("patches") / "net"
    with pytest.MonkeyPatch.context() as monkeypatch:
        only(monkeypatch, None)
        made = build(graph, "host", folder, schedule="patches", push_rows=True, packing=packing)
    assert wrong(made, graph, samples=2) == []


@pytest.mark.heavy
@pytest.mark.parametrize("fmt", [FixedPoint(4, 1), FixedPoint(2, 0), NAMED["e2m1"].per_tensor(-2), FixedPoint(16, 6)])
@pytest.mark.parametrize("board", ["host", "cortex-m4", "cortex-m55", "riscv32"])
def test_parts_of_other_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, fmt: Format) -> None:
    """Maps whose codes share bytes, whose padding is no zero byte, or that take two bytes."""
    if board != "host" and not emulated_here(board):
        pytest.skip(f"no compiler or emulator for {board}")
    only(monkeypatch, (5, 6))
    graph = plain(fmt=fmt)
    made = build(graph, board, tmp_path / "net", schedule="patches", packing="all")
    assert any(stretch.fused for stretch in made.plan.stretches)
    assert wrong(made, graph, samples=2) == []


@needs_cc
@pytest.mark.heavy
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=maps(), grid=st.tuples(st.integers(1, 4), st.integers(1, 4)), push=st.booleans())
def test_random_graphs_by_patches(
    tmp_path_factory: pytest.TempPathFactory,
    graph: Graph,
    grid: tuple[int, int],
    push: bool,
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        only(monkeypatch, grid)
        made = build(graph, "host", tmp_path_factory.mktemp("patches") / "net", schedule="patches", push_rows=push)
    assert wrong(made, graph, samples=2) == []


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("board", ["cortex-m4", "cortex-m55", "riscv32"])
def test_random_blocks_and_parts_on_emulated_boards(tmp_path: Path, board: str, seed: int) -> None:
    """Whatever the planner takes of tiles and patches, for the least RAM and between that and rows."""
    if not emulated_here(board):
        pytest.skip(f"no compiler or emulator for {board}")
    graph = net(11 + 6 * seed, 8 + 5 * seed, 1 + seed % 2, seed) if seed % 2 else plain(1 + seed % 2, seed)
    target, push = load_board(board), seed % 3 == 0
    least, most = (make_program(graph, target, Schedule(kind, None, push)) for kind in ("patches", "rows"))
    assert least.plan.arena_bytes < most.plan.arena_bytes
    for number, limit in enumerate((0, 2 * least.plan.arena_bytes // 3 + most.plan.arena_bytes // 3)):
        budget = None if not limit else limit + STATIC_RESERVE
        made = build(graph, target, tmp_path / str(number), schedule="patches", push_rows=push, budget_ram=budget)
        assert any(stretch.fused for stretch in made.plan.stretches)
        assert made.arena == made.plan.arena_bytes
        assert wrong(made, graph, samples=2) == []
