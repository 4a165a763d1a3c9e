"""hls/cpp against the numbers of the Verilog modules' benches (tests/hls): each function compiled and run, to the bit.

A case is a call of a bench; instead of a simulation it gets what the C++ function makes of the same beats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hls.harness import Sink, Source, beats_of, elements, memory, run
from hls.vectors import scale_vectors
from hls_cpp.harness import Program, needs_compiler

from edgeq.formats import Affine, FixedPoint
from hls import (
    test_add,
    test_argmax,
    test_average_pool,
    test_concat,
    test_depthwise,
    test_fifo,
    test_khot,
    test_lines,
    test_matmul,
    test_max_pool,
    test_minifloat,
    test_move,
    test_mvc,
    test_mvu,
    test_prelu,
    test_resize_bilinear,
    test_scale,
    test_shift,
    test_softmax,
    test_table,
    test_window,
)

pytestmark = needs_compiler
BENCHES = [
    *(test_add, test_argmax, test_average_pool, test_concat, test_depthwise, test_fifo, test_khot, test_lines),
    *(
        test_matmul,
        test_max_pool,
        test_minifloat,
        test_move,
        test_mvc,
        test_mvu,
        test_prelu,
        test_resize_bilinear,
        test_scale,
        test_shift,
    ),
    *(test_softmax, test_table, test_window),
]
Case = Callable[[], Any]
#: benches look at cycles where nothing stalls
STALLS = (1, 1)


def window(name: str, inside: bool = True) -> None:
    """Windows of two inferences, with and without the mark of padding."""
    case = test_window.CASES[name]
    tensors = [np.random.default_rng(seed).integers(0, 256, case.tensor) for seed in range(2)]
    beats = [beat for tensor in tensors for beat in beats_of(tensor.ravel(), case.lanes, 8)]
    width = case.lanes * 8
    words = [word for tensor in tensors for word in test_window.expected(case, tensor)]
    sink = Sink(width + inside, len(words))
    found = run("eq_window", case.parameters(), {"s": Source(width, beats)}, {"m": sink}).beats["m"]
    assert found == (words if inside else [word & ((1 << width) - 1) for word in words])


def lanes(into: int, out: int) -> None:
    test_fifo.test_lanes(into, out, STALLS)


def fork(branches: int) -> None:
    test_fifo.test_fork(branches, STALLS)


def constant(words: int = 5, width: int = 70) -> None:
    """Words wider than a machine's, three times over."""
    beats = [3**44 * i % (1 << width) for i in range(1, words + 1)]
    parameters = {"WIDTH": width, "DEPTH": words, "FILE": "c.mem", "ROM": "distributed"}
    found = run("eq_constant", parameters, {}, {"m": Sink(width, 3 * words)}, files={"c.mem": memory(beats, width)})
    assert found.beats["m"] == 3 * beats


