"""Kernels of minifloats beyond a byte and of group scales against the meaning of their operators, in C and on cores."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeq.formats import NAMED, FixedPoint, Format, Minifloat, grouped
from edgeq.ir import Graph, GraphBuilder
from edgeq.mcu.ops import _lanes
from edgeq.mcu.ops._lanes import EXPANDED
from edgeq.mcu.step import Blob, Step
from tests.mcu import lanes_cases
from tests.mcu.dsp_cases import single
from tests.mcu.kernel_checks import steps_of, wrong_in_c, wrong_on_core
from tests.mcu.kernel_driver import FIRMWARE, WARNINGS, compilers

KERNEL, KERNELS = "conv_lanes", {"conv_lanes", "conv_depthwise_lanes"}
OPS = sorted(lanes_cases.BATCHES)
SHORT, LONG, WORD = "EQ_LANES_SHORT", "EQ_LANES_LONG", "EQ_LANES_WORD"
QUICK = ("-O0",)
DSP, MVE = ("dsp",), ("dsp", "mve")
E2M1, E3M2, E4M3 = NAMED["e2m1"], NAMED["e3m2"], NAMED["e4m3"]


@pytest.fixture(autouse=True)
def _small_layers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of tests are small; in use such ones keep the RAM that tables take."""
    monkeypatch.setattr(_lanes, "LEAST_MACS", 0)


def one(x: Format, weight: Format, out: Format, shape: tuple[int, ...], filters: int, rule: str = "half_even") -> Graph:
    """A 3x3 convolution with weights of every magnitude."""
    rng, b = np.random.default_rng(5), GraphBuilder("one")
    element = getattr(weight, "element", weight)
    codes = lanes_cases.numbers(element, (filters, 3, 3, shape[-1]), rng)
    operands = [b.input("x", shape, x), b.constant("w", codes, weight)]
    window = {"stride": (1, 1), "padding": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1}
    return b.build([b.node("conv", "y", operands, out, rounding=rule, **window)])


def data(graph: Graph, samples: int = 1) -> dict[str, np.ndarray]:
    value = graph.values["x"]
    return {"x": lanes_cases.numbers(value.format, (samples, *value.shape), np.random.default_rng(2))}


@pytest.mark.parametrize(
    ("op", "cc", "features", "count"),
    [
        ("conv", "gcc", MVE, 2),
        *(pytest.param(op, cc, f, 20, marks=pytest.mark.heavy) for op in OPS for cc in compilers() for f in (DSP, MVE)),
    ],
)
def test_in_c_under_sanitizers(op: str, cc: str, features: tuple[str, ...], count: int, tmp_path: Path) -> None:
    """The driver and the C meaning of the assembler; every buffer has its exact size."""
    cases = single(lanes_cases.BATCHES[op](5, count))
    assert not any(wrong_in_c(cases, tmp_path, features, cc=cc))


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("op", "board", "toolchain", "runner", "optimize", "count"),
    [
        ("conv", "cortex-m4", "gcc", "unicorn", "-O2", 8),
        ("linear", "cortex-m4", "gcc", "unicorn", "-Os", 4),
        ("depthwise", "cortex-m4", "gcc", "unicorn", "-O2", 4),
        ("conv", "cortex-m55", "gcc", "qemu", "-O2", 3),
        *(
            pytest.param(op, board, toolchain, "qemu", optimize, 20, marks=pytest.mark.heavy)
            for op in OPS
            for board, toolchain, optimize in [
                ("cortex-m4", "gcc", "-O3"),
                ("cortex-m4", "zig", "-Os"),
                ("cortex-m7", "gcc", "-O2"),
                ("cortex-m33", "gcc", "-O2"),
                ("cortex-m55", "gcc", "-O3"),
                ("riscv32", "gcc", "-Os"),
            ]
        ),
    ],
)
def test_on_cores(op: str, board: str, toolchain: str, runner: str, optimize: str, count: int, tmp_path: Path) -> None:
    batch = lanes_cases.BATCHES[op](3 + len(optimize + board), count)
    assert wrong_on_core(batch, board, toolchain, runner, optimize, tmp_path) == []


def reached(op: str, kernel: str) -> list[set[str]]:
    """The values of each fixed argument of a kernel that runs nearly all cases of an operator."""
    steps = steps_of(lanes_cases.BATCHES[op](1, 150).graph())
    fast = [s for s in steps if s.kernel in KERNELS]
    assert len(fast) > 0.8 * len(steps), [s.why for s in steps if s.kernel not in KERNELS]
    mine = [s for s in fast if s.kernel == kernel]
    assert {s.params["stage.shifts"] == 0 for s in mine} == {True, False}
    return list(map(set, zip(*(s.fixed for s in mine), strict=True)))


