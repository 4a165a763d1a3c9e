"""Convolutions and matrix products of .tflite files."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeq.formats import Affine
from edgeq.frontends.tflite.build import Array, Building, activation, unsupported
from edgeq.frontends.tflite.file import DamagedError, Operation, Tensor, package
from edgeq.frontends.tflite.numbers import dyadic, product_factors
from edgeq.ir import Attr


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Elements before and after an axis for SAME padding: the odd one goes behind."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


#: what convolutions and pools read, and the way out
ONE_PICTURE = ", where one picture of height, width and channels is read; convert the network with a batch of one"


def window(b: Building, call: Operation, options: object, x: Tensor, kernel: tuple[int, int]) -> dict[str, Attr]:
    """stride, padding and dilation of a convolution or pool over (1, H, W, C)."""
    if len(x.shape) != 4 or x.shape[0] != 1 or min(x.shape) < 1:
        raise unsupported(call, b.output(call), f"input {x.shape}{ONE_PICTURE}")

    def get(name: str, default: int) -> int:
        return int(getattr(options, name)()) if hasattr(options, name) else default

    stride = (get("StrideH", 1), get("StrideW", 1))
    dilation = (get("DilationHFactor", 1), get("DilationWFactor", 1))
    if min(*stride, *dilation, *kernel) < 1:
        raise DamagedError(f"{call.op}: strides {stride}, dilations {dilation}, kernel {kernel}")
    padding: tuple[int, ...] = (0, 0, 0, 0)
    if get("Padding", 0) == 0:
        axes = zip(x.shape[1:3], kernel, stride, dilation, strict=True)
        padding = tuple(n for axis in axes for n in same_padding(*axis))
    return {"stride": stride, "padding": padding, "dilation": dilation}


def conv_2d(b: Building, call: Operation) -> None:
    """CONV_2D: weights (O, H, W, C / groups) as they are."""
    x, weight, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    options = call.options("Conv2DOptions")
    codes = weights_of(b, call, weight, 4)
    attrs = window(b, call, options, x, codes.shape[1:3])
    groups, rest = divmod(x.shape[3], codes.shape[3])
    if rest or groups < 1:
        raise DamagedError(f"{call.op} {out.name}: {x.shape[3]} channels, weights for {codes.shape[3]}")
    fmt = b.format(weight, 0)
    _matrix(b, call, options, codes, fmt, "conv", {**attrs, "groups": groups})


def depthwise_conv_2d(b: Building, call: Operation) -> None:
    """DEPTHWISE_CONV_2D: weights (1, H, W, O) become (O, H, W, 1), a group for each input channel."""
    x, weight, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    options = call.options("DepthwiseConv2DOptions")
    codes = weights_of(b, call, weight, 4)
    attrs = window(b, call, options, x, codes.shape[1:3])
    if codes.shape[0] != 1 or codes.shape[3] % x.shape[3]:
        raise DamagedError(f"{call.op} {out.name}: weights {codes.shape} for {x.shape[3]} channels")
    fmt = b.format(weight, 0)
    turned = np.moveaxis(codes, 3, 0).transpose(0, 2, 3, 1)
    _matrix(b, call, options, turned, fmt, "conv", {**attrs, "groups": x.shape[3]})


def fully_connected(b: Building, call: Operation) -> None:
    """FULLY_CONNECTED: rows of as many elements as the weights have columns."""
    x, weight, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    options = call.options("FullyConnectedOptions")
    if options is not None and options.WeightsFormat() != 0:
        raise unsupported(call, out, "shuffled weights; plain ones are read")
    codes = weights_of(b, call, weight, 2)
    inputs, shape = codes.shape[1], b.shape(x)
    if shape[-1:] != (inputs,):
        size = int(np.prod(shape))
        if size % inputs:
            raise DamagedError(f"{call.op} {out.name}: weights {codes.shape} for an input of {x.shape}")
        rows = size // inputs
        flat = (inputs,) if rows == 1 else (rows, inputs)
        b.names[x.index] = b.builder.node("reshape", f"{x.name}.rows", [b.value(x)], b.format(x), x.name, shape=flat)
    fmt = b.format(weight, 0)
    _matrix(b, call, options, codes, fmt, "linear", {})


def weights_of(b: Building, call: Operation, weight: Tensor, rank: int) -> Array:
    """Codes of constant weights of 8 bits with `rank` axes."""
    codes = b.constant(weight)
    if codes is None:
        raise unsupported(call, b.output(call), f"weights {weight.name} are computed; they must be constant")
    if weight.type not in ("INT8", "UINT8") or codes.ndim != rank or 0 in codes.shape:
        raise unsupported(call, b.output(call), f"weights {weight.name} are {weight.type} {weight.shape}")
    return codes


def _matrix(
    b: Building,
    call: Operation,
    options: Any,
    codes: Array,
    fmt: Affine,
    op: str,
    attrs: dict[str, Attr],
) -> None:
    """The node: weights and bias as constants, a multiplier for each scale of the weights, the activation's bounds."""
    x, weight, out = b.tensor(call, 0), b.tensor(call, 1), b.output(call)
    into, made = b.format(x), b.format(out)
    if (into.bits, made.bits) not in ((8, 8), (16, 16)):
        raise unsupported(call, out, f"{x.type} to {out.type}; INT8, UINT8 and INT16 are supported")
    inputs = [b.value(x), b.builder.constant(weight.name, codes, fmt, weight.name)]
    bias = b.optional(call, 2)
    if bias is not None:
        inputs.append(bias_of(b, call, bias, codes.shape[0]))
    assert isinstance(into.scale, float)
    assert isinstance(made.scale, float)
    pairs = [multiplier(call, out, f) for f in product_factors(into.scale, weight.scales, made.scale)]
    rounding = "tflite"
    if into.bits == 16 and _wide_sums(call, out, options, bias, (into, fmt, made)):
        rounding, pairs = "half_up", [short_multiplier(call, out, *pair) for pair in pairs]
    stage: dict[str, Attr] = {
        "rounding": rounding,
        "multiplier": tuple(m for m, _ in pairs),
        "shift": tuple(s for _, s in pairs),
    }
    fused = 0 if options is None else options.FusedActivationFunction()
    b.finish(out, b.node(op, out, inputs, made, **attrs, **stage, **activation(call, out, fused, made)))