def extend(bits: int, signed: int, zero: int, out: int) -> None:
    """All codes less their zero point."""
    codes = [(raw ^ (1 << bits >> 1)) - (1 << bits >> 1) if signed else raw for raw in range(1 << bits)]
    parameters = {"LANES": 2, "BITS": bits, "SIGNED": signed, "ZERO": zero, "OUT_BITS": out}
    source, sink = Source(2 * bits, beats_of(codes, 2, bits)), Sink(2 * out, len(codes) // 2)
    found = run("eq_extend", parameters, {"s": source}, {"m": sink}).beats["m"]
    assert elements(found, 2, out, True) == [code - zero for code in codes]


def mvu(name: str, style: str = "dsp") -> None:
    test_mvu.check(replace(test_mvu.SHAPES[name], style=style), seed=len(name))


def depthwise(name: str, style: str = "dsp") -> None:
    test_depthwise.check(replace(test_depthwise.CASES[name], style=style), seed=len(name))


def scale(rule: str, step: int) -> None:
    """Every `step`-th conformance vector, each as a channel of its own."""
    test_scale.check_vectors(rule, 0, scale_vectors(rule, 40)[::step])


def average(rule: str, formats: int, taps: int, count_pad: int) -> None:
    test_average_pool.test_average_pool(rule, test_average_pool.FORMATS[formats], taps, count_pad)


def move(number: int) -> None:
    test_move.test_move(test_move.CASES[number], STALLS)


def matmul(number: int, style: str) -> None:
    test_matmul.test_matmul(style, test_matmul.CASES[number], STALLS)


def resize(number: int) -> None:
    test_resize_bilinear.test_resize_bilinear(test_resize_bilinear.CASES[number], STALLS)


WINDOWS = [
    "3x3 same",
    "stride 2, asymmetric",
    "dilated",
    "1x1 stride 2",
    "channel order, lanes",
    "rows that nobody needs",
]
WINDOWS += ["cropped above", "linear"]
ENGINES = ["plain", "unsigned elements", "ragged rows, two lanes", "output slower than input", "odd lanes"]
SOFTMAX = [
    (FixedPoint(8, 4), FixedPoint(8, 8, False), 10, 180),
    (FixedPoint(8, 5), FixedPoint(12, 9), 7, 20),
]
RECIPROCAL = [
    (Affine(8, True, 9, 0.1), Affine(8, True, -128, 1 / 256), 12, 0.1),
    (Affine(8, True, 0, 0.01), Affine(8, True, -128, 1 / 256), 260, 0.01),
    (Affine(8, True, 0, 0.02), Affine(16, True, -32768, 1 / 65536), 12, 0.02),
]


KHOT = ("one digit", "unsigned elements", "wide weights, three digits")


def cases() -> Iterator[Case]:
    """What runs always: each function, its branches and its ends."""
    yield from (partial(window, name) for name in WINDOWS)
    yield partial(window, "3x3 same", inside=False)
    yield from itertools.starmap(lambda *a: partial(lanes, *a), [(1, 3), (1, 1), (8, 2)])
    yield from (partial(fork, n) for n in (1, 3))
    yield constant
    yield from (partial(extend, *case) for case in [(8, 1, -128, 9), (4, 0, 9, 5), (6, 1, 0, 12)])
    yield from (partial(mvu, name) for name in ENGINES)
    yield partial(mvu, "narrow accumulators wrap", "lut")
    yield from (partial(depthwise, name) for name in ("plain", "unsigned", "accumulators wrap"))
    yield partial(depthwise, "wide weights", "lut")
    yield from (partial(test_khot.check, test_khot.SHAPES[name]) for name in KHOT)
    yield partial(test_khot.test_depthwise, 2, 3)
    for engine in [(4, 9, 8, 8, False, 2), (1, 1, 2, 1, False, 1), (6, 3, 4, 4, True, 3)]:
        yield partial(test_mvc.test_every_sum_is_exact, *engine, stalls=STALLS)
    yield from (partial(matmul, *case) for case in [(0, "dsp"), (1, "lut"), (2, "dsp"), (6, "dsp")])
    for rule, shift in [("half_up", 7), ("floor", -3), ("half_away", 19), ("half_even", 1)]:
        yield partial(test_shift.test_one_shift, rule, shift)
    for rule, shift in [("half_down", 2), ("half_to_zero", 1), ("to_zero", 7)]:
        yield partial(test_shift.test_one_shift, rule, shift)
    for case in [("zero", 2, True, 0), ("wrap", 2, True, 1), ("wrap", -3, False, 2), ("zero", 0, False, 2)]:
        yield partial(test_shift.test_overflow, *case)
    yield partial(test_shift.test_channels, "half_even", [-2, 0, 1, 12], STALLS)
    yield partial(test_shift.test_vectors, "half_even")
    yield from (partial(test_minifloat.test_every_code_is_decoded, name) for name in ("e2m1", "e4m3", "e5m2", "e1m1"))
    for name, rule, shift in [("e2m1", "half_even", 1), ("e4m3", "half_up", 9), ("e2m0", "floor", -2)]:
        yield partial(test_minifloat.test_rounding, name, rule, shift)
    yield partial(test_minifloat.test_channels_and_a_relu, [-3, 2, 2, 0])
    yield from (partial(scale, rule, 40) for rule in test_scale.RULES)
    yield partial(test_scale.check_channels, "tflite", "dsp", 1, STALLS)
    for rule, cycles, multiplier, shift in [("tflite", 9, 3, 2), ("half_even", 1, 0x55555555, 34)]:
        yield partial(test_scale.test_one_multiplier, rule, cycles, multiplier, shift)
    for op, operands in [(0, 1), (1, 3), (2, 2), (4, 1)]:
        yield partial(test_add.test_add, op, test_add.OPERANDS[operands], STALLS)
    yield from (partial(test_table.test_table, "block", lanes, STALLS) for lanes in (1, 3))
    yield from (partial(test_max_pool.test_max_pool, signed, 9, STALLS) for signed in (0, 1, 2))
    for case in [("half_up", 0, 9, 0), ("half_even", 1, 4, 1), ("floor", 2, 9, 1), ("code_half_away", 4, 64, 1)]:
        yield partial(average, *case)
    yield partial(average, "code_half_away", 5, 4, 0)
    for case in [("half_down", 0, 9, 0), ("half_to_zero", 1, 9, 0), ("to_zero", 2, 9, 0), ("half_away", 2, 4, 1)]:
        yield partial(average, *case)
    yield from (partial(test_average_pool.test_quotients_to_odd, *case) for case in [(9, 1, 2), (9, 0, -1), (6, 1, 5)])
    yield from (partial(test_argmax.test_argmax, signed, 7, STALLS) for signed in (0, 1, 2))
    yield from (partial(test_concat.test_concat, beats, STALLS) for beats in ([3, 1], [2, 5, 1]))
    yield from (partial(move, number) for number in (0, 2, 3, 6))
    yield partial(test_prelu.test_prelu, [30, -40, 0], STALLS)
    yield from (partial(test_softmax.test_softmax, "half_even", *case) for case in SOFTMAX)
    yield from (partial(test_softmax.test_softmax_reciprocal, *case) for case in RECIPROCAL)
    yield from (partial(test_softmax.test_distances_beyond_32_bits, f"eq_softmax{end}") for end in ("", "_reciprocal"))
    yield from (partial(test_lines.test_sigmoid_lines, f, "jumps") for f in ("sigmoid", "tanh"))
    yield from (partial(test_lines.test_row_distance, *case) for case in [(8, 1, 10), (16, 0, 7)])
    yield from (partial(test_lines.test_softmax_lines, kind, n) for kind, n in [("softmax", 10), ("jumps", 2)])
    yield from (partial(resize, number) for number in (1, 2, 3))


def more_cases() -> Iterator[Case]:
    """All parameters of the benches that are left, but for the slowest."""
    yield from (partial(window, name) for name in test_window.CASES if name not in WINDOWS)
    yield from (partial(mvu, name, "lut") for name in test_mvu.SHAPES)
    yield from (partial(test_khot.check, case) for name, case in test_khot.SHAPES.items() if name not in KHOT)
    yield from (partial(depthwise, name, "lut") for name in test_depthwise.CASES)
    yield from (
        partial(test_shift.test_one_shift, rule, shift) for rule in test_shift.RULES for shift in (-3, 2, 20, 40)
    )
    for mode, shift, (signed, clamp) in itertools.product(
        ("zero", "wrap"), (-3, 0, 2, 20), [(True, 0), (False, 0), (True, 1), (False, 2)]
    ):
        yield partial(test_shift.test_overflow, mode, shift, signed, clamp)
    yield from (partial(test_shift.test_channels, rule, [0, 62], STALLS) for rule in test_shift.RULES)
    for name, rule in itertools.product(test_minifloat.FORMATS, test_minifloat.RULES):
        yield from (partial(test_minifloat.test_rounding, name, rule, shift) for shift in (-2, 0, 9))
    yield from (partial(scale, rule, 1) for rule in test_scale.RULES)
    yield partial(test_scale.test_one_multiplier, "half_even", 5, 0x7FFFFFFF, 62)
    yield partial(test_softmax.test_softmax, "half_up", FixedPoint(8, 5), FixedPoint(12, -1), 7, 20)
    for op, operands in itertools.product(range(5), test_add.OPERANDS):
        yield partial(test_add.test_add, op, operands, STALLS)
    for rule, formats, (taps, pad) in itertools.product(
        ("half_even", "floor"), range(6), [(4, 1), (9, 1), (9, 0), (4, 0)]
    ):
        yield partial(average, rule, formats, taps, pad)
    for rule, formats, (taps, pad) in itertools.product(test_average_pool.FIXED, range(3), [(4, 1), (9, 0)]):
        yield partial(average, rule, formats, taps, pad)
    yield from (partial(move, number) for number in range(len(test_move.CASES)))
    yield from (partial(matmul, number, "lut") for number in range(len(test_matmul.CASES)))
    yield from (partial(resize, number) for number in range(len(test_resize_bilinear.CASES)))
    yield from (partial(test_lines.test_softmax_lines, kind, n) for kind in ("softmax", "jumps") for n in (1, 300))


def mutations() -> Iterator[Case]:
    """Tests of the benches that change a parameter or an entry and see another result."""
    yield test_window.test_a_wrong_parameter_is_seen
    for module in (
        test_table,
        test_prelu,
        test_shift,
        test_scale,
        test_add,
        test_matmul,
        test_average_pool,
        test_argmax,
    ):
        yield from _wrong(module)
    for module in (test_concat, test_move, test_max_pool):
        yield from _wrong(module)
    yield from (
        partial(test_softmax.test_a_wrong_table_is_seen, name) for name in ("eq_softmax", "eq_softmax_reciprocal")
    )
    yield from (partial(test_resize_bilinear.test_a_wrong_table_is_seen, change) for change in ("weight", "address"))


def _wrong(module: Any) -> Iterator[Case]:
    return (
        test for name, test in vars(module).items() if name.startswith("test_a_wrong") or name == "test_padding_is_seen"
    )


def wrong_weight() -> None:
    """One bit of one weight, one bias, one code."""
    case = test_mvu.SHAPES["plain"]
    data = test_mvu.draw_data(case, 2)
    data.vectors[0] = 1
    expected = data.expected(case.acc_bits)
    words = test_mvu.weight_words(case, data.weights)
    assert elements(test_mvu.simulate(case, data).beats["m"], 1, case.acc_bits, True) == expected
    for place in (0, 17, len(words) * case.simd * case.pe - 1):
        changed = list(words)
        changed[place // (case.simd * case.pe)] ^= 1 << (place % (case.simd * case.pe) * case.w_bits)
        found = test_mvu.simulate(case, data, words=changed).beats["m"]
        assert elements(found, 1, case.acc_bits, True) != expected, place


CASES, MORE = list(cases()), [*more_cases(), *mutations()]
#: changes of one bit that need no instances of their own
BITS: list[Case] = [
    wrong_weight,
    test_depthwise.test_every_weight_counts,
    *(partial(test_khot.test_every_bit_of_a_digit_counts, count) for count in (1, 2)),
    *(partial(test_mvc.test_a_changed_digit_is_seen, bit) for bit in (16, 22)),
]


def title(case: Case) -> str:
    """A case's name in a report."""
    if isinstance(case, partial):
        words = [str(a) for a in (*case.args, *case.keywords.values()) if a != STALLS]
        return " ".join([case.func.__name__.removeprefix("test_"), *words])
    return f"{case.__module__.split('.')[-1]}-{case.__name__}".removeprefix("test_")


def compiled(tmp_path_factory: pytest.TempPathFactory, cases: list[Case]) -> Program:
    """One program of all instances of some cases."""
    program = Program(tmp_path_factory.mktemp("hls_cpp"))
    program.collect(cases, [*BENCHES, _here()])
    program.build()
    return program


def _here() -> Any:
    import sys

    return sys.modules[__name__]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(tmp_path_factory, CASES + BITS)


@pytest.fixture(scope="session")
def large_program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(tmp_path_factory, MORE)


def check(program: Program, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [*BENCHES, _here()]:
        monkeypatch.setattr(module, "run", program.run)
    case()


@pytest.mark.parametrize("case", CASES, ids=title)
def test_function(case: Case, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    check(program, case, monkeypatch)


@pytest.mark.parametrize("case", BITS, ids=title)
def test_a_bit_is_seen(case: Case, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    check(program, case, monkeypatch)


@pytest.mark.parametrize("flip", ["beat", "rom"])
def test_every_comparison_can_fail(flip: str, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats inverted, or a bit of the words of a memory: no case holds any more."""
    monkeypatch.setattr(program, "flip", flip)
    held, seen = [], 0
    for case in CASES:
        try:
            check(program, case, monkeypatch)
            held.append(title(case))
        except AssertionError as error:
            seen += "no memory" not in str(error)
    assert held == (["library-constant"] if flip == "beat" else [])  # no beats come in there
    assert seen == len(CASES) - 1 if flip == "beat" else seen > 25


@pytest.mark.heavy
@pytest.mark.parametrize("case", MORE, ids=title)
def test_more(case: Case, large_program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    check(large_program, case, monkeypatch)
