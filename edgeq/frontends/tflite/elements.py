"""Sums, pools, softmax and the movements of .tflite files."""

from __future__ import annotations

import numpy as np

from edgeq.formats import CODE_RULE, Affine, FixedPoint
from edgeq.frontends.tflite.build import Building, activation, batchless, unsupported
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor
from edgeq.frontends.tflite.matrix import multiplier, window
from edgeq.frontends.tflite.numbers import exp_line, reciprocal_line, softmax_lines, softmax_table
from edgeq.ir import Attr
from edgeq.ir.ops.softmax_lines import TABLE as SOFTMAX_TABLE
from edgeq.ir.ops.softmax_reciprocal import EXP_BITS

#: bits that sums gain before their operands are brought to one scale
_LEFT = {8: 20, 16: 15}


def _add(b: Building, call: Operation, op: str, options: str) -> None:
    """ADD and SUB: each operand times its scale over twice the greater one, joined, and brought to the output's."""
    x, y, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    fx, fy, made = b.format(x), b.format(y), b.format(out)
    if len({x.type, y.type, out.type}) > 1 or made.bits not in _LEFT:
        raise unsupported(call, out, f"{x.type} and {y.type} to {out.type}; INT8 and INT16 are supported")
    sx, sy, so = (f.scale for f in (fx, fy, made))
    assert isinstance(sx, float)
    assert isinstance(sy, float)
    assert isinstance(so, float)
    left, twice = _LEFT[made.bits], 2 * max(sx, sy)
    (am, ash), (bm, bsh), (m, s) = (
        multiplier(call, out, f) for f in (sx / twice, sy / twice, twice / ((1 << left) * so))
    )
    own: dict[str, Attr] = {"left": left, "a_multiplier": am, "a_shift": ash, "b_multiplier": bm, "b_shift": bsh}
    found = call.options(options)
    attrs = activation(call, out, 0 if found is None else found.FusedActivationFunction(), made)
    stage: dict[str, Attr] = {"rounding": "tflite", "multiplier": (m,), "shift": (s,)}
    b.finish(out, b.node(op, out, [b.value(x), b.value(y)], made, **own, **stage, **attrs))


def add(b: Building, call: Operation) -> None:
    """ADD."""
    _add(b, call, "add", "AddOptions")


def sub(b: Building, call: Operation) -> None:
    """SUB."""
    _add(b, call, "sub", "SubOptions")


def mul(b: Building, call: Operation) -> None:
    """MUL: products of grid integers, one multiplier."""
    x, y, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    fx, fy, made = b.format(x), b.format(y), b.format(out)
    if len({x.type, y.type, out.type}) > 1 or made.bits not in _LEFT:
        raise unsupported(call, out, f"{x.type} and {y.type} to {out.type}; INT8 and INT16 are supported")
    assert isinstance(fx.scale, float)
    assert isinstance(fy.scale, float)
    assert isinstance(made.scale, float)
    m, s = multiplier(call, out, fx.scale * fy.scale / made.scale)
    found = call.options("MulOptions")
    attrs = activation(call, out, 0 if found is None else found.FusedActivationFunction(), made)
    stage: dict[str, Attr] = {"rounding": "tflite", "multiplier": (m,), "shift": (s,)}
    b.finish(out, b.node("mul", out, [b.value(x), b.value(y)], made, **stage, **attrs))


def average_pool_2d(b: Building, call: Operation) -> None:
    """AVERAGE_POOL_2D: the mean of codes over the elements that a window sees, rounded half away from zero."""
    x, out = b.tensor(call, 0), b.output(call)
    options, made = call.options("Pool2DOptions"), _like(b, call)
    kernel = (options.FilterHeight(), options.FilterWidth())
    attrs = window(b, call, options, x, kernel)
    del attrs["dilation"]
    fused = activation(call, out, options.FusedActivationFunction(), made)
    node = b.node(
        "average_pool", out, [b.value(x)], made, **attrs, kernel=kernel, include_pad=0, rounding=CODE_RULE, **fused
    )
    b.finish(out, node)


def max_pool_2d(b: Building, call: Operation) -> None:
    """MAX_POOL_2D, and a clip where it has an activation."""
    x, out = b.tensor(call, 0), b.output(call)
    options, made = call.options("Pool2DOptions"), _like(b, call)
    kernel = (options.FilterHeight(), options.FilterWidth())
    name = b.node("max_pool", out, [b.value(x)], made, **window(b, call, options, x, kernel), kernel=kernel)
    fused = activation(call, out, options.FusedActivationFunction(), made)
    if fused:
        name = b.node("requantise", out, [name], made, **fused)
    b.finish(out, name)


def _like(b: Building, call: Operation) -> Affine:
    """The format of input and output, which must be one."""
    x, out = b.tensor(call, 0), b.output(call)
    if b.format(x) != b.format(out):
        raise unsupported(call, out, f"input {b.format(x)}, output {b.format(out)}; one scale is supported")
    return b.format(x)