@pytest.mark.parametrize("op", ["conv", "linear"])
def test_cases_reach_every_path(op: str) -> None:
    inputs, weights, scales, kinds, outputs, rules, quick = reached(op, KERNEL)
    assert {"EQ_S(8)", "EQ_U(8)", "EQ_F(2, 1)", "EQ_F(3, 2)", "EQ_F(4, 3)"} <= inputs
    assert {"EQ_FP(3, 2)", "EQ_F(4, 3)", "EQ_SP(4)", "EQ_SP(3)", "EQ_S(8)", "EQ_F(5, 2)"} <= weights
    assert scales == {"0", "EQ_UP(4)", *(["EQ_U(8)"] if op == "conv" else [])}
    assert kinds == {SHORT, LONG, WORD}
    assert {"EQ_F(3, 2)", "EQ_F(4, 3)", "EQ_S(8)", "EQ_S(16)", "EQ_F(5, 2)"} <= outputs
    assert {"EQ_FLOOR", "EQ_HALF_UP", "EQ_HALF_EVEN"} <= rules
    assert quick == {"true", "false"}


def test_depthwise_cases_reach_every_path() -> None:
    inputs, weights, words, outputs, rules, wide, quick = reached("depthwise", "conv_depthwise_lanes")
    assert {"EQ_S(8)", "EQ_U(8)", "EQ_F(2, 1)", "EQ_F(3, 2)", "EQ_F(4, 3)"} <= inputs
    assert {"EQ_FP(3, 2)", "EQ_F(4, 3)", "EQ_SP(4)", "EQ_F(5, 2)"} <= weights
    assert {"EQ_F(3, 2)", "EQ_F(4, 3)", "EQ_S(8)", "EQ_S(16)", "EQ_F(5, 2)"} <= outputs
    assert {"EQ_FLOOR", "EQ_HALF_UP", "EQ_HALF_EVEN"} <= rules
    assert words == wide == quick == {"true", "false"}


def test_helium_takes_vectors() -> None:
    """Where the loops for bytes cannot: grids beyond a byte."""
    for rule in ("half_up", "half_even"):
        (step,) = steps_of(one(E2M1, E2M1, E2M1.per_tensor(-2), (4, 4, 8), 8, rule), MVE)
        assert step.kernel == "conv_narrow_mve"
    for fmt, kind in ((E3M2, SHORT), (Minifloat(4, 0), LONG), (E4M3, WORD)):
        (step,) = steps_of(one(fmt, fmt, E3M2.per_tensor(0), (4, 4, 8), 8), MVE)
        assert step.fixed[3] == f"{kind} | EQ_LANES_VECTOR"


def test_weights_in_chunks(tmp_path: Path) -> None:
    """Layers whose weights exceed what scratch holds, with channels left over; sums at both ends of what is proved."""
    mx = grouped(E2M1, 16, np.random.default_rng(1).integers(0, 5, (9, 3, 3, 9)))
    cases = [
        (E3M2, E3M2, E3M2.per_tensor(-3), (4, 3, 140), 9, SHORT),
        (E4M3, E4M3, E4M3.per_tensor(0), (3, 3, 130), 7, WORD),
        (FixedPoint(8, 4), mx, FixedPoint(8, 0), (3, 3, 140), 9, SHORT),
    ]
    graphs = [one(*case[:5]) for case in cases]
    steps = [steps_of(g)[0] for g in graphs]
    assert [(s.kernel, s.fixed[3]) for s in steps] == [(KERNEL, case[5]) for case in cases]
    assert all(s.params["chunk"] < case[4] for s, case in zip(steps, cases, strict=True))
    assert all(s.scratch < EXPANDED + 20480 for s in steps)
    pairs = [(g, data(g)) for g in graphs]
    assert not any(wrong_in_c(pairs, tmp_path, flags=QUICK))


def _bit(step: Step, name: str) -> Step:
    """The same with one bit of a constant changed."""
    blob = step.params[name]
    assert isinstance(blob, Blob)
    changed = blob.data.copy()
    changed[0] ^= changed.dtype.type(2 if changed.dtype.itemsize == 1 else 1 << 20)
    return replace(step, params={**step.params, name: replace(blob, data=changed)})


