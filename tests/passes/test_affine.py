"""Passes on graphs whose scales are no power of two: the same answers, zero points and multipliers of channels kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from equivalence import assert_kept, count, node_of, same_answers
from scaled_graphs import MAKERS, fmt, scaled_case, stage

from edgeq.emulator import reference
from edgeq.formats import CODE_RULE, Affine, FixedPoint
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.ir.operator import output_bounds
from edgeq.passes import PASSES, optimise
from edgeq.passes.bypass_requantise import bypass_requantise
from edgeq.passes.dead_channels import remove_dead_channels
from edgeq.passes.fold_constants import fold_constants
from edgeq.passes.fuse_requantise import fuse_requantise
from edgeq.passes.identities import remove_identities
from edgeq.passes.layout import remove_transposes
from edgeq.passes.merge_pad import merge_pad
from edgeq.verify.random_graphs import random_inputs

I8 = Affine(8, True, -7, 0.05)
U8 = Affine(8, False, 200, 0.3)


class Net:
    """Small affine convolutional nets with channels of zeros where they are wanted."""

    def __init__(self, shape: tuple[int, ...] = (6, 6, 3), seed: int = 0, x: Affine = I8) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder("net")
        self.x = self.b.input("x", shape, x)

    def weight(self, shape: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...], zero: int = 0) -> str:
        codes = self.rng.integers(1, 100, shape) * self.rng.choice([-1, 1], shape)
        codes[list(rows)] = 0
        codes[..., list(columns)] = 0
        each = tuple(float(s) for s in self.rng.uniform(0.01, 1, shape[0]))
        one = Affine(8, True, zero, 0.25)
        return self.b.constant("w", np.clip(codes + zero, -128, 127), one if zero else Affine(8, True, 0, each, 0))

    def conv(
        self,
        x: str,
        outputs: int,
        rows: tuple[int, ...] = (),
        columns: tuple[int, ...] = (),
        bias: list[int] | None = None,
        pad: int = 1,
        groups: int = 1,
        out: Affine = I8,
        zero: int = 0,
        **attrs: Attr,
    ) -> str:
        """A 3x3 convolution whose weights of output channels `rows` and input channels `columns` are zero."""
        inputs = self.b.values[x].shape[-1]
        names = [x, self.weight((outputs, 3, 3, inputs // groups), rows, columns, zero)]
        if bias is not None:
            names.append(self.b.constant("bias", bias, Affine(32, True, 0, tuple([0.01] * outputs), 0)))
        window: dict[str, Attr] = {"stride": (1, 1), "padding": (pad,) * 4, "dilation": (1, 1), "groups": groups}
        return self.b.node("conv", "conv", names, out, **window, **multipliers(self.rng, outputs), **attrs)

    def build(self, *outputs: str) -> Graph:
        return self.b.build(outputs)


def multipliers(rng: np.random.Generator, channels: int) -> dict[str, Attr]:
    """One for each channel, so that a channel that goes must take its own with it."""
    m = tuple(int(v) for v in rng.integers(1 << 30, 1 << 31, channels))
    return {"multiplier": m, "shift": tuple(int(v) for v in rng.integers(37, 40, channels)), "rounding": "tflite"}


def channels(graph: Graph, name: str) -> int:
    return graph.values[name].shape[-1]


def test_unread_channels_go_with_their_multipliers_at_padded_borders() -> None:
    net = Net()
    y = net.conv(net.x, 5, bias=[100, -700, 3000, 999, 5])
    before = net.build(net.conv(y, 4, columns=(1, 3), pad=2, bias=[1, 2, 3, 4], out=U8))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    first, second = after.nodes
    assert first.ints("multiplier") == tuple(before.nodes[0].ints("multiplier")[i] for i in (0, 2, 4))
    assert second.attrs == before.nodes[1].attrs
    assert_kept(before, after)


@pytest.mark.parametrize("bias", [[1, 2, 3, 4], None])
@pytest.mark.parametrize("out", [I8, U8])
def test_constant_channels_go_into_the_bias_without_padding(bias: list[int] | None, out: Affine) -> None:
    net = Net()
    y = net.conv(net.x, 5, rows=(0, 2), bias=[9000, -700, -3000, 999, 5], out=out)
    before = net.build(net.conv(y, 4, pad=0, bias=bias))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    assert isinstance(after.values[after.nodes[1].inputs[2]].format, Affine)
    assert_kept(before, after)


def test_a_constant_off_the_zero_point_stays_at_a_padded_border() -> None:
    """With the zero point as its code, padding looks like the channel; with any other code it does not."""
    net = Net()
    y = net.conv(net.x, 5, rows=(0, 2), bias=[9000, -700, 0, 999, 5])
    before = net.build(net.conv(y, 4, pad=1))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 4
    assert_kept(before, after)
    # Zeros in place of the constant of channel 0 would be wrong, and the comparison sees it.
    weight = before.values["w_2"]
    assert weight.data is not None
    codes = weight.data.copy()
    codes[..., 0] = 0
    wrong = before.replace(values={**before.values, "w_2": dataclasses.replace(weight, data=codes)})
    assert not same_answers(before, wrong)


def test_weights_of_a_zero_point_are_dead_at_their_zero_point() -> None:
    net = Net()
    y = net.conv(net.x, 5, bias=[100, -700, 3000, 999, 5])
    before = net.build(net.conv(y, 4, columns=(1, 3), zero=9))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    assert_kept(before, after)
    net = Net()
    y = net.conv(net.x, 5)
    off = net.build(net.conv(y, 4, columns=(1,), zero=9))
    weight = off.values["w_2"]
    assert weight.data is not None
    codes = np.where(weight.data == 9, 0, weight.data)  # code 0 is the number -9
    off = off.replace(values={**off.values, "w_2": dataclasses.replace(weight, data=codes)})
    assert channels(remove_dead_channels(off), "conv") == 5


def test_a_relu_that_is_never_positive_is_a_constant() -> None:
    net = Net()
    y = net.conv(net.x, 4, bias=[0, -(1 << 21), 0, -(1 << 21)], lo=0)
    before = net.build(net.conv(y, 2))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 2
    assert_kept(before, after)
    net = Net()
    y = net.conv(net.x, 4, bias=[0, -1000, 0, -1000], lo=0)
    alive = net.build(net.conv(y, 2))
    assert remove_dead_channels(alive) is alive


def test_constant_goes_through_a_join_with_multipliers_and_a_depthwise() -> None:
    net = Net()
    a = net.conv(net.x, 5, rows=(1, 3), bias=[1, 4000, 3, 8000, 5])
    c = net.conv(net.x, 5, rows=(1,), bias=[1, -9000, 3, 4, 5], out=U8)
    join: dict[str, Attr] = {"left": 20, "a_multiplier": 1 << 30, "a_shift": 31, "b_multiplier": 3 << 29, "b_shift": 32}
    y = net.b.node("add", "join", [a, c], I8, **join, multiplier=(1 << 30,), shift=(50,), rounding="tflite")
    y = net.conv(y, 5, groups=5, pad=0, bias=[1, 2, 3, 4, 5])
    before = net.build(net.conv(y, 2, columns=(4,), pad=0))
    after = remove_dead_channels(before)
    assert channels(after, "join") == channels(after, a) == channels(after, c) == 3
    assert_kept(before, after)


@pytest.mark.parametrize("x", [I8, U8])
def test_a_pad_of_the_zero_point_goes_into_the_convolution(x: Affine) -> None:
    for value in (0, 3):
        net = Net(x=x)
        y = net.b.node("pad", "pad", [net.x], x, padding=(1, 2, 0, 1, 0, 0), mode="constant", value=value)
        before = net.build(net.conv(y, 4, pad=0, groups=1, bias=[1, 2, 3, 4]))
        after = merge_pad(before)
        assert count(after, "pad") == (value != 0)
        assert_kept(before, after)
        if value == 0:
            assert node_of(after, "conv").attrs["padding"] == (1, 2, 0, 1)
        else:
            attrs = {**node_of(before, "conv").attrs, "padding": (1, 2, 0, 1)}
            conv = dataclasses.replace(node_of(before, "conv"), attrs=attrs, inputs=("x", "w", "bias"))
            values = {k: v for k, v in before.values.items() if k != "pad"}
            assert not same_answers(before, before.replace(nodes=(conv,), values=values))


def test_a_pad_goes_into_an_average_that_rounds_codes() -> None:
    b = GraphBuilder("pool")
    x = b.input("x", (5, 6, 3), U8)
    y = b.node("pad", "pad", [x], U8, padding=(1, 0, 0, 1, 0, 0), mode="constant", value=0)
    window: dict[str, Attr] = {"kernel": (3, 3), "stride": (1, 2), "padding": (0,) * 4}
    y = b.node("average_pool", "y", [y], U8, **window, include_pad=0, rounding=CODE_RULE)
    before = b.build([y])
    after = merge_pad(before)
    assert count(after, "pad") == 0
    assert node_of(after, "average_pool").attrs["include_pad"] == 1
    assert_kept(before, after)


def test_a_relu_of_one_scale_goes_into_the_convolution_before_it() -> None:
    for relu in (I8, Affine(8, True, -128, 0.05), Affine(8, False, 0, 0.05)):
        net = Net()
        y = net.conv(net.x, 4, bias=[1, 2, 3, 4])
        y = net.b.node("max_pool", "pool", [y], I8, kernel=(2, 2), stride=(2, 2), padding=(0,) * 4, dilation=(1, 1))
        before = net.build(net.b.node("requantise", "relu", [y], relu, lo=0, hi=100))
        after = optimise(before)
        assert [n.op for n in after.nodes] == ["conv", "max_pool"]
        conv = after.nodes[0]
        assert output_bounds(conv, relu)[0] == 0
        assert conv.ints("multiplier") == before.nodes[0].ints("multiplier")
        assert_kept(before, after)


def test_a_second_multiplier_stays() -> None:
    net = Net()
    y = net.conv(net.x, 4, bias=[1, 2, 3, 4])
    stage: dict[str, Attr] = {"multiplier": (1 << 30,), "shift": (30,), "rounding": "tflite"}
    before = net.build(net.b.node("requantise", "again", [y], U8, **stage))
    assert optimise(before) is before


@pytest.mark.parametrize("clip", [I8, Affine(8, True, 30, 0.05)])
def test_an_average_of_codes_keeps_its_zero_point(clip: Affine) -> None:
    """Rounding half away from zero as a code: with another zero point a tie goes the other way."""
    b = GraphBuilder("average")
    x = b.input("x", (4, 4, 2), I8)
    pool: dict[str, Attr] = {"kernel": (2, 2), "stride": (2, 2), "padding": (0,) * 4, "include_pad": 1}
    y = b.node("average_pool", "mean", [x], I8, **pool, rounding=CODE_RULE)
    before = b.build([b.node("requantise", "clip", [y], clip, lo=0)])
    after = fuse_requantise(before)
    assert count(after, "requantise") == (clip != I8)
    assert_kept(before, after)


def test_a_requantise_of_a_table_is_a_table() -> None:
    for many in (False, True):
        b = GraphBuilder("table")
        rng = np.random.default_rng(0)
        x = b.input("x", (5, 3), I8)
        table = b.constant("t", rng.integers(0, 256, 256), U8)
        y = b.node("table", "t", [x, table], U8)
        scaling = multipliers(rng, 3 if many else 1) | {"shift": (32,) * (3 if many else 1)}
        before = b.build([b.node("requantise", "y", [y], I8, **scaling)])
        after = fuse_requantise(before)
        assert (after is before) == many
        assert_kept(before, after)


def test_constants_are_folded() -> None:
    net = Net()
    y = net.conv(net.x, 4, rows=(0, 1, 2, 3), bias=[9000, -7000, 3000, 0], pad=0)
    z = net.conv(net.x, 4, pad=0)
    scaling: dict[str, Attr] = {"multiplier": (1 << 30,), "shift": (44,), "rounding": "tflite"}
    before = net.build(net.b.node("mul", "y", [y, z], I8, **scaling))
    after = fold_constants(before)
    assert [n.op for n in after.nodes] == ["conv", "mul"]
    assert_kept(before, after)


def test_identities_of_affine_formats() -> None:
    b = GraphBuilder("identities")
    x = b.input("x", (4, 3, 2), U8)
    y = b.node("reshape", "flat", [x], U8, shape=(24,))
    y = b.node("reshape", "back", [y], U8, shape=(4, 3, 2))
    y = b.node("requantise", "nothing", [y], U8, lo=-200, hi=55)
    y = b.node("average_pool", "one", [y], U8, kernel=(1, 1), stride=(1, 1), padding=(0,) * 4, include_pad=1,
               rounding=CODE_RULE)  # fmt: skip
    y = b.node("requantise", "shifted", [y], Affine(8, True, -100, 0.3))
    before = b.build([b.node("requantise", "scaled", [y], I8, multiplier=(1 << 30,), shift=(29,), rounding="tflite")])
    after = remove_identities(before)
    assert [n.op for n in after.nodes] == ["requantise", "requantise"]
    assert_kept(before, after)


def test_a_transpose_does_not_pass_multipliers_of_channels() -> None:
    for many in (False, True):
        b = GraphBuilder("turn")
        rng = np.random.default_rng(0)
        x = b.input("x", (3, 3, 3), I8)
        w = b.constant("c", rng.integers(-9, 9, (3, 3, 3)), I8)
        y = b.node("table", "t", [x, b.constant("t", np.arange(-128, 128)[::-1], I8)], I8)
        y = b.node("transpose", "turn", [y], I8, permutation=(2, 0, 1))
        scaling = multipliers(rng, 3 if many else 1) | {"shift": (35,) * (3 if many else 1)}
        y = b.node("mul", "scale", [y, w], I8, **scaling)
        before = b.build([b.node("transpose", "back", [y], I8, permutation=(1, 2, 0))])
        after = optimise(before)
        assert count(after, "transpose") == (1 if many else 0)
        assert_kept(before, after)


def test_a_multiplier_sees_the_grid_that_it_was_made_for() -> None:
    """A widening between binary points changes no number, but the grid integers that a multiplier takes."""
    for point in (4, 6):
        b = GraphBuilder("grids")
        x = b.input("x", (5,), FixedPoint(8, 4))
        y = b.node("requantise", "wide", [x], FixedPoint(16, point))
        before = b.build([b.node("requantise", "y", [y], I8, multiplier=(1 << 30,), shift=(33,))])
        after = bypass_requantise(before)
        assert (after is before) == (point == 6)
        assert_kept(before, after)


def random_net(seed: int) -> Graph:
    """Affine layers in a row: zeros in weights, biases and none, pads of any number, joins, clips, averages, moves."""
    net = Net(seed=seed, x=fmt(np.random.default_rng(seed)))
    rng, b = net.rng, net.b
    y = net.x
    for _ in range(int(rng.integers(3, 8))):
        shape, kind = b.values[y].shape, int(rng.integers(0, 9))
        x, out = b.values[y].format, fmt(rng)
        assert isinstance(x, Affine)
        c, size = shape[-1], int(rng.integers(2, 7))
        dead = lambda n: tuple(int(i) for i in np.nonzero(rng.random(n) < 0.3)[0])  # noqa: E731
        pad = int(rng.integers(0, 2)) if min(shape[:2]) > 3 else 1
        bound: dict[str, Attr] = {"lo": 0} if rng.integers(2) and out.grid_range[0] <= 0 else {}
        values = [int(v) for v in rng.integers(-20000, 20000, 16) * rng.integers(0, 2, 16)]
        some = rng.random() < 0.8
        if kind <= 2:
            y = net.conv(y, size, dead(size), dead(c), values[:size] if some else None, pad, out=out, **bound)
        elif kind == 3:
            y = net.conv(y, c, dead(c), (), values[:c] if c <= 16 else None, pad, groups=c, out=out, **bound)
        elif kind == 4:
            least, most = x.grid_range
            fill = 0 if rng.integers(3) else int(rng.integers(least, most + 1))
            y = b.node("pad", "pad", [y], x, padding=(1, 0, 0, 1, 0, 0), mode="constant", value=fill)
        elif kind == 5:
            moved = Affine(8, x.sign, int(rng.integers(*x.code_range)), x.scale)
            y = b.node("requantise", "clip", [y], moved, lo=max(moved.grid_range[0], min(0, moved.grid_range[1])))
        elif kind == 6:
            pool: dict[str, Attr] = {"kernel": (2, 2), "stride": (1, 1), "padding": (1, 0, 1, 0)}
            y = b.node("average_pool", "mean", [y], x, **pool, include_pad=int(rng.integers(2)), rounding=CODE_RULE)
        elif kind == 7:
            factor = b.constant("factor", rng.integers(0, 256, c), U8)
            attrs = stage(rng, out, 1 << 15, c)
            y = b.node("mul", "scale", [y, factor], out, **attrs)  # type: ignore[arg-type]
        else:
            turn = (1, 0, 2) if rng.integers(2) else (0, 2, 1)
            y = b.node("transpose", "turn", [y], x, permutation=turn)
            if rng.integers(2):
                y = b.node("transpose", "back", [y], x, permutation=turn)
            if b.values[y].shape[-1] > 16 or min(b.values[y].shape[:2]) < 3:
                break
    y = b.node("reshape", "flat", [y], b.values[y].format, shape=(b.values[y].size,))
    w = net.weight((2, b.values[y].size), (), ())
    return b.build([b.node("linear", "fc", [y, w], fmt(rng), **multipliers(rng, 2))])


def kept(graph: Graph, seed: int) -> bool:
    """All passes, one by one and together; whether one fired. Tensors that keep name, shape and format keep codes."""
    after = optimise(graph)
    assert_kept(graph, after, seed, samples=4)
    assert optimise(after) is after
    assert len(after.nodes) <= len(graph.nodes)
    if not after.layouts:
        inputs = random_inputs(graph, np.random.default_rng(seed), 3)
        first, second = reference(graph, inputs), reference(after, inputs)
        for name in first.keys() & second.keys():
            a, b = graph.values[name], after.values[name]
            if a.shape == b.shape and a.format == b.format:
                assert np.array_equal(first[name], second[name]), name
    for run in PASSES.values():
        alone = run(graph)
        if alone is not graph:
            assert_kept(graph, alone, seed, samples=2)
    return after is not graph


def test_random_affine_nets() -> None:
    changed = gone = 0
    for seed in range(60):
        graph = random_net(seed)
        changed += kept(graph, seed)
        small = remove_dead_channels(graph)
        gone += sum(channels(graph, v) - channels(small, v) for v in graph.values if v in small.values)
    assert changed > 40
    assert gone > 100


@pytest.mark.heavy
def test_many_random_affine_nets() -> None:
    assert sum(kept(random_net(seed), seed) for seed in range(1000, 2500)) > 1000


@pytest.mark.parametrize("op", MAKERS)
def test_random_operators(op: str) -> None:
    for seed in range(25):
        graph, _ = scaled_case(op, seed)
        kept(graph, seed)


def test_transposes_of_affine_convolutions_end_in_the_weights() -> None:
    net = Net()
    y = net.b.node("transpose", "nchw", [net.conv(net.x, 4)], I8, permutation=(2, 0, 1))
    y = net.b.node("reshape", "flat", [y], I8, shape=(144,))
    w = net.weight((3, 144), (), ())
    before = net.build(net.b.node("linear", "fc", [y, w], I8, **multipliers(net.rng, 3)))
    after = remove_transposes(before)
    assert count(after, "transpose") == 0
    assert_kept(before, after)