def _wide_sums(call: Operation, out: Tensor, options: Any, bias: Tensor | None, formats: tuple[Affine, ...]) -> bool:
    """Whether sums of 16-bit activations have 64 bits: they do unless the bias, or what it would be, has 32."""
    if any(f.zero_point for f in formats):
        raise unsupported(call, out, "16-bit activations or their weights have a zero point; it has to be 0")
    if bias is not None:
        narrow = bias.type == "INT32"
    else:
        kind = getattr(options, "QuantizedBiasType", None)
        narrow = kind is not None and kind() == package().TensorType.INT32
    if narrow and call.op == "DEPTHWISE_CONV_2D":
        raise unsupported(call, out, "its bias is INT32; with 16-bit activations the reference kernel reads INT64")
    return not narrow


def short_multiplier(call: Operation, out: Tensor, m: int, s: int) -> tuple[int, int]:
    """Multiplier and shift of sums of 64 bits: 15 bits of the multiplier are kept, and the product is rounded once."""
    if s <= 16:
        raise unsupported(call, out, "its scales differ by a factor of 2^15 and more")
    return ((m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF), s - 16


def multiplier(call: Operation, out: Tensor, factor: float) -> tuple[int, int]:
    """`dyadic`, which a factor of 2^31 and more has none of."""
    m, s = dyadic(factor)
    if s < 0:
        raise unsupported(call, out, f"its scales differ by a factor of {factor:.3g}; up to 2^31 is supported")
    return m, s


def bias_of(b: Building, call: Operation, bias: Tensor, channels: int) -> str:
    """The constant of a bias: one integer for each channel."""
    codes = b.constant(bias)
    if codes is None or bias.type not in ("INT32", "INT64") or codes.size != channels:
        raise unsupported(call, b.output(call), f"bias {bias.name} {bias.type} {bias.shape}; a constant INT32 is read")
    least, most = int(codes.min()), int(codes.max())
    if least < -(1 << 31) or most >= 1 << 31:
        raise unsupported(call, b.output(call), f"bias {bias.name} has numbers that 32 bits do not hold")
    scales = bias.scales or (1.0,)
    per_channel = len(scales) == channels and channels > 1
    fmt = Affine(32, True, 0, scales if per_channel else scales[0], 0 if per_channel else None)
    return b.builder.constant(bias.name, codes.reshape(-1), fmt, bias.name)
