"""Dead channels: unread and constant ones go, exactly; those that a padded border can tell apart stay."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence import assert_kept, same_answers

from edgeq.formats import NAMED, FixedPoint, Format
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.passes import optimise
from edgeq.passes.dead_channels import remove_dead_channels
from edgeq.verify.random_graphs import random_graph

S8 = FixedPoint(8, 4)
W8 = FixedPoint(8, 5)


class Net:
    """A builder of small convolutional nets with channels of zeros where they are wanted."""

    def __init__(self, shape: tuple[int, ...] = (6, 6, 3), seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder("net")
        self.x = self.b.input("x", shape, S8)

    def weights(self, shape: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]) -> np.ndarray:
        codes = self.rng.integers(1, 30, shape) * self.rng.choice([-1, 1], shape)
        codes[list(rows)] = 0
        codes[..., list(columns)] = 0
        return codes

    def conv(
        self,
        x: str,
        outputs: int,
        rows: tuple[int, ...] = (),
        columns: tuple[int, ...] = (),
        bias: list[int] | None = None,
        pad: int = 1,
        groups: int = 1,
        weight: Format = W8,
        op: str = "conv",
        **attrs: Attr,
    ) -> str:
        """A 3x3 convolution whose weights of output channels `rows` and input channels `columns` are zero."""
        inputs = self.b.values[x].shape[-1]
        codes = self.weights((outputs, 3, 3, inputs // groups), rows, columns)
        names = [x, self.b.constant("w", codes, weight)]
        if bias is not None:
            names.append(self.b.constant("bias", bias, FixedPoint(16, 8)))
        if op == "conv_transpose":
            attrs["output_padding"] = (0, 0)
        window: dict[str, Attr] = {"stride": (1, 1), "padding": (pad,) * 4, "dilation": (1, 1), "groups": groups}
        return self.b.node(op, op, names, S8, **window, **attrs)

    def build(self, *outputs: str) -> Graph:
        return self.b.build(outputs)


def channels(graph: Graph, name: str) -> int:
    return graph.values[name].shape[-1]


def test_unread_channels_go_even_at_padded_borders() -> None:
    net = Net()
    y = net.conv(net.x, 5, bias=[100, -7, 30, 999, 5])
    y = net.conv(y, 4, columns=(1, 3), pad=2, bias=[1, 2, 3, 4])
    before = net.build(y)
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    assert after.values["w_2"].shape == (4, 3, 3, 3)
    assert_kept(before, after)


def test_constant_channels_go_into_the_bias_without_padding() -> None:
    for bias in ([1, 2, 3, 4], None):
        net = Net()
        y = net.conv(net.x, 5, rows=(0, 2), bias=[100, -7, -300, 999, 5])
        y = net.conv(y, 4, pad=0, bias=bias)
        before = net.build(y)
        after = remove_dead_channels(before)
        assert channels(after, "conv") == 3
        assert_kept(before, after)
        assert len(after.nodes[1].inputs) == 3


def test_constant_channel_that_a_padded_border_sees_stays() -> None:
    """The exact trap: bias only, but not zero, and the next convolution pads with zeros."""
    net = Net()
    y = net.conv(net.x, 5, rows=(0, 2), bias=[100, -7, 0, 999, 5])
    y = net.conv(y, 4, pad=1, bias=[1, 2, 3, 4])
    before = net.build(y)
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 4  # channel 2 is zero and goes, channel 0 is not and stays
    assert_kept(before, after)
    # Removing it as the unpadded rule does would be wrong at the border, and the comparison sees it.
    assert not same_answers(before, _removed_as_if_unpadded(before))


def _removed_as_if_unpadded(before: Graph) -> Graph:
    nodes = [
        n if i == 0 else type(n)(n.op, n.name, n.inputs, n.outputs, {**n.attrs, "padding": (0,) * 4})
        for i, n in enumerate(before.nodes)
    ]
    y = before.outputs[0]
    values = dict(before.values)
    old = values[y]
    values[y] = type(old)(y, (4, 4, 4), old.format)
    after = remove_dead_channels(before.replace(nodes=tuple(nodes), values=values))
    last = after.nodes[1]
    padded = type(last)(last.op, last.name, last.inputs, last.outputs, {**last.attrs, "padding": (1,) * 4})
    return after.replace(nodes=(after.nodes[0], padded), values={**after.values, y: old})


def test_constant_goes_through_relu_pool_depthwise_and_flatten() -> None:
    net = Net()
    b = net.b
    y = net.conv(net.x, 6, rows=(1, 4), bias=[10, 70, 30, -50, -60, 5])
    y = b.node("requantise", "relu", [y], S8, lo=0)
    y = b.node("max_pool", "pool", [y], S8, kernel=(2, 2), stride=(2, 2), padding=(1, 0, 0, 1), dilation=(1, 1))
    y = net.conv(y, 6, groups=6, pad=0, bias=[1, 2, 3, 4, 5, 6])
    y = b.node("reshape", "flat", [y], S8, shape=(b.values[y].size,))
    w = b.constant("fc_w", net.weights((3, b.values[y].size), (), ()), W8)
    before = b.build([b.node("linear", "fc", [y, w], FixedPoint(16, 4))])
    after = optimise(before)
    assert channels(after, "pool") == 4
    assert channels(after, "conv_2") == 4
    assert after.nodes[-1].op == "linear"
    assert after.values["fc_w"].shape == (3, 4)
    assert_kept(before, after)


def test_depthwise_with_padding_keeps_a_constant_that_is_not_zero() -> None:
    net = Net()
    y = net.conv(net.x, 4, rows=(1, 2), bias=[10, 70, 0, -50])
    y = net.conv(y, 4, groups=4, pad=1)
    y = net.conv(y, 2, pad=0)
    before = net.build(y)
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    assert_kept(before, after)


def test_depthwise_channel_without_weights_is_its_bias() -> None:
    net = Net()
    y = net.conv(net.x, 4, bias=[10, 70, 0, -50])
    y = net.conv(y, 4, rows=(2,), groups=4, pad=1, bias=[5, 6, 70, 8])
    y = net.conv(y, 2, pad=0)
    before = net.build(y)
    after = remove_dead_channels(before)
    assert channels(after, "conv") == channels(after, "conv_2") == 3
    assert_kept(before, after)


def test_residual_joins_keep_or_lose_a_channel_together() -> None:
    net = Net()
    a = net.conv(net.x, 5, rows=(1, 3), bias=[1, 40, 3, 80, 5])
    c = net.conv(net.x, 5, rows=(1,), bias=[1, -90, 3, 4, 5])
    y = net.b.node("add", "join", [a, c], S8, rounding="half_even")
    before = net.build(net.conv(y, 2, columns=(4,), pad=0))
    after = remove_dead_channels(before)
    # 4 is unread; 1 is constant on both sides; 3 is constant on one side only.
    assert channels(after, "join") == channels(after, a) == channels(after, c) == 3
    assert_kept(before, after)


def test_join_with_an_input_or_output_keeps_all() -> None:
    net = Net((6, 6, 5))
    a = net.conv(net.x, 5, rows=(1, 3), bias=[1, 40, 3, 80, 5])
    y = net.b.node("add", "join", [a, net.x], S8)
    before = net.build(net.conv(y, 2, columns=(0,), pad=0))
    assert remove_dead_channels(before) is before
    shown = net.build(net.conv(a, 2, columns=(0,), pad=0), a)
    assert channels(remove_dead_channels(shown), a) == 5


def test_concat_parts_shrink_apart() -> None:
    net = Net()
    a = net.conv(net.x, 4, bias=[1, 2, 3, 4])
    c = net.conv(net.x, 3, rows=(0,), bias=[90, 2, 3])
    y = net.b.node("concat", "cat", [a, c, a], FixedPoint(8, 3), axis=2)
    # Channel 2 of `a` is read through neither of its two places; channel 0 of `c` is constant.
    before = net.build(net.conv(y, 2, columns=(2, 9), pad=0))
    after = remove_dead_channels(before)
    assert (channels(after, a), channels(after, c), channels(after, "cat")) == (3, 2, 8)
    assert_kept(before, after)


def test_transposed_convolution_takes_zeros_only() -> None:
    net = Net()
    y = net.conv(net.x, 4, rows=(1, 2), bias=[10, 70, 0, -50])
    before = net.build(net.conv(y, 2, op="conv_transpose", bias=[3, 4]))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 3
    assert_kept(before, after)


@pytest.mark.parametrize("weight", [FixedPoint(8, (5, 4, 6, 4), True, 0), NAMED["e2m1"].per_tensor(3)])
def test_other_weight_formats(weight: Format) -> None:
    net = Net()
    low = isinstance(weight, FixedPoint)
    y = net.conv(net.x, 4, rows=(3,), bias=[10, 70, 9, -50], weight=weight if low else W8)
    codes = net.weights((4, 3, 3, 4), (1,), (0,)) if low else net.rng.integers(0, 16, (4, 3, 3, 4))
    w = net.b.constant("w3", codes, weight)
    y = net.b.node("conv", "last", [y, w], S8, stride=(1, 1), padding=(0,) * 4, dilation=(1, 1), groups=1)
    before = net.build(net.conv(y, 2, pad=0))
    after = remove_dead_channels(before)
    assert channels(after, "conv") < 4
    assert_kept(before, after)


def test_every_value_keeps_a_channel() -> None:
    net = Net()
    y = net.conv(net.x, 3, bias=[1, 2, 3])
    before = net.build(net.conv(y, 2, columns=(0, 1, 2), bias=[50, 60]))
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 1
    assert_kept(before, after)


def test_bias_without_room_keeps_the_channels() -> None:
    """A folded constant that 32 bits do not hold on the grid of the products stays where it is."""
    b = GraphBuilder("room")
    x = b.input("x", (4,), S8)
    w = b.constant("w", [[3, 4, 5, 6], [0, 0, 0, 0]], W8)
    bias = b.constant("bias", [0, (1 << 30)], FixedPoint(32, 9))
    y = b.node("linear", "a", [x, w, bias], FixedPoint(32, 9))
    w = b.constant("w", [[1, 100]], FixedPoint(8, 0))
    graph = b.build([b.node("linear", "b", [y, w], FixedPoint(32, 0))])
    assert remove_dead_channels(graph) is graph


def test_shared_weights_keep_their_other_reader() -> None:
    net = Net()
    a = net.conv(net.x, 3, bias=[1, 2, 3])
    w = net.b.constant("both", net.weights((2, 3, 3, 3), (), (1,)), W8)
    window: dict[str, Attr] = {"stride": (1, 1), "padding": (1,) * 4, "dilation": (1, 1), "groups": 1}
    y = net.b.node("conv", "y", [a, w], S8, **window)
    z = net.b.node("conv", "z", [net.x, w], S8, **window)
    before = net.build(y, z)
    after = remove_dead_channels(before)
    assert channels(after, "conv") == 2
    assert after.values["both"].shape == (2, 3, 3, 3)
    assert_kept(before, after)


def random_net(seed: int) -> Graph:
    """A random stack of layers, each with rows and columns of zeros and biases that are sometimes zero."""
    net = Net(seed=seed)
    rng, b = net.rng, net.b
    y, others = net.x, []
    for _ in range(int(rng.integers(3, 7))):
        c = b.values[y].shape[-1]
        dead = lambda n: tuple(int(i) for i in np.nonzero(rng.random(n) < 0.3)[0])  # noqa: E731
        kind = int(rng.integers(0, 8))
        out = int(rng.integers(2, 7))
        pad = int(rng.integers(0, 2)) if min(b.values[y].shape[:2]) > 3 else 1
        some_bias = [int(v) for v in rng.integers(-400, 400, 8) * rng.integers(0, 2, 8)]
        if kind <= 2:
            y = net.conv(y, out, dead(out), dead(c), some_bias[:out] if rng.random() < 0.8 else None, pad)
        elif kind == 3:
            y = net.conv(y, c, dead(c), (), some_bias[:c] if c <= 8 else None, pad, groups=c)
        elif kind == 4:
            y = b.node("requantise", "relu", [y], FixedPoint(8, 3), lo=int(rng.integers(-3, 4)))
        elif kind == 5:
            y = b.node("average_pool", "mean", [y], S8, kernel=(2, 2), stride=(1, 1), padding=(1, 0, 1, 0),
                       include_pad=int(rng.integers(0, 2)))  # fmt: skip
        elif kind == 6:
            same = [v for v in others if b.values[v].shape == b.values[y].shape]
            y = b.node("add", "join", [y, same[-1]], S8) if same else b.node("concat", "cat", [y, y], S8, axis=2)
        else:
            factor = b.constant("factor", rng.integers(-9, 9, c), S8)
            y = b.node("mul", "scale", [y, factor], S8)
        others.append(y)
    pad = int(rng.integers(0, 2)) if min(b.values[y].shape[:2]) > 3 else 1
    y = net.conv(y, 3, (), tuple(range(b.values[y].shape[-1]))[::3], pad=pad)
    y = b.node("reshape", "flat", [y], S8, shape=(b.values[y].size,))
    w = b.constant("fc_w", net.weights((2, b.values[y].size), (), ()), W8)
    return b.build([b.node("linear", "fc", [y, w], FixedPoint(16, 4))])


def test_random_nets_with_dead_channels() -> None:
    gone = 0
    for seed in range(80):
        before = random_net(seed)
        after = remove_dead_channels(before)
        assert_kept(before, after, seed, samples=3)
        gone += sum(channels(before, v) - channels(after, v) for v in before.values if v in after.values)
    assert gone > 200


def test_random_graphs() -> None:
    changed = 0
    for seed in range(80):
        kind = ("fixed", "mixed", "minifloat")[seed % 3]
        graph = random_graph(np.random.default_rng(seed), formats=kind)
        after = remove_dead_channels(graph)
        assert_kept(graph, after, seed)
        changed += after is not graph
    assert changed > 2
