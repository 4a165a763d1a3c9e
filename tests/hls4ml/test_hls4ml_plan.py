"""What hls4ml is given: exact types, one grid for channels, and refusals that name layer and reason."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import NAMED, Affine, FixedPoint, Minifloat, grouped
from edgeq.formats.rounding import round_scalar
from edgeq.hls4ml.matrix import one_grid, real
from edgeq.hls4ml.plan import PRODUCTS, folding, make_plan
from edgeq.hls4ml.pools import divided
from edgeq.hls4ml.precision import ApType, clamping, holding, result_type
from edgeq.ir import Graph, Node, Value
from tests.fpga.networks import U8, Net, digits
from tests.hls4ml.networks import S8, dense, joins, residual


def test_every_type_of_a_layer_is_said() -> None:
    plan = make_plan(dense())
    assert plan.io == "parallel"
    assert [str(kind) for kind in plan.layers[0].types.values()] == ["ap_fixed<8,3,AP_TRN,AP_WRAP>"]
    types = {key: str(kind) for key, kind in plan.layers[2].types.items()}
    # points 1, 2, 3, 5 of four bits: the first channel's weights are moved four places up
    assert types["weight"] == "ap_fixed<8,3,AP_TRN,AP_WRAP>"
    assert types["result"] == "ap_fixed<8,6,AP_RND_CONV,AP_SAT>"
    assert plan.layers[2].types["accum"].frac == 4 + 5


def test_an_accumulator_holds_its_worst_case() -> None:
    net = Net()
    w = net.b.constant("w", [[-8, -8, 7]], FixedPoint(4, 0))
    graph = net.b.build([net.b.node("linear", "y", [net.input((3,), S8), w], FixedPoint(16, 4))])
    accum = make_plan(graph).layers[1].types["accum"]
    # 16 * 128 + 7 * 127 = 2937 and -(16 * 127 + 7 * 128) = -2928 in two's complement
    assert (accum.width, accum.frac, accum.sign) == (13, 4, True)


def test_channels_on_one_grid_are_the_same_numbers() -> None:
    codes = np.array([[1, -8], [7, 3]])
    value = Value("w", (2, 2), FixedPoint(4, (-2, 3), True, 0), codes)
    grid, frac = one_grid(Node("linear", "y", (), ()), value)
    assert real(grid, frac).tolist() == [[4.0, -32.0], [0.875, 0.375]]


def test_groups_on_one_grid_are_the_same_numbers() -> None:
    fmt = grouped(NAMED["e2m1"], 2, np.array([[0, -3, 1], [-1, -1, 2]]))
    value = Value("w", (2, 5), fmt, np.arange(10).reshape(2, 5) % 16)
    grid, frac = one_grid(Node("linear", "y", (), ()), value)
    assert np.array_equal(real(grid, frac), fmt.decode(value.data))


@pytest.mark.parametrize("clip", [(0, 12), (-5, 11), (3, 15), (-16, 4), (-7, -7), (5, 5)])
@pytest.mark.parametrize("sign", [True, False])
def test_any_clamp_by_saturation(clip: tuple[int, int], sign: bool) -> None:
    own = ApType(5, 2, sign)
    low, high = (-16, 15) if sign else (0, 31)
    if clip[0] < low:
        return
    for code in range(low, high + 1):
        found = code
        for add, kind in clamping(own, clip):
            least, most = (
                (-(1 << kind.width - 1), (1 << kind.width - 1) - 1) if kind.sign else (0, (1 << kind.width) - 1)
            )
            found = min(max(found + add, least), most)
        assert found == min(max(code, clip[0]), clip[1])


@pytest.mark.parametrize("rule", ["half_up", "half_even", "floor", "half_away", "half_down", "half_to_zero", "to_zero"])
@pytest.mark.parametrize("terms", [3, 4, 7, 9])
def test_a_truncated_quotient_rounds_as_the_exact_one(rule: str, terms: int) -> None:
    for points in ((0, 0), (2, 0), (0, 3), (3, 1)):
        net = Net()
        x = net.input((terms, 1), FixedPoint(4, points[0]))
        graph = net.b.build([net.b.node("mean", "m", [x], FixedPoint(12, points[1]), axes=(0,), keep_axes=0)])
        fine = divided(make_plan(graph), graph.nodes[0], terms).frac
        for total in range(-8 * terms, 7 * terms + 1):
            exact = Fraction(total, terms) * Fraction(2) ** (points[1] - points[0])
            # C++ divides towards zero
            cut = Fraction(int(Fraction(total << (fine - points[0]), terms)), 1 << fine) * 2 ** points[1]
            assert round_scalar(cut, rule) == round_scalar(exact, rule)


def test_reuse_factors_are_those_that_hls4ml_takes() -> None:
    assert folding(16, 16) == 1
    for terms, results in ((27, 16), (144, 32), (48, 96), (1000, 10), (64, 64), (7, 300)):
        fold = folding(terms, results)
        assert terms * results <= fold * PRODUCTS
        assert terms % fold == 0 or (fold % terms == 0 and results % (fold // terms) == 0)


def one(op: str, fmt: FixedPoint | Affine | Minifloat = S8, out: FixedPoint = S8, **attrs: object) -> Graph:
    """A network of one layer."""
    net = Net()
    x = net.b.input("x", (4, 4, 2), fmt)
    return net.b.build([net.b.node(op, "it", [x], out, source="features.3", **attrs)])  # type: ignore[arg-type]


REFUSED: dict[str, tuple[Callable[[], Graph], str, str]] = {
    "operator": (digits, "stream", "argmax top: is not given to hls4ml"),
    "affine": (
        lambda: one("requantise", Affine(8, True, 3, 0.1), multiplier=(5,), shift=(3,)),
        "parallel",
        "power of two",
    ),
    "minifloat": (lambda: one("requantise", Minifloat(2, 1)), "parallel", "fixed point"),
    "multiplier": (lambda: one("requantise", multiplier=(5,), shift=(3,)), "parallel", "layer features.3.*multiplier"),
    "clamped wrap": (lambda: one("requantise", lo=0, overflow="wrap"), "parallel", "clamps and then overflows"),
    "mean": (lambda: one("mean", axes=(2,), keep_axes=0), "stream", "mean over axes"),
    "fill": (lambda: one("pad", padding=(1, 1, 1, 1, 0, 0), mode="constant", value=3), "stream", "pads with zeros"),
    "dilated": (
        lambda: one("max_pool", kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(2, 2)),
        "parallel",
        "dilated",
    ),
    "stride": (
        lambda: one("average_pool", kernel=(2, 2), stride=(1, 1), padding=(0,) * 4, include_pad=1),
        "stream",
        "a stride .* use --io parallel",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_exact_equal_is_refused(case: str) -> None:
    make, io, reason = REFUSED[case]
    with pytest.raises(UnsupportedError, match=reason) as caught:
        make_plan(make(), io)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("hls4ml: ")


def test_points_too_far_apart_are_refused() -> None:
    net = Net()
    w = net.b.constant("w", [[7, 1], [7, 1]], FixedPoint(4, (-25, 26), True, 0))
    x = net.input((2,), FixedPoint(4, 0))
    b = net.b.node("linear", "far", [x, w], FixedPoint(16, -26))
    with pytest.raises(UnsupportedError, match="linear far: w: its channels on one binary point need 54 bits"):
        make_plan(net.b.build([b]))


def test_no_more_bits_are_rounded_away_than_there_are() -> None:
    coarse = FixedPoint(4, -10)
    with pytest.raises(UnsupportedError, match=r"requantise it .* drops 14 bits of 8"):
        make_plan(one("requantise", out=coarse))
    net = Net()
    linear = net.b.node("linear", "y", [net.input((3,), S8), net.constant("w", (2, 3))], coarse)
    # 4 + 3 places before and -10 after the rounding; the sum itself needs fewer than 17 bits
    assert make_plan(net.b.build([linear])).layers[1].types["accum"] == ApType(17, 7, True)


@pytest.mark.parametrize(("io", "rows"), [("stream", 2), ("parallel", 1)])
def test_a_kernel_of_one_row_keeps_its_vertical_stride(io: str, rows: int) -> None:
    net = Net()
    attrs = {"stride": (2, 1), "padding": (0, 0, 1, 0), "dilation": (1, 1), "groups": 1}
    w = net.b.constant("w", net.rng.integers(-8, 8, (3, 1, 3, 2)), FixedPoint(4, 0))
    graph = net.b.build([net.b.node("conv", "y", [net.input((5, 5, 2), S8), w], S8, **attrs)])  # type: ignore[arg-type]
    found = make_plan(graph, io).layers[1].attributes
    assert found["weight_data"].shape == (rows, 3, 2, 3)
    assert not found["weight_data"][1:].any()
    assert (found["filt_height"], found["pad_bottom"], found["out_height"]) == (rows, rows - 1, 3)


def test_broadcasts_and_unknown_streams_are_refused() -> None:
    net = Net()
    x = net.input((4, 4, 2), S8)
    row = net.b.input("row", (2,), S8)
    with pytest.raises(UnsupportedError, match="differ"):
        make_plan(net.b.build([net.b.node("add", "wide", [x, row], S8)]))
    with pytest.raises(InputError, match="--io wires"):
        make_plan(dense(), "wires")


def test_bounds_that_a_type_has_need_no_layer() -> None:
    def of(fmt: FixedPoint, **attrs: int) -> tuple[str, tuple[int, int] | None]:
        kind, clip = result_type(Node("requantise", "y", ("x",), ("y",), attrs), Value("y", (1,), fmt))
        return str(kind), clip

    assert of(S8, lo=0) == ("ap_ufixed<7,3,AP_RND,AP_SAT>", None)
    assert of(S8, lo=-127) == ("ap_fixed<8,4,AP_RND,AP_SAT_SYM>", None)
    assert of(S8, lo=-8, hi=7) == ("ap_fixed<4,0,AP_RND,AP_SAT>", None)
    assert of(U8, hi=31) == ("ap_ufixed<5,1,AP_RND,AP_SAT>", None)
    assert of(U8, hi=96) == ("ap_ufixed<8,4,AP_RND,AP_SAT>", (0, 96))
    assert holding(-1, 0, 3).width == 2


def test_plans_of_whole_networks() -> None:
    for graph, io in ((joins(True), "stream"), (joins(False), "parallel"), (residual(), None)):
        plan = make_plan(graph, io)
        computed = {name for node in graph.nodes for name in node.outputs}
        assert computed == set(plan.at) - set(graph.inputs)
        assert len({layer.name.lower() for layer in plan.layers}) == len(plan.layers)
