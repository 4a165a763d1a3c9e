"""Rounding rules and overflow modes of fixed point: graph and file, fast emulator and meaning, ranges."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeq.emulator import Executor, reference
from edgeq.errors import FileError, GraphError
from edgeq.formats import FIXED_RULES, NAMED, OVERFLOWS, FixedPoint, Format, overflow_scalar, round_scalar
from edgeq.ir import Attr, Graph, GraphBuilder, Node, Value, analyse, check
from edgeq.ir.file import from_bytes, load, save, to_bytes
from edgeq.verify.random_graphs import random_graph, random_inputs

S8 = FixedPoint(8, 3)


def requantised(out: Format, x: FixedPoint = S8, **attrs: Attr) -> Graph:
    """One requantise of a vector that holds every code of `x`."""
    b = GraphBuilder("modes")
    name = b.input("x", (1 << x.width,), x)
    return b.build([b.node("requantise", "y", [name], out, "layer.y", **attrs)])


def every_code(x: FixedPoint) -> npt.NDArray[np.int64]:
    lo, hi = x.code_range
    return np.arange(lo, hi + 1)[None]


@pytest.mark.parametrize("mode", OVERFLOWS)
@pytest.mark.parametrize("rule", FIXED_RULES)
def test_every_mode_on_every_code(rule: str, mode: str) -> None:
    """Meaning and fast twin equal fractions; the ranges hold; the file brings the mode back."""
    for out in (FixedPoint(4, 1), FixedPoint(4, 1, False), FixedPoint(3, 4), FixedPoint(5, -1)):
        for bounds in ({}, {"lo": 0}, {"hi": 2}):
            graph = requantised(out, rounding=rule, overflow=mode, **bounds)
            check(graph)
            scale = Fraction(2) ** (out.point - S8.point)  # type: ignore[operator]
            clamp = (bounds.get("lo"), bounds.get("hi"))
            want = [overflow_scalar(round_scalar(c * scale, rule), out, mode, clamp) for c in range(-128, 128)]
            x = {"x": every_code(S8)}
            assert reference(graph, x)["y"].tolist() == [want]
            assert Executor(graph).trace(x)["y"].tolist() == [want]
            interval = analyse(graph).values["y"]
            assert interval.lo <= min(want)
            assert max(want) <= interval.hi
            assert from_bytes(to_bytes(graph)) == graph


@pytest.mark.parametrize("seed", range(40))
def test_every_tensor_of_random_graphs_with_modes(seed: int) -> None:
    """The fast emulator answers as the meaning does, within the ranges that the analysis proves."""
    kinds = ("fixed", "fixed", "mixed")
    ops = (
        None
        if seed % 2
        else ["conv", "linear", "add", "sub", "mul", "average_pool", "mean", "requantise", "prelu", "sum"]
    )
    graph = random_graph(np.random.default_rng([seed, 5]), ops=ops, formats=kinds[seed % 3], modes=True)
    inputs = random_inputs(graph, np.random.default_rng(seed), 4)
    want = reference(graph, inputs)
    found = Executor(graph).trace(inputs)
    for name, codes in found.items():
        np.testing.assert_array_equal(codes, want[name], err_msg=f"seed {seed} {name}")
    ranges = analyse(graph).values
    for node in graph.nodes:
        value = graph.outs(node)[0]
        grid = value.format.to_grid(want[value.name])
        assert ranges[value.name].lo <= grid.min()
        assert grid.max() <= ranges[value.name].hi


def test_fractions_without_room_for_a_half() -> None:
    """Whole numbers up to the end of float32 beside channels that round: no half may be added to them."""
    b = GraphBuilder("edge")
    x = b.input("x", (1,), FixedPoint(24, 0))
    weight = b.constant("w", np.array([[1], [1]]), FixedPoint(2, (0, 1), True, 0))
    for rule in FIXED_RULES:
        graph = b.build([b.node("linear", f"y_{rule}", [x, weight], FixedPoint(32, 0), rounding=rule)])
        codes = {"x": np.array([[-(1 << 23)], [-(1 << 23) + 1], [-8388605], [8388605], [(1 << 23) - 1], [3], [-3]])}
        want = reference(graph, codes)
        for name, found in Executor(graph).trace(codes).items():
            np.testing.assert_array_equal(found, want[name], err_msg=rule)


@pytest.mark.parametrize(
    ("out", "attrs", "fact"),
    [
        (S8, {"overflow": "clip"}, "overflow 'clip' is not one of saturate, wrap, zero"),
        (S8, {"overflow": 1}, "overflow '1' is not one of saturate, wrap, zero"),
        (S8, {"rounding": "RND"}, "rounding 'RND' is not one of half_up, half_even, floor, half_down"),
        (NAMED["e2m1"], {"overflow": "wrap"}, "overflow wrap is of fixed point without a multiplier only, not of e2m1"),
        (NAMED["e2m1"], {"rounding": "to_zero"}, "rounding to_zero is of fixed point without a multiplier only"),
        (S8, {"rounding": "to_zero", "multiplier": (3,), "shift": (2,)}, "rounding 'to_zero' is not one of half_up"),
        (S8, {"overflow": "wrap", "multiplier": (3,), "shift": (2,)}, "overflow wrap is of fixed point without a mult"),
    ],
)
def test_what_is_refused(out: Format, attrs: dict[str, Attr], fact: str, tmp_path: Path) -> None:
    graph = requantised(S8)
    (node,), y = graph.nodes, graph.values["y"]
    changed = Node(node.op, node.name, node.inputs, node.outputs, attrs, node.source)
    values = {**graph.values, "y": Value("y", y.shape, out, None, y.source)}
    bad = graph.replace(nodes=(changed,), values=values)
    with pytest.raises(GraphError, match=fact.replace("(", r"\(")) as error:
        check(bad)
    assert "layer.y" in str(error.value)
    path = tmp_path / "bad.edgeq"
    path.write_bytes(to_bytes(bad))
    with pytest.raises(FileError, match="layer\\.y"):
        load(path)


def test_a_changed_mode_changes_the_result(tmp_path: Path) -> None:
    """The comparisons above can fail: on all codes no two rules and no two modes give the same numbers."""
    x = {"x": every_code(S8)}
    results = set()
    for rule in FIXED_RULES:
        for mode in OVERFLOWS:
            path = tmp_path / f"{rule}-{mode}.edgeq"
            save(requantised(FixedPoint(4, 1), rounding=rule, overflow=mode), path)
            results.add(Executor(load(path)).trace(x)["y"].tobytes())
    assert len(results) == len(FIXED_RULES) * len(OVERFLOWS)


def test_the_default_is_what_it_was() -> None:
    x = {"x": every_code(S8)}
    plain = Executor(requantised(FixedPoint(4, 1))).trace(x)
    named = Executor(requantised(FixedPoint(4, 1), rounding="half_up", overflow="saturate")).trace(x)
    assert np.array_equal(plain["y"], named["y"])