def _short(step: Step) -> Step:
    """Sums of 32 bits where 64 are needed: starts and blocks are others, too, so that the kind alone is changed."""
    return replace(step, fixed=tuple("EQ_LANES_LONG" if f == WORD else f for f in step.fixed))


@pytest.mark.parametrize(
    "fault",
    [
        lambda s: _bit(s, "weight"),
        lambda s: _bit(s, "start"),
        lambda s: _bit(s, "scale") if s.params["scale"] != 0 else _bit(s, "weight"),
        lambda s: _short(s) if s.fixed[3] == WORD else replace(s, params={**s.params, "ring.pad_w": 0}),
    ],
    ids=["weight", "start", "scale", "kind"],
)
def test_a_fault_is_found(fault: Callable[[Step], Step], tmp_path: Path) -> None:
    """In each of three layers: E3M2, E4M3, groups."""
    mx = grouped(E2M1, 4, np.random.default_rng(1).integers(0, 3, (4, 3, 3, 2)))
    pairs = [
        (g, data(g, 2))
        for g in (
            one(E3M2, E3M2, FixedPoint(32, E3M2.frac * 2), (3, 3, 6), 4),
            one(E4M3, E4M3, FixedPoint(32, E4M3.frac * 2 - 12), (3, 3, 6), 4, "floor"),
            one(FixedPoint(8, 4), mx, FixedPoint(32, 4 + E2M1.frac), (3, 3, 6), 4),
        )
    ]
    assert wrong_in_c(pairs, tmp_path / "good", flags=QUICK) == [[], [], []]
    assert all(wrong_in_c(pairs, tmp_path / "bad", flags=QUICK, mutate=fault))


def test_what_32_bits_do_not_hold_is_refused() -> None:
    e5m2 = NAMED["e5m2"]
    (step,) = steps_of(one(e5m2, E2M1, e5m2.per_tensor(0), (4, 4, 4), 4))
    assert step.kernel == "conv"
    assert "not conv_lanes: numbers beyond 32 bits" in step.brief
    (step,) = steps_of(one(FixedPoint(16, 4), E2M1, E2M1, (4, 4, 4), 4))
    assert "not conv_lanes: input" in step.brief


@pytest.mark.parametrize(
    ("x", "weight", "kind"),
    [
        (E3M2, E3M2, SHORT),
        (FixedPoint(8, 4), E3M2, SHORT),
        (Minifloat(3, 4), Minifloat(3, 4), SHORT),
        (Minifloat(4, 0), Minifloat(4, 0), LONG),
        (E4M3, E2M1, WORD),
        (E4M3, E4M3, WORD),
    ],
)
def test_the_loop_follows_from_the_range(x: Format, weight: Format, kind: str) -> None:
    (step,) = steps_of(one(x, weight, E3M2.per_tensor(0), (4, 4, 8), 8))
    assert (step.kernel, step.fixed[3]) == (KERNEL, kind)


def _codes(folder: Path, spoil: tuple[str, str] = ("", "")) -> tuple[int, int]:
    """Comparisons of codes.c, and those that fail; spoil: text of edgeq_code.h to replace."""
    text = (FIRMWARE / "include" / "edgeq_code.h").read_text()
    assert spoil[0] in text
    folder.mkdir()
    (folder / "edgeq_code.h").write_text(text.replace(*spoil))
    source, program = Path(__file__).with_name("c") / "codes.c", folder / "codes"
    flags = [*WARNINGS, "-O1", f"-I{folder}", f"-I{FIRMWARE / 'include'}"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(program)], check=True)
    seen, bad = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.split()
    return int(seen), int(bad)


def test_codes_of_sums(tmp_path: Path) -> None:
    """Every code's ties and what lies around them; faults in each step of the way are seen."""
    seen, bad = _codes(tmp_path / "right")
    assert (seen > 1_000_000, bad) == (True, 0)
    faults = [
        ("lost != 0u ? 1u", "lost != 0u ? 0u"),
        ("(m >> shift & 1u)", "1u"),
        ("half - (negative ? 1u : 0u)", "half"),
        ("high >> (p - 1) != 0u", "false"),
        ("m > 0x80000000u >> p", "m > 0x80000000u"),
        ("!= 0u ? 1u : 0u);\n        s = 31", "!= 0u ? 0u : 0u);\n        s = 31"),
        ("(int32_t)code, least, most)", "(int32_t)code, least + 1, most)"),
    ]
    for number, (old, new) in enumerate(faults):
        assert _codes(tmp_path / f"wrong{number}", (old, new))[1] > 0, old
