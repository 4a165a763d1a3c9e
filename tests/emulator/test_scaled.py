"""Scales that are no power of two: the meaning in fractions, the fast twin, and the range analysis."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from ir.test_ranges import assert_sound
from scaled_graphs import MAKERS, scaled_case

from edgeq.emulator import executor, reference
from edgeq.formats import CODE_RULE, Affine, round_scalar, scale_scalar
from edgeq.ir import Graph
from edgeq.ir.file import from_bytes, to_bytes

SEEDS = 25


def grid_at(graph: Graph, name: str, codes: np.ndarray) -> np.ndarray:
    """Grid integers as Python integers."""
    fmt = graph.values[name].format
    return np.vectorize(fmt.to_grid_scalar, otypes=[object])(codes)


@pytest.mark.parametrize("op", MAKERS)
def test_fast_equals_reference(op: str) -> None:
    for seed in range(SEEDS):
        graph, inputs = scaled_case(op, seed)
        want, found = reference(graph, inputs), executor(graph).trace(inputs)
        for name, codes in want.items():
            np.testing.assert_array_equal(
                found[name], codes, err_msg=f"{op} {seed} {name} {dict(graph.nodes[-1].attrs)}"
            )


@pytest.mark.parametrize("op", sorted(MAKERS.keys() - {"movement", "softmax_reciprocal"}))
def test_ranges_hold(op: str) -> None:
    for seed in range(SEEDS):
        assert assert_sound(*scaled_case(op, seed)) > 0


@pytest.mark.parametrize("op", MAKERS)
def test_files_come_back(op: str) -> None:
    graph, _ = scaled_case(op, 1)
    assert from_bytes(to_bytes(graph)) == graph


def test_linear_in_python_integers() -> None:
    differed = 0
    for seed in range(SEEDS):
        graph, inputs = scaled_case("linear", seed)
        node = graph.nodes[0]
        x, w = grid_at(graph, "x", inputs["x"]), grid_at(graph, "w", graph.values["w"].data)  # type: ignore[arg-type]
        bias = graph.values["b"].data.tolist() if "b" in graph.values else [0] * len(w)  # type: ignore[union-attr]
        out = graph.values["y"].format
        assert isinstance(out, Affine)
        lo, hi = node.attrs.get("lo", out.grid_range[0]), node.attrs.get("hi", out.grid_range[1])
        m, s = node.ints("multiplier"), node.ints("shift")
        want = np.empty((*x.shape[:-1], len(w)), dtype=np.int64)
        for index in np.ndindex(want.shape):
            channel = index[-1]
            total = sum(a * b for a, b in zip(x[index[:-1]], w[channel], strict=True)) + bias[channel]
            which = channel if len(m) > 1 else 0
            grid = scale_scalar(int(total), m[which], s[which], node.text("rounding"))
            want[index] = min(max(grid, lo), hi) + out.zero_point  # type: ignore[type-var, operator]
        found = reference(graph, inputs)["y"]
        np.testing.assert_array_equal(found, want)
        differed += int((want != want.flat[0]).sum())
    assert differed > 100


def test_average_pool_in_fractions() -> None:
    ties = 0
    for seed in range(SEEDS):
        graph, inputs = scaled_case("average_pool", seed)
        node, x = graph.nodes[0], graph.values["x"]
        out = graph.values["y"].format
        assert isinstance(out, Affine)
        (kh, kw), (sh, sw), pad = node.ints("kernel"), node.ints("stride"), node.ints("padding")
        grid = grid_at(graph, "x", inputs["x"])
        found = reference(graph, inputs)["y"]
        for n, oy, ox, c in np.ndindex(found.shape):
            rows = [oy * sh - pad[0] + k for k in range(kh)]
            columns = [ox * sw - pad[2] + k for k in range(kw)]
            seen = [grid[n, i, j, c] for i in rows for j in columns if 0 <= i < x.shape[0] and 0 <= j < x.shape[1]]
            mean = Fraction(int(sum(seen)), kh * kw if node.integer("include_pad") else len(seen))
            rule = node.text("rounding")
            if rule == CODE_RULE:
                code = round_scalar(mean + out.zero_point, "half_away")
            else:
                code = round_scalar(mean, rule) + out.zero_point
            ties += mean.denominator == 2
            assert found[n, oy, ox, c] == min(max(code, out.code_range[0]), out.code_range[1])
    assert ties > 50
