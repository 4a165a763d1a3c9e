"""One changed bit, shift, entry, address or line of generated C turns the comparison red at the right node."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeq.boards import load_board
from edgeq.emulator import reference
from edgeq.formats import NAMED, FixedPoint
from edgeq.ir import Graph, GraphBuilder
from edgeq.verify import VerifyResult, compare_traces
from tests.differential.batch import HOST, run_on_board, run_on_host, write_batch
from tests.differential.cases import Case, made_case, random_case
from tests.differential.executors import board_executors, plain_host

S8, U8, S16 = FixedPoint(8, 4), FixedPoint(8, 4, False), FixedPoint(16, 8)
HOST_C = plain_host()[-1:]
pytestmark = pytest.mark.skipif(not HOST_C, reason="needs gcc or clang")
#: changes the text of one generated file
Fault = Callable[[str], str]


def network() -> Graph:
    """A residual network of every kind of constant: plain and packed weights, minifloats, biases, shifts, tables."""
    rng = np.random.default_rng(0)
    g = GraphBuilder("mutant")
    x = g.input("x", (6, 6, 4), S8)
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1)}
    w = g.constant("w", rng.integers(-127, 128, (6, 3, 3, 4)), FixedPoint(8, tuple(range(5, 11)), True, 0))
    b = g.constant("b", rng.integers(-999, 999, (6,)), FixedPoint(16, 9))
    stem = g.node("conv", "stem", [x, w, b], S8.per_tensor(1), source="net.stem", groups=1, **window)
    d = g.constant("d", rng.integers(-4, 4, (6, 3, 3, 1)), FixedPoint(3, 2))
    packed = g.node("conv", "packed", [stem, d], S16, groups=6, **window)
    narrow = g.node("requantise", "narrow", [packed], S8.per_tensor(0))
    t = g.constant("t", rng.integers(-128, 128, (256,)), S8)
    act = g.node("table", "act", [narrow, t], S8)
    joined = g.node("add", "joined", [act, stem], S8.per_tensor(0))
    pooled = g.node("mean", "pooled", [joined], S16.per_tensor(0), axes=(0,), keep_axes=0, rounding="half_even")
    e = g.constant("e", np.maximum(255 >> np.arange(9), 1), FixedPoint(8, 0, False))
    soft = g.node("softmax", "soft", [joined, e], FixedPoint(16, 15, False), axis=2)
    v = g.constant("v", rng.integers(1, 15, (5, 6)), NAMED["e2m1"])
    head = g.node("linear", "head", [pooled, v], S16.per_tensor(6), source="net.head")
    return g.build([head, soft])


CASE = made_case(network(), samples=32)


def number(array: str, index: int, change: Callable[[int], int]) -> Fault:
    """Change one element of a constant array."""

    def fault(text: str) -> str:
        start = text.index(" = {", re.search(rf"\b{array}\[\d+\] = ", text).start()) + 4  # type: ignore[union-attr]
        end = text.index("}", start)
        items = text[start:end].rstrip(" ,\n").split(",")
        items[index] = f" {change(int(items[index]))}"
        return text[:start] + ",".join(items) + text[end:]

    return fault


def bit(place: int, bits: int = 8, signed: bool = False) -> Callable[[int], int]:
    """Flip one bit of a code."""

    def change(code: int) -> int:
        pattern = (code & ((1 << bits) - 1)) ^ 1 << place
        return pattern - (1 << bits) if signed and pattern >> (bits - 1) else pattern

    return change


def field(step: str, name: str, by: int) -> Fault:
    """Change a number in the parameters of one step."""

    def fault(text: str) -> str:
        start = text.index(f"{step}_params = {{")
        found = re.compile(rf"\.{name} = (-?\d+)").search(text, start)
        assert found is not None
        assert found.end() < text.index("};", start)
        return f"{text[: found.start(1)]}{int(found[1]) + by}{text[found.end(1) :]}"

    return fault


def swapped(old: str, new: str) -> Fault:
    def fault(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return fault


WEIGHTS, CODE = "mutant_weights.c", "mutant.c"
#: fault -> file, change, node that must be named
FAULTS: dict[str, tuple[str, Fault, str]] = {
    "lowest bit of a weight": (WEIGHTS, number("mutant_stem_weight", 40, bit(0, signed=True)), "stem"),
    "sign of a weight": (WEIGHTS, number("mutant_stem_weight", 7, bit(7, signed=True)), "stem"),
    "last weight": (WEIGHTS, number("mutant_stem_weight", 215, bit(1, signed=True)), "stem"),
    "bit of packed weights": (WEIGHTS, number("mutant_packed_weight", 9, bit(5)), "packed"),
    "first packed weight": (WEIGHTS, number("mutant_packed_weight", 0, bit(0)), "packed"),
    "minifloat weight": (WEIGHTS, number("mutant_head_weight", 3, bit(2)), "head"),
    "bias": (WEIGHTS, number("mutant_stem_bias", 2, bit(9, 32, True)), "stem"),
    "rounding constant": (WEIGHTS, number("mutant_stem_bias", 0, lambda start: start - 1), "stem"),
    "shift of a channel": (WEIGHTS, number("mutant_stem_shift", 4, lambda shift: shift + 1), "stem"),
    "shift": (CODE, field("narrow", "shift", 1), "narrow"),
    "shift of one operand": (CODE, field("joined", "a_shift", 1), "joined"),
    "start value": (CODE, field("joined", "start", -1), "joined"),
    "lower bound": (CODE, field("narrow", "lo", 1), "narrow"),
    "upper bound": (CODE, field("narrow", "hi", -1), "narrow"),
    "table entry": (WEIGHTS, number("mutant_act_table", 128, lambda code: code ^ 1), "act"),
    "first table entry": (WEIGHTS, number("mutant_act_table", 0, lambda code: code ^ 1), "act"),
    "entry of exponentials": (WEIGHTS, number("mutant_soft_table", 0, lambda code: code - 1), "soft"),
    "row of the padding": (CODE, field("stem", "pad_h", -1), "stem"),
    "divisor": (CODE, field("pooled", "divisor", 1), "pooled"),
    "ties to even": (
        "edgeq/edgeq_round.h",
        swapped("(r == den - r && eq_tie_up(num < 0, (q & 1) != 0, rule))", "r == den - r"),
        "pooled",
    ),
    "order of channels": (CODE, field("stem", "in_c", -1), "stem"),
    "operand": (CODE, swapped("{a + AT_act, a + AT_stem}", "{a + AT_stem, a + AT_stem}"), "joined"),
}


def outcome(case: Case, folder: Path, file: str = "", fault: Fault | None = None) -> VerifyResult:
    """Compare the generated C, with one file changed, with the reference."""
    hit = []

    def mutate(path: str, text: str) -> str:
        if path != file or fault is None:
            return text
        hit.append(path)
        changed = fault(text)
        assert changed != text
        return changed

    (executor,) = HOST_C
    batch = write_batch([case], folder, HOST, mutate)
    assert len(hit) == (fault is not None)
    (trace,) = run_on_host(batch, executor.cc, ("-O1",))  # type: ignore[attr-defined]
    return compare_traces(case.graph, trace, reference(case.graph, case.inputs), ("mutant", "reference"))


def expect(result: VerifyResult, node: str) -> None:
    assert not result.equal
    first = result.first_divergence
    assert first is not None
    assert first.node == node, result.line()
    assert first.codes[0] != first.codes[1]
    assert first.differing > 0


def test_the_network_without_a_fault_is_equal(tmp_path: Path) -> None:
    result = outcome(CASE, tmp_path)
    assert result.equal
    assert result.tensors == 8
    assert result.values == 32 * (36 * 6 * 6 + 36 + 30)


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_generated_c_is_found_and_its_node_named(name: str, tmp_path: Path) -> None:
    file, fault, node = FAULTS[name]
    expect(outcome(CASE, tmp_path, file, fault), node)


def test_a_value_placed_over_one_that_is_still_needed_is_found(tmp_path: Path) -> None:
    """The plan keeps `stem` for the join; a value that lies over it in between spoils the join, not itself."""
    expect(outcome(CASE, tmp_path, CODE, moved("narrow", "stem")), "joined")


def moved(name: str, onto: str) -> Fault:
    def fault(text: str) -> str:
        place = re.search(rf"#define AT_{onto} (\d+)u", text)
        assert place is not None
        return re.sub(rf"(#define AT_{name} )\d+u", rf"\g<1>{place[1]}u", text)

    return fault


def test_a_fault_in_one_network_of_a_batch_blames_that_network(tmp_path: Path) -> None:
    """A bias of the second of three random graphs; its neighbours stay equal."""
    cases = [random_case(seed) for seed in (3, 57, 9)]
    victim = next(n for n in cases[1].graph.nodes if n.op in ("conv", "linear"))

    def mutate(path: str, text: str) -> str:
        fault = number(f"g57_{victim.name}_bias", 0, lambda start: start ^ 1 << 4)
        return fault(text) if path == "g57_weights.c" else text

    (executor,) = HOST_C
    traces = run_on_host(write_batch(cases, tmp_path, HOST, mutate), executor.cc, ("-O1",))  # type: ignore[attr-defined]
    results = [
        compare_traces(case.graph, trace, reference(case.graph, case.inputs))
        for case, trace in zip(cases, traces, strict=True)
    ]
    assert [result.equal for result in results] == [True, False, True]
    expect(results[1], victim.name)


@pytest.mark.skipif(not board_executors(("cortex-m4",)), reason="needs a compiler and an emulator of cortex-m4")
def test_a_fault_on_an_emulated_board_is_found(tmp_path: Path) -> None:
    executor = board_executors(("cortex-m4",))[-1]
    board = load_board("cortex-m4")
    _, fault, node = FAULTS["bit of packed weights"]

    def mutate(path: str, text: str) -> str:
        return fault(text) if path == WEIGHTS else text

    case = made_case(CASE.graph, samples=8)
    golden = reference(case.graph, case.inputs)
    for change, equal in ((None, True), (mutate, False)):
        batch = write_batch([case], tmp_path / str(equal), board, change)
        (trace,) = run_on_board(batch, board, executor.toolchain, executor.runner, "-O2")  # type: ignore[attr-defined]
        result = compare_traces(case.graph, trace, golden)
        assert result.equal is equal
    expect(result, node)