def softmax(b: Building, call: Operation) -> None:
    """SOFTMAX along the last axis."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made, options = b.format(x), b.format(out), call.options("SoftmaxOptions")
    if into.bits == 16:
        _wide_softmax(b, call, 1.0 if options is None else float(options.Beta()))
        return
    least = made.code_range[0]
    if into.bits != 8 or made.zero_point != least or made.scale != 2.0**-made.bits or made.bits > 16:
        raise unsupported(
            call, out, f"{into} to {made}; INT8 to 1/256 or 1/65536 with the least code as zero is supported"
        )
    assert isinstance(into.scale, float)
    beta = 1.0 if options is None else float(options.Beta())
    if not 0 < into.scale * beta * (1 << 26) < float("inf") or into.scale * beta * (1 << 26) <= 1:
        raise unsupported(call, out, f"beta {beta} times scale {into.scale:.3g} is out of range")
    codes = softmax_table(into.scale, beta, 256)
    table = b.builder.constant(f"{out.name}.exp", codes, FixedPoint(32, EXP_BITS), out.name)
    axis = len(b.shape(x)) - 1
    b.finish(out, b.node("softmax_reciprocal", out, [b.value(x), table], made, axis=axis))


def _wide_softmax(b: Building, call: Operation, beta: float) -> None:
    """SOFTMAX of 16 bits: exponentials and a reciprocal on lines between entries of tables."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made = b.format(x), b.format(out)
    assert isinstance(into.scale, float)
    if (x.type, out.type) != ("INT16", "INT16") or into.zero_point or made.zero_point or made.scale != 2.0**-15:
        raise unsupported(call, out, f"{into} to {made}; INT16 around zero to INT16 of 1/32768 is supported")
    m, s = softmax_lines(into.scale, beta)
    if s < 0 or m <= 0:
        raise unsupported(call, out, f"beta {beta} times scale {into.scale:.3g} is out of range")
    tables = [
        b.builder.constant(f"{out.name}.{name}", codes, SOFTMAX_TABLE, out.name)
        for name, codes in (("exp", exp_line()), ("reciprocal", reciprocal_line()))
    ]
    attrs: dict[str, Attr] = {"axis": len(b.shape(x)) - 1, "distance_multiplier": m, "distance_shift": s}
    b.finish(out, b.node("softmax_lines", out, [b.value(x), *tables], made, **attrs))


def reshape(b: Building, call: Operation) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the declared shape of the output is the new one."""
    x, out = b.tensor(call, 0), b.output(call)
    known = b.constant(x)
    if known is not None:
        if known.size != int(np.prod(out.shape)):
            raise DamagedError(f"{call.op} {out.name}: {out.shape} does not hold {known.size} elements")
        b.known[out.index] = known.reshape(out.shape)
        return
    b.finish(out, b.node("reshape", out, [b.value(x)], b.builder.values[b.value(x)].format, shape=batchless(out.shape)))


def quantize(b: Building, call: Operation) -> None:
    """QUANTIZE between quantised tensors: one multiplier."""
    x, out = b.tensor(call, 0), b.output(call)
    into, made = b.format(x), b.format(out)
    assert isinstance(into.scale, float)
    assert isinstance(made.scale, float)
    m, s = multiplier(call, out, into.scale / made.scale)
    b.finish(out, b.node("requantise", out, [b.value(x)], made, rounding="tflite", multiplier=(m,), shift=(s,)))


def concatenation(b: Building, call: Operation) -> None:
    """CONCATENATION of tensors of one scale and zero point."""
    out, options = b.output(call), call.options("ConcatenationOptions")
    tensors = [b.tensor(call, i) for i in range(len(call.inputs))]
    made, rank = b.format(out), len(out.shape)
    axis = int(options.Axis()) + (rank if options.Axis() < 0 else 0)
    alike = all(b.format(t) == made and len(t.shape) == rank for t in tensors)
    if not alike or options.FusedActivationFunction() != 0 or not 0 <= axis < rank:
        raise unsupported(call, out, "operands of one scale and zero point along one of their axes are joined")
    # Along the batch, or where no tensor leaves its batch of one out, all axes count.
    gone = int(axis > 0 and out.shape[0] == 1)
    names = [_under(b, t, t.shape[gone:]) for t in tensors]
    b.finish(out, b.node("concat", out, names, made, axis=axis - gone))


def _under(b: Building, tensor: Tensor, shape: tuple[int, ...]) -> str:
    """The value of a tensor, constant or not, under the shape that is given."""
    known = b.constant(tensor)
    if known is not None:
        return b.builder.constant(tensor.name, known.reshape(shape), b.format(tensor), tensor.name)
    name = b.value(tensor)
    if b.builder.values[name].shape == shape:
        return name
    return b.builder.node("reshape", f"{tensor.name}.whole", [name], b.format(tensor), tensor.name, shape=shape)
