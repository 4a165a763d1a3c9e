"""TRANSPOSE_CONV and BATCH_MATMUL of .tflite files."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeq.formats import Affine
from edgeq.frontends.tflite import matrix
from edgeq.frontends.tflite.build import Array, Building, activation, unsupported
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor
from edgeq.frontends.tflite.matrix import ONE_PICTURE, bias_of, multiplier, same_padding, short_multiplier, weights_of
from edgeq.frontends.tflite.movement import listed, whole
from edgeq.frontends.tflite.numbers import product_factors
from edgeq.ir import Attr


def _stage(b: Building, call: Operation, x: Affine, scales: tuple[float, ...]) -> dict[str, Attr]:
    """The output stage of sums of products: one multiplier for each scale of the second factor.

    Sums of 16-bit activations have 64 bits in the reference kernels, which keep 15 bits of the multiplier for them.
    """
    out = b.output(call)
    made = b.format(out)
    assert isinstance(x.scale, float)
    assert isinstance(made.scale, float)
    pairs = [multiplier(call, out, f) for f in product_factors(x.scale, scales, made.scale)]
    rounding = "tflite"
    if x.bits == 16:
        rounding, pairs = "half_up", [short_multiplier(call, out, *pair) for pair in pairs]
    return {"rounding": rounding, "multiplier": tuple(m for m, _ in pairs), "shift": tuple(s for _, s in pairs)}


def _check_types(call: Operation, out: Tensor, tensors: list[Tensor], formats: list[Affine]) -> None:
    """8 bits throughout, or 16 without zero points."""
    bits = {f.bits for f in formats}
    if bits not in ({8}, {16}) or (bits == {16} and any(f.zero_point for f in formats)):
        listed = ", ".join(f"{t.name} {f}" for t, f in zip(tensors, formats, strict=True))
        raise unsupported(call, out, f"reads and makes {listed}; INT8, or INT16 with zero points of 0, is supported")


def transpose_conv(b: Building, call: Operation) -> None:
    """TRANSPOSE_CONV: weights (O, H, W, C) as they are; what does not fit the declared output is cut off."""
    weight, x, out = b.tensor(call, 1), b.tensor(call, 2), b.output(call)
    options, codes = call.options("TransposeConvOptions"), weights_of(b, call, weight, 4)
    into, made = b.format(x), b.format(out)
    _check_types(call, out, [x, out], [into, made])
    shapes = (x.shape, out.shape)
    if any(len(s) != 4 or s[0] != 1 for s in shapes) or options is None:
        raise unsupported(call, out, f"{x.shape} to {out.shape}{ONE_PICTURE}")
    if codes.shape[3] != x.shape[3] or codes.shape[0] != out.shape[3]:
        raise DamagedError(f"{call.op} {out.name}: weights {codes.shape} for {x.shape} to {out.shape}")
    stride = (options.StrideH(), options.StrideW())
    if min(stride) < 1:
        raise DamagedError(f"{call.op} {out.name}: strides {stride}")
    padding: list[int] = []
    extra: list[int] = []
    for n, m, k, s in zip(x.shape[1:3], out.shape[1:3], codes.shape[1:3], stride, strict=True):
        before = same_padding(m, k, s, 1)[0] if options.Padding() == 0 else 0
        behind = (n - 1) * s + k - before - m
        padding += [before, max(behind, 0)]
        extra.append(max(-behind, 0))
    inputs = [b.value(x), b.builder.constant(weight.name, codes, b.format(weight, 0), weight.name)]
    bias = b.optional(call, 3)
    if bias is not None:
        inputs.append(bias_of(b, call, bias, codes.shape[0]))
    attrs: dict[str, Attr] = {
        "stride": stride,
        "padding": tuple(padding),
        "dilation": (1, 1),
        "output_padding": tuple(extra),
        "groups": 1,
        **_stage(b, call, into, weight.scales),
        **activation(call, out, options.FusedActivationFunction(), made),
    }
    b.finish(out, b.node("conv_transpose", out, inputs, made, **attrs))


def fully_connected(b: Building, call: Operation) -> None:
    """FULLY_CONNECTED; with computed weights it is a product of two tensors."""
    x, weight, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    if b.constant(weight) is not None:
        matrix.fully_connected(b, call)
        return
    options, made = call.options("FullyConnectedOptions"), b.format(out)
    _check_types(call, out, [x, weight, out], [b.format(x), b.format(weight), made])
    if made.bits != 8 or b.optional(call, 2) is not None:
        raise unsupported(call, out, "computed weights with a bias or of 16 bits; add the bias behind, or use int8")
    if len(weight.shape) != 2 or not prod(weight.shape) or prod(x.shape) % weight.shape[1]:
        raise DamagedError(f"{call.op} {out.name}: weights {weight.shape} for an input of {x.shape}")
    flat = (prod(x.shape) // weight.shape[1], weight.shape[1])
    rows = b.builder.node("reshape", f"{x.name}.rows", [b.value(x)], b.format(x), x.name, shape=flat)
    columns = b.builder.node(
        "transpose", f"{weight.name}.turned", [whole(b, weight)], b.format(weight), weight.name, permutation=(1, 0)
    )
    fused = 0 if options is None else options.FusedActivationFunction()
    stage = {**_stage(b, call, b.format(x), weight.scales), **activation(call, out, fused, made)}
    b.finish(out, b.node("matmul", out, [rows, columns], made, **stage))


def batch_matmul(b: Building, call: Operation) -> None:
    """BATCH_MATMUL: either factor may be constant, transposed and repeated along the axes before the last two."""
    x, y, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    options, made = call.options("BatchMatMulOptions"), b.format(out)
    _check_types(call, out, [x, y, out], [b.format(x), b.format(y), made])
    turned = (False, False) if options is None else (bool(options.AdjX()), bool(options.AdjY()))
    rank = max(len(x.shape), len(y.shape))
    if min(len(x.shape), len(y.shape)) < 2:
        raise DamagedError(f"{call.op} {out.name}: {x.shape} times {y.shape}")
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise DamagedError(f"{call.op} {out.name}: {x.shape} times {y.shape}") from None
    if batch != out.shape[:-2]:
        raise DamagedError(f"{call.op} {out.name}: {x.shape} times {y.shape}, declared {out.shape}")
    stage = _stage(b, call, b.format(x), y.scales)
    weight = b.constant(y)
    if weight is not None and prod(y.shape[:-2]) == 1 and not turned[0] and len(x.shape) == rank:
        _linear(b, call, weight.reshape(y.shape[-2:]) if turned[1] else weight.reshape(y.shape[-2:]).T, stage)
        return
    listed(out, prod(batch))
    factors = [_factor(b, t, adj, batch, rank) for t, adj in zip((x, y), turned, strict=True)]
    shapes = [b.builder.values[name].shape for name in factors]
    if shapes[0][-1] != shapes[1][-2]:
        raise DamagedError(f"{call.op} {out.name}: {shapes[0]} times {shapes[1]}")
    b.finish(out, b.node("matmul", out, factors, made, **stage))


def _linear(b: Building, call: Operation, weight: Array, stage: dict[str, Attr]) -> None:
    """A constant matrix for all rows, as (outputs, inputs): a linear layer, which has faster kernels."""
    x, y, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    if weight.shape[1] != x.shape[-1] or not prod(weight.shape):
        raise DamagedError(f"{call.op} {out.name}: {x.shape} times {y.shape}")
    fixed = b.builder.constant(y.name, weight, b.format(y), y.name)
    b.finish(out, b.node("linear", out, [b.value(x), fixed], b.format(out), **stage))


def _factor(b: Building, tensor: Tensor, turned: bool, batch: tuple[int, ...], rank: int) -> str:
    """A factor as (batch axes joined, rows, columns)."""
    codes, fmt = b.constant(tensor), b.format(tensor)
    own, last = (1,) * (rank - len(tensor.shape)) + tensor.shape[:-2], tensor.shape[-2:]
    places = np.broadcast_to(np.arange(prod(own)).reshape(own), batch).reshape(-1)
    if codes is not None:
        codes = codes.reshape(-1, *last)[places]
        codes = codes.swapaxes(-1, -2) if turned else codes
        return b.builder.constant(tensor.name, codes, fmt, tensor.name)
    name = whole(b, tensor)
    shape = (prod(own), *last)
    if b.builder.values[name].shape != shape:
        name = b.builder.node("reshape", f"{tensor.name}.matrices", [name], fmt, tensor.name, shape=shape)
    if turned:
        name = b.builder.node("transpose", f"{tensor.name}.turned", [name], fmt, tensor.name, permutation=(0, 2, 1))
    if len(places) != prod(own):
        picked = {"axes": (0,), "sizes": (len(places),), "indices": tuple(int(i) for i in places)}
        name = b.builder.node("gather", f"{tensor.name}.repeated", [name], fmt, tensor.name, **picked)
    return name
