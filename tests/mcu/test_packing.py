"""Which values share bytes: where no kernel gets slower, or all; equal on every tensor, by layers and by rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.errors import InputError
from edgeq.formats import FixedPoint
from edgeq.ir import Graph, GraphBuilder, check
from edgeq.mcu.build import build
from edgeq.mcu.execute import trace
from edgeq.mcu.fit import STATIC_RESERVE, scheduled
from edgeq.mcu.packing import packed_graph, sharers
from edgeq.mcu.program import Program, make_program
from edgeq.mcu.scheduling import Schedule, row_steps
from edgeq.mcu.storage import Packed
from edgeq.schedule import simulate

M4 = load_board("cortex-m4")
PLACE = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1}
CODES = FixedPoint(4, 1)


def network(width: int = 4, middle: int = 64, size: int = 8, channels: int = 16) -> Graph:
    """A layer of 8 bits, three of few, a sum with the first of these and a pool; middle: channels between the three."""
    b, rng = GraphBuilder("narrow"), np.random.default_rng(3)
    few = FixedPoint(width, 1)
    lo, hi = FixedPoint(4, 3).code_range

    def conv(name: str, x: str, inputs: int, outputs: int) -> str:
        codes = rng.integers(lo, hi, (outputs, 3, 3, inputs), endpoint=True)
        return b.node("conv", name, [x, b.constant(f"w_{name}", codes, FixedPoint(4, 3))], few, **PLACE)

    first = conv("first", b.input("x", (size, size, 4), FixedPoint(8, 4)), 4, channels)
    second = conv("second", first, channels, middle)
    last = conv("last", conv("third", second, middle, middle), middle, channels)
    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0), "dilation": (1, 1)}
    return b.build([b.node("max_pool", "y", [b.node("add", "sum", [first, last], few)], few, **pool)])


def shared(program: Program) -> set[str]:
    """Values that share bytes."""
    return {name for name, slot in program.slots.items() if isinstance(slot.value.format, Packed)}


def kernels(program: Program) -> dict[str, str]:
    return {call.node.name: call.step.kernel for call in program.calls}


def test_values_share_bytes_where_no_kernel_gets_slower() -> None:
    """Between layers of fields; what the sum and the pool see has bytes, and their kernels stay those of bytes."""
    graph = network()
    fast, none, every = (make_program(graph, M4, Schedule(packing=p)) for p in ("fast", "none", "all"))
    assert shared(fast) == {"second", "third"}
    assert shared(none) == set()
    assert shared(every) == {"first", "second", "third", "last", "sum", "y"}
    assert kernels(fast) == kernels(none)
    assert {kernels(fast)[n] for n in ("second", "third", "last")} == {"conv_fields_dsp"}
    assert (kernels(fast)["sum"], kernels(fast)["y"]) == ("add_dsp", "max_pool_dsp")
    assert (kernels(every)["sum"], kernels(every)["y"]) == ("packed_add_dsp", "packed_max_pool_dsp")
    assert every.plan.arena_bytes < fast.plan.arena_bytes < none.plan.arena_bytes


def test_bytes_stay_where_packing_takes_more_ram() -> None:
    """With as many channels everywhere each map rolls over the one before; a map of bytes cannot over a packed one."""
    graph = network(middle=16)
    assert packed_graph(graph, check(graph), M4.isa, "fast") is not graph
    assert shared(make_program(graph, M4)) == set()


@pytest.mark.parametrize("board", ["host", "cortex-m55", "cortex-m3", "riscv32"])
def test_boards_without_fields_keep_bytes(board: str) -> None:
    assert shared(make_program(network(), load_board(board))) == set()


def narrowing(side: int = 16) -> Graph:
    """Two sums of large maps of 4 bits, then two of small ones behind a convolution of stride 2; ends in 8 bits."""
    b, rng = GraphBuilder("narrowing"), np.random.default_rng(4)
    wide = FixedPoint(8, 3)

    def conv(name: str, x: str, inputs: int, fmt: FixedPoint, stride: int = 1) -> str:
        codes = rng.integers(*wide.code_range, (16, 3, 3, inputs), endpoint=True)
        place = {**PLACE, "stride": (stride, stride)}
        return b.node("conv", name, [x, b.constant(f"w_{name}", codes, FixedPoint(8, 6))], fmt, **place)

    first = conv("first", b.input("x", (side, side, 4), FixedPoint(8, 4)), 4, CODES)
    large = b.node("add", "large", [first, conv("second", first, 16, CODES)], CODES)
    third = conv("third", large, 16, CODES, 2)
    small = b.node("add", "small", [third, conv("fourth", third, 16, CODES)], CODES)
    return b.build([conv("y", small, 16, FixedPoint(8, 1))])


def test_as_many_share_bytes_as_the_budget_asks_for(tmp_path: Path) -> None:
    """Those of the fullest steps; the small maps keep bytes, as do all where the packing is given."""
    graph = narrowing()
    fast, every = (make_program(graph, M4, Schedule(packing=p)) for p in ("fast", "all"))
    assert shared(fast) == set()
    room = fast.plan.arena_bytes + STATIC_RESERVE
    assert shared(scheduled(graph, M4, "layers", False, room)) == set()
    some = scheduled(graph, M4, "layers", False, room - 1024)
    assert some.plan.arena_bytes <= fast.plan.arena_bytes - 1024
    assert set() < shared(some) < {"first", "second", "large"}
    least = scheduled(graph, M4, "layers", False, every.plan.arena_bytes + STATIC_RESERVE)
    assert least.plan.arena_bytes <= every.plan.arena_bytes
    assert shared(some) < shared(least) <= shared(every)
    assert scheduled(graph, M4, "layers", False, room - 1024, "fast").plan.arena_bytes == fast.plan.arena_bytes
    made = build(graph, M4, tmp_path / "out", schedule="layers", budget_ram=room - 1024)
    inputs = codes(graph)
    want, found = reference(graph, inputs), trace(made, inputs)
    assert shared(made.program) == shared(some)
    assert [name for name in want if not np.array_equal(found[name], want[name])] == []


def test_scratch_gets_small_before_values_share_bytes(tmp_path: Path) -> None:
    """Weights of 4 bits are expanded for fewer channels at a time where that is enough, for more instructions."""
    b, rng = GraphBuilder("expanded"), np.random.default_rng(6)
    weight = b.constant("w", rng.integers(-8, 7, (64, 3, 3, 32), endpoint=True), FixedPoint(4, 3))
    graph = b.build([b.node("conv", "y", [b.input("x", (8, 8, 32), FixedPoint(8, 4)), weight], CODES, **PLACE)])
    fast, tight = (make_program(graph, M4, Schedule(tight=tight)) for tight in (False, True))
    assert kernels(tight) == kernels(fast) == {"y": "conv_narrow_dsp"}
    assert tight.plan.arena_bytes < fast.plan.arena_bytes / 2
    made = build(graph, M4, tmp_path / "out", budget_ram=tight.plan.arena_bytes + STATIC_RESERVE)
    assert made.plan.arena_bytes == tight.plan.arena_bytes
    inputs = codes(graph)
    assert np.array_equal(trace(made, inputs)["y"], reference(graph, inputs)["y"])


def test_what_nothing_fits_is_the_least_arena() -> None:
    graph = narrowing()
    every = make_program(graph, M4, Schedule(packing="all", tight=True))
    assert scheduled(graph, M4, "layers", False, STATIC_RESERVE).plan.arena_bytes == every.plan.arena_bytes
    with pytest.raises(InputError, match="packing 'some': unknown; give one of auto, fast, all, none"):
        scheduled(graph, M4, "layers", False, None, "some")


def test_values_between_which_codes_move_share_bytes_together() -> None:
    """A slice of what shares bytes does so too; inputs and outputs, and what moves to them, are left to "all"."""
    b = GraphBuilder("moved")
    x = b.input("x", (4, 4, 8), CODES)
    doubled = b.node("add", "doubled", [x, x], CODES)
    part = b.node("slice", "part", [doubled], CODES, begin=(0, 0, 0), end=(2, 4, 8), step=(1, 1, 1))
    flat = b.node("reshape", "flat", [part], CODES, shape=(64,))
    graph = b.build([b.node("add", "y", [flat, flat], CODES)])
    found = list(sharers(graph, check(graph), M4.isa))
    assert [sorted(one.names) for one in found] == [["doubled", "flat", "part"]]
    # written by a sum and a copy, read by a copy and as both operands of a sum
    assert found[0].touched == 128 + 128 + 64 + 2 * 64
    assert found[0].saved({"doubled": 128, "flat": 63}, graph) == 64 + 31


def codes(graph: Graph) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {n: rng.integers(*graph.values[n].format.code_range, (2, *graph.values[n].shape)) for n in graph.inputs}


@pytest.mark.parametrize(
    ("board", "packing", "schedule"),
    [
        ("cortex-m4", "fast", "layers"),
        ("cortex-m4", "all", "rows"),
        ("host", "all", "rows"),
        *(
            pytest.param(board, packing, schedule, marks=pytest.mark.heavy)
            for board in ("cortex-m4", "cortex-m55", "riscv32", "host")
            for packing in ("fast", "all", "none")
            for schedule in ("layers", "rows")
        ),
    ],
)
def test_equal_on_every_tensor(board: str, packing: str, schedule: str, tmp_path: Path) -> None:
    """In firmware, and by the emulator on the planned bytes."""
    graph = network(2 if packing == "all" else 4, middle=32, size=24 if schedule == "rows" else 8)
    made = build(graph, board, tmp_path / "out", packing=packing, schedule=schedule)
    inputs = codes(graph)
    want, found = reference(graph, inputs), trace(made, inputs)
    assert [name for name in want if not np.array_equal(found[name], want[name])] == []
    stored = {name: slot.stored for name, slot in made.program.slots.items()}
    simulated = simulate(made.graph, made.plan, stored, inputs)
    assert [name for name in want if not np.array_equal(simulated[name], want[name])] == []
    assert bool(made.plan.stretches) == (schedule == "rows")


def test_rows_of_packed_values_are_whole_bytes() -> None:
    """Rows of 9 codes of 4 bits end inside a byte: nodes that touch them run whole, and say why."""
    b = GraphBuilder("odd")
    x = b.input("x", (6, 3, 3), CODES)
    one = b.node("requantise", "one", [x], FixedPoint(4, 0))
    graph = b.build([b.node("requantise", "two", [one], FixedPoint(8, 0))])
    ranges = check(graph)
    made = packed_graph(graph, ranges, (), "all")
    found, refused = row_steps(made, ranges, ())
    assert found == {}
    assert refused["two"] == "a row of one is 9 codes of 4 bits, no whole bytes"
    assert set(row_steps(graph, ranges, ())[0]) == {"one", "two"}
