"""Float .tflite files as torch modules: every operator that `edgeq.prepare` has a meaning for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx

from edgeq.errors import UnsupportedError
from edgeq.frontends._model_file import naming
from edgeq.frontends.floating import operations as ops
from edgeq.frontends.floating.module import Array, FloatBuilder, Held, channels_first, natural
from edgeq.frontends.tflite.build import Building
from edgeq.frontends.tflite.file import DamagedError, Model, Operation, Tensor, parse, read
from edgeq.frontends.tflite.fold import FOLDS, fold
from edgeq.frontends.tflite.matrix import same_padding
from edgeq.frontends.tflite.parts import SliceError, strided_parts
from edgeq.frontends.tflite.resize import nearest
from edgeq.ir import GraphBuilder
from edgeq.ir.coordinates import MAX_SIZE, resize_line

_ACTIVATIONS: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
_CLIPS = {"RELU": (0.0, None), "RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0), "RELU_0_TO_1": (0.0, 1.0)}
_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "LOGISTIC": torch.sigmoid,
    "TANH": torch.tanh,
    "ELU": F.elu,
    "HARD_SWISH": F.hardswish,
    "EXP": torch.exp,
    "LOG": torch.log,
    "SQRT": torch.sqrt,
    "RSQRT": torch.rsqrt,
    "ABS": torch.abs,
    "NEG": torch.neg,
    "SIN": torch.sin,
    "COS": torch.cos,
    "SQUARE": torch.square,
}
#: copies that TILE makes at most along an axis
MAX_COPIES = 16
#: names that converters give to what has none in the source
_NAMELESS = ("identity", "statefulpartitionedcall", "partitionedcall", "arith.", "tfl.", "serving_default")


@dataclass
class _Reading:
    """Tensors of the file: computed by the module under construction, or known."""

    model: Model
    builder: FloatBuilder
    #: shape arithmetic and other operators of constants, and what they make
    folding: Building
    held: dict[int, Held] = field(default_factory=dict)

    def tensor(self, call: Operation, position: int) -> Tensor:
        """Input `position` of a call, which must be there."""
        if position >= len(call.inputs) or call.inputs[position] < 0:
            raise DamagedError(f"{call.op}: input {position} is missing")
        return self.model.tensors[call.inputs[position]]

    def output(self, call: Operation, position: int = 0) -> Tensor:
        """Output `position` of a call."""
        if position >= len(call.outputs):
            raise DamagedError(f"{call.op}: output {position} is missing")
        return self.model.tensors[call.outputs[position]]

    def constant(self, found: Tensor) -> Array | None:
        """Real numbers of a constant tensor, integers of one that counts; None for a computed one."""
        data = found.data if found.data is not None else self.folding.known.get(found.index)
        if data is None or not found.scales:
            return data
        shape = [1] * data.ndim
        if len(found.scales) > 1:
            shape[found.axis] = len(found.scales)
        scales, zeros = (np.asarray(v, np.float64).reshape(shape) for v in (found.scales, found.zeros))
        return (data - zeros) * scales if data.ndim else (data - zeros.reshape(())) * scales.reshape(())

    def fixed(self, call: Operation, position: int) -> Array:
        """Elements of an input that has to be constant."""
        found = self.tensor(call, position)
        data = self.constant(found)
        if data is None:
            raise UnsupportedError(f"{self.name(call)}: {call.op} reads {found.name}, which must be constant")
        return data

    def ints(self, call: Operation, position: int) -> list[int]:
        """Whole numbers of a constant input."""
        return [int(n) for n in self.fixed(call, position).reshape(-1)]

    def x(self, call: Operation, position: int = 0) -> Held:
        """A computed input."""
        found = self.tensor(call, position)
        if found.index not in self.held:
            raise UnsupportedError(
                f"{self.name(call)}: {call.op} reads {found.name}, which the network does not compute"
            )
        return self.held[found.index]

    def operand(self, call: Operation, position: int) -> Held | Array:
        """A computed or constant input."""
        found = self.tensor(call, position)
        return self.held[found.index] if found.index in self.held else self.fixed(call, position)

    def name(self, call: Operation, weight: Tensor | None = None) -> str:
        """The source's name of a layer: that of its weights' scope, or of the first part of its output's name."""
        label = call.op.lower()
        if weight is not None and "/" in weight.name and not weight.name.lower().startswith(_NAMELESS):
            return weight.name.split(";")[0].rpartition("/")[0]
        parts = [p for p in self.output(call).name.split(";") if p]
        part = next((p for p in parts if label in p.rpartition("/")[2].lower()), parts[0] if parts else label)
        if part.lower().startswith(_NAMELESS):
            return label
        return part.rpartition("/")[0] or part

    def options(self, call: Operation, name: str) -> Any:
        """The options table, which must be there."""
        found = call.options(name)
        if found is None:
            raise DamagedError(f"{call.op}: its options are missing")
        return found

    def clipped(self, call: Operation, node: fx.Node, options: Any) -> fx.Node:
        """The node behind its fused activation."""
        number = 0 if options is None else options.FusedActivationFunction()
        if number not in _ACTIVATIONS:
            raise UnsupportedError(f"{self.name(call)}: fused activation {number}; RELU, RELU6, RELU_N1_TO_1 are read")
        return self.builder.clip(node, *_ACTIVATIONS[number])

    def put(self, call: Operation, made: Held, position: int = 0) -> None:
        """What a call makes. Its shape is computed, since files declare those that depend on the batch as open."""
        self.held[self.output(call, position).index] = made

    def sizes(self, call: Operation, position: int, declared: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that an input says, or else the file declares."""
        known = position < len(call.inputs) and self.constant(self.tensor(call, position)) is not None
        return tuple(self.ints(call, position)) if known else declared


# -- one function for each kind of operator -----------------------------------------------------------------------


def _feature_map(r: _Reading, call: Operation, x: Held) -> Held:
    if len(x.shape) != 4 or x.merged:
        raise UnsupportedError(f"{r.name(call)}: {call.op} of {x.shape}; a batch of height, width and channels is read")
    return r.builder.to(x, channels_first(4))


def _window(x: Held, options: Any, kernel: tuple[int, int]) -> ops.Window:
    """Geometry of a convolution or pool."""

    def get(name: str) -> int:
        return int(getattr(options, name)()) if hasattr(options, name) else 1

    stride = (get("StrideH"), get("StrideW"))
    dilation = (get("DilationHFactor"), get("DilationWFactor"))
    if min(*stride, *dilation, *kernel) < 1:
        raise DamagedError(f"strides {stride}, dilations {dilation}, kernel {kernel}")
    padding = [(0, 0), (0, 0)]
    if options.Padding() == 0:
        axes = zip(x.shape[1:3], kernel, stride, dilation, strict=True)
        padding = [same_padding(*axis) for axis in axes]
    return ops.Window(kernel, stride, dilation, tuple(padding))


def _convolution(r: _Reading, call: Operation) -> None:
    depthwise = call.op == "DEPTHWISE_CONV_2D"
    options = r.options(call, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
    weight = r.fixed(call, 1)
    name, x = r.name(call, r.tensor(call, 1)), _feature_map(r, call, r.x(call))
    if weight.ndim != 4 or 0 in weight.shape or (depthwise and weight.shape[0] != 1):
        raise DamagedError(f"{call.op}: weights {weight.shape}")
    if depthwise:
        weight = np.moveaxis(weight, 3, 0).transpose(0, 2, 3, 1)
    groups, rest = divmod(x.shape[3], weight.shape[3])
    if rest or weight.shape[0] % groups:
        raise DamagedError(f"{call.op}: {x.shape[3]} channels, weights {weight.shape}")
    window = _window(x, options, (weight.shape[1], weight.shape[2]))
    weight = weight.transpose(0, 3, 1, 2)
    made = ops.convolution(r.builder, name, x, weight, _bias(r, call, 2, weight.shape[0]), window, groups)
    r.put(call, _behind(made, r.clipped(call, made.node, options)))


def _transposed(r: _Reading, call: Operation) -> None:
    options = r.options(call, "TransposeConvOptions")
    weight = r.fixed(call, 1)
    name, x = r.name(call, r.tensor(call, 1)), _feature_map(r, call, r.x(call, 2))
    if weight.ndim != 4 or weight.shape[3] != x.shape[3]:
        raise DamagedError(f"{call.op}: weights {weight.shape} for {x.shape[3]} channels")
    size = r.sizes(call, 0, r.output(call).shape)[1:3]
    if len(size) != 2 or min(size) < 1:
        raise DamagedError(f"{call.op}: an output of {size}")
    stride = (options.StrideH(), options.StrideW())
    before = []
    for n, out, k, s in zip(x.shape[1:3], size, weight.shape[1:3], stride, strict=True):
        total = max((n - 1) * s + k - out, 0) if options.Padding() == 0 else 0
        before.append(total // 2)
    bias = _bias(r, call, 3, weight.shape[0])
    made = ops.transposed(r.builder, name, x, weight.transpose(3, 0, 1, 2), bias, stride, before, size)
    found = options if hasattr(options, "FusedActivationFunction") else None
    r.put(call, _behind(made, r.clipped(call, made.node, found)))


def _bias(r: _Reading, call: Operation, position: int, channels: int) -> Array | None:
    if position >= len(call.inputs) or call.inputs[position] < 0:
        return None
    bias = r.fixed(call, position).reshape(-1)
    if bias.size != channels:
        raise DamagedError(f"{call.op}: bias of {bias.size} for {channels} channels")
    return bias


def _behind(made: Held, node: fx.Node) -> Held:
    return Held(node, made.shape, made.order, made.merged)


def _fully_connected(r: _Reading, call: Operation) -> None:
    options = call.options("FullyConnectedOptions")
    weight, x = r.fixed(call, 1), r.x(call)
    if options is not None and options.WeightsFormat() != 0:
        raise UnsupportedError(f"{r.name(call)}: shuffled weights; plain ones are read")
    if weight.ndim != 2 or prod(x.shape) % weight.shape[1]:
        raise DamagedError(f"{call.op}: weights {weight.shape} for {x.shape}")
    merged = x.merged
    if x.shape[-1] != weight.shape[1]:
        rows = prod(x.shape) // weight.shape[1]
        x = r.builder.reshaped(x, (1, weight.shape[1]) if rows == 1 else (1, rows, weight.shape[1]), rows > 1)
        merged = x.merged
    elif options is None or not options.KeepNumDims():
        merged = len(x.shape) > 2
        x = x if len(x.shape) <= 3 else r.builder.reshaped(x, (1, prod(x.shape[1:-1]), x.shape[-1]), True)
    name = r.name(call, r.tensor(call, 1))
    made = ops.linear(r.builder, name, x, weight, _bias(r, call, 2, weight.shape[0]))
    node = r.clipped(call, made.node, options)
    r.put(call, Held(node, made.shape, made.order, merged))


def _batch_matmul(r: _Reading, call: Operation) -> None:
    options = r.options(call, "BatchMatMulOptions")
    a, b = r.operand(call, 0), r.operand(call, 1)
    turned = []
    for operand, adjoint in ((a, options.AdjX()), (b, options.AdjY())):
        if adjoint and isinstance(operand, Held):
            axes = (*range(len(operand.shape) - 2), len(operand.shape) - 1, len(operand.shape) - 2)
            operand = ops.transposed_axes(r.builder, operand, axes)
        turned.append(operand.swapaxes(-1, -2) if adjoint and not isinstance(operand, Held) else operand)
    r.put(call, ops.matmul(r.builder, r.name(call), *turned))


def _binary(r: _Reading, call: Operation) -> None:
    names = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
    made = ops.binary(r.builder, r.name(call), call.op.lower(), r.operand(call, 0), r.operand(call, 1))
    r.put(call, _behind(made, r.clipped(call, made.node, call.options(names[call.op]))))


def _bound(r: _Reading, call: Operation) -> None:
    """MAXIMUM and MINIMUM; with one number they are a clip."""
    operands = [r.operand(call, 0), r.operand(call, 1)]
    numbers = [o for o in operands if not isinstance(o, Held)]
    if len(numbers) != 1 or numbers[0].size != 1:
        made = ops.binary(r.builder, r.name(call), call.op.lower(), operands[0], operands[1])
        r.put(call, made)
        return
    x = next(o for o in operands if isinstance(o, Held))
    bound = float(numbers[0].reshape(()))
    low, high = (bound, None) if call.op == "MAXIMUM" else (None, bound)
    r.put(call, _behind(x, r.builder.clip(x.node, low, high)))


def _pool(r: _Reading, call: Operation) -> None:
    options = r.options(call, "Pool2DOptions")
    x = _feature_map(r, call, r.x(call))
    window = _window(x, options, (options.FilterHeight(), options.FilterWidth()))
    kind = "average" if call.op == "AVERAGE_POOL_2D" else "max"
    made = ops.pool(r.builder, r.name(call), kind, x, window)
    r.put(call, _behind(made, r.clipped(call, made.node, options)))


def _reduce(r: _Reading, call: Operation) -> None:
    x, options = r.x(call), r.options(call, "ReducerOptions")
    axes = [x.axis(a) for a in r.ints(call, 1)]
    kind = "mean" if call.op == "MEAN" else "sum"
    r.put(call, ops.mean(r.builder, r.name(call), x, axes, bool(options.KeepDims()), kind == "sum"))


def _softmax(r: _Reading, call: Operation) -> None:
    x, options = r.x(call), call.options("SoftmaxOptions")
    beta = 1.0 if options is None else float(options.Beta())
    r.put(call, ops.softmax(r.builder, r.name(call), x, len(x.shape) - 1, beta))


def _clip(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    r.put(call, _behind(x, r.builder.clip(x.node, *_CLIPS[call.op])))


def _function(r: _Reading, call: Operation) -> None:
    function = _FUNCTIONS.get(call.op)
    if call.op == "LEAKY_RELU":
        alpha = float(r.options(call, "LeakyReluOptions").Alpha())
        function = lambda x: F.leaky_relu(x, alpha)  # noqa: E731
    elif call.op == "GELU":
        kind = "tanh" if (found := call.options("GeluOptions")) is not None and found.Approximate() else "none"
        function = lambda x: F.gelu(x, approximate=kind)  # noqa: E731
    assert function is not None
    r.put(call, ops.function(r.builder, r.name(call), call.op.lower(), function, r.x(call)))


def _prelu(r: _Reading, call: Operation) -> None:
    r.put(call, ops.prelu(r.builder, r.name(call), r.x(call), r.fixed(call, 1)))


def _reshape(r: _Reading, call: Operation) -> None:
    """RESHAPE: where the first axis of the new shape is not the batch, the batch is one more."""
    x, out = r.x(call), list(r.sizes(call, 1, r.output(call).shape))
    if out.count(-1) == 1:
        out[out.index(-1)] = prod(x.shape) // max(prod(n for n in out if n != -1), 1)
    if prod(out) != prod(x.shape) or min(out, default=0) < 1:
        raise DamagedError(f"{call.op} {r.output(call).name}: {x.shape} as {tuple(out)}")
    merged = out[0] != 1
    r.put(call, r.builder.reshaped(x, (1, *out) if merged else out, merged))


def _squeeze(r: _Reading, call: Operation) -> None:
    x, options = r.x(call), call.options("SqueezeOptions")
    given = [] if options is None or options.SqueezeDimsLength() == 0 else options.SqueezeDimsAsNumpy()
    axes = {x.axis(int(a)) for a in given} or {i for i, n in enumerate(x.shape) if n == 1 and i}
    if 0 in axes or any(x.shape[a] != 1 for a in axes):
        raise UnsupportedError(f"{r.name(call)}: SQUEEZE of the batch, or of axes that are not one")
    r.put(call, r.builder.reshaped(x, [n for i, n in enumerate(x.shape) if i not in axes], x.merged))


def _expand_dims(r: _Reading, call: Operation) -> None:
    x, axis = r.x(call), r.ints(call, 1)[0]
    rank = len(x.shape) + 1 - x.merged
    at = axis % rank + x.merged
    if at == 0:
        raise UnsupportedError(f"{r.name(call)}: EXPAND_DIMS before the batch")
    r.put(call, r.builder.reshaped(x, (*x.shape[:at], 1, *x.shape[at:]), x.merged))


def _tile(r: _Reading, call: Operation) -> None:
    """TILE: copies one after another."""
    made = r.x(call)
    for i, count in enumerate(r.ints(call, 1)):
        if not 1 <= count <= MAX_COPIES:
            raise UnsupportedError(f"{r.name(call)}: TILE of {count} copies")
        if count > 1:
            made = ops.concat(r.builder, r.name(call), [made] * count, i + made.merged)
    r.put(call, made)


def _transpose(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    axes = [x.axis(a) for a in r.ints(call, 1)]
    if x.merged:
        axes = [0, *axes]
    if sorted(axes) != list(natural(len(x.shape))):
        raise DamagedError(f"{call.op}: axes {axes} of {x.shape}")
    r.put(call, ops.transposed_axes(r.builder, x, axes))


def _pad(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    amounts = r.fixed(call, 1).astype(np.int64)
    if amounts.shape != (len(x.shape) - x.merged, 2) or int(amounts.min(initial=0)) < 0:
        raise DamagedError(f"{call.op}: paddings {amounts.tolist()} for {x.shape}")
    both = ([(0, 0)] if x.merged else []) + [(int(a), int(b)) for a, b in amounts]
    mode, value = "constant", 0.0
    if call.op == "MIRROR_PAD":
        mode = "reflect" if r.options(call, "MirrorPadOptions").Mode() == 0 else "symmetric"
    elif call.op == "PADV2":
        value = float(r.fixed(call, 2).reshape(()))
    r.put(call, ops.pad(r.builder, r.name(call), x, both, mode, value))


def _concat(r: _Reading, call: Operation) -> None:
    options = r.options(call, "ConcatenationOptions")
    operands = [r.operand(call, i) for i in range(len(call.inputs))]
    axis = next(o for o in operands if isinstance(o, Held)).axis(options.Axis())
    made = ops.concat(r.builder, r.name(call), operands, axis)
    r.put(call, _behind(made, r.clipped(call, made.node, options)))


def _pack(r: _Reading, call: Operation) -> None:
    options = r.options(call, "PackOptions")
    operands = [r.x(call, i) for i in range(len(call.inputs))]
    rank = len(operands[0].shape) + 1 - operands[0].merged
    axis = options.Axis() % rank + operands[0].merged
    shape = list(operands[0].shape)
    shape.insert(axis, 1)
    parts: list[Held | Array] = [r.builder.reshaped(x, shape, x.merged) for x in operands]
    r.put(call, ops.concat(r.builder, r.name(call), parts, axis))


def _unpack(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    axis = x.axis(r.options(call, "UnpackOptions").Axis())
    for i in range(len(call.outputs)):
        part = ops.sliced(r.builder, x, {axis: slice(i, i + 1)})
        shape = part.shape[:axis] + part.shape[axis + 1 :]
        r.put(call, r.builder.reshaped(part, shape, x.merged), i)


def _split(r: _Reading, call: Operation) -> None:
    """SPLIT (axis first, equal parts) and SPLIT_V (sizes and axis behind)."""
    first = call.op == "SPLIT"
    x = r.x(call, 1 if first else 0)
    axis = x.axis(r.ints(call, 0 if first else 2)[0])
    count = len(call.outputs)
    sizes = [x.shape[axis] // count] * count if first else r.ints(call, 1)
    sizes = [x.shape[axis] - sum(s for s in sizes if s >= 0) if s < 0 else s for s in sizes]
    if len(sizes) != count or sum(sizes) != x.shape[axis]:
        raise DamagedError(f"{call.op}: parts {sizes} of {x.shape[axis]}")
    begin = 0
    for i, size in enumerate(sizes):
        r.put(call, ops.sliced(r.builder, x, {axis: slice(begin, begin + size)}), i)
        begin += size


def _slice(r: _Reading, call: Operation) -> None:
    x, begin, size = r.x(call), r.ints(call, 1), r.ints(call, 2)
    if len(begin) != len(x.shape) - x.merged or len(size) != len(begin):
        raise DamagedError(f"{call.op}: {begin}, {size} of {x.shape}")
    taken = {}
    for i, (b, n) in enumerate(zip(begin, size, strict=True)):
        axis = i + x.merged
        taken[axis] = slice(b, x.shape[axis] if n < 0 else b + n)
    r.put(call, ops.sliced(r.builder, x, taken))


def _strided_slice(r: _Reading, call: Operation) -> None:
    """STRIDED_SLICE, every mask, strides of either sign."""
    x, bounds = r.x(call), [r.fixed(call, i) for i in (1, 2, 3)]
    own = x.shape[x.merged :]
    try:
        parts = strided_parts(call, own, *bounds)
    except SliceError as error:
        raise DamagedError(f"{call.op}: {error}") from None
    axes = _axes_behind(r.options(call, "StridedSliceOptions"), bounds[0].size, len(own))
    if not x.merged and axes[:1] != [0]:
        raise UnsupportedError(f"{r.name(call)}: STRIDED_SLICE moves the batch from the first axis")
    # A range that ends before the first element has no end that a slice could say.
    taken = {i + x.merged: slice(p.start, None if p.stop < 0 else p.stop, p.step) for i, p in enumerate(parts)}
    part = ops.sliced(r.builder, x, taken)
    shape = (*x.shape[: x.merged], *(1 if a is None else len(parts[a]) for a in axes))
    r.put(call, part if axes == list(range(len(own))) else r.builder.reshaped(part, shape, x.merged))


def _axes_behind(options: Any, count: int, rank: int) -> list[int | None]:
    """Which axis of the source each axis of a STRIDED_SLICE of `count` ranges is; None: a new one."""
    ellipsis = [bool(options.EllipsisMask() >> i & 1) for i in range(count)]
    new = [bool(options.NewAxisMask() >> i & 1) and not ellipsis[i] for i in range(count)]
    found: list[int | None] = []
    at = 0
    for i in range(count):
        if ellipsis[i]:
            behind = at + rank - (count - sum(new) - sum(ellipsis))
            found += range(at, behind)
            at = behind
        elif new[i]:
            found.append(None)
        else:
            found += [] if options.ShrinkAxisMask() >> i & 1 else [at]
            at += 1
    return [*found, *range(at, rank)]


def _gather(r: _Reading, call: Operation) -> None:
    """GATHER of constant places along one axis."""
    x, options, places = r.x(call), call.options("GatherOptions"), r.fixed(call, 1)
    axis = x.axis(0 if options is None else options.Axis())
    if places.ndim > 1 or (options is not None and options.BatchDims()):
        raise UnsupportedError(f"{r.name(call)}: GATHER of places {places.shape}, or with batch_dims; a list is read")
    r.put(call, ops.gathered(r.builder, r.name(call), x, axis, places))


def _resize(r: _Reading, call: Operation) -> None:
    """RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR."""
    linear = call.op == "RESIZE_BILINEAR"
    options = r.options(call, "ResizeBilinearOptions" if linear else "ResizeNearestNeighborOptions")
    x = _feature_map(r, call, r.x(call))
    size = r.sizes(call, 1, r.output(call).shape[1:3])
    if len(size) != 2 or min(size) < 1:
        raise DamagedError(f"{call.op}: an output of {size}")
    if max(size) > MAX_SIZE:
        raise UnsupportedError(f"{r.name(call)}: {call.op} to {size}; up to {MAX_SIZE} are read")
    corners, centers = bool(options.AlignCorners()), bool(options.HalfPixelCenters())
    axes = list(zip(x.shape[1:3], size, strict=True))
    if not linear:
        places = [nearest(n, m, corners, centers).tolist() for n, m in axes]
        r.put(call, ops.pick(r.builder, r.name(call), x, places))
        return
    if corners and centers:
        raise UnsupportedError(
            f"{r.name(call)}: {call.op} with align_corners and half_pixel_centers; choose one of them"
        )
    mode = "align_corners" if corners else "half_pixel" if centers else "asymmetric"
    # The kernel takes a single element by its size, not by its corners.
    lines = [resize_line("asymmetric" if m == 1 and corners else mode, n, m) for n, m in axes]
    r.put(call, ops.resize(r.builder, r.name(call), x, lines))


def _argmax(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    r.put(call, ops.argmax(r.builder, r.name(call), x, x.axis(r.ints(call, 1)[0])))


def _dequantise(r: _Reading, call: Operation) -> None:
    """DEQUANTIZE of stored weights: they are real numbers from here on."""
    r.folding.known[r.output(call).index] = r.fixed(call, 0)


Reader = Callable[[_Reading, Operation], None]
READERS: dict[str, Reader] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), _binary),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), _bound),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("MEAN", "SUM"), _reduce),
    **dict.fromkeys(_CLIPS, _clip),
    **dict.fromkeys((*_FUNCTIONS, "LEAKY_RELU", "GELU"), _function),
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TILE": _tile,
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), _pad),
    **dict.fromkeys(("SPLIT", "SPLIT_V"), _split),
    "SOFTMAX": _softmax,
    "PRELU": _prelu,
    "TRANSPOSE": _transpose,
    "CONCATENATION": _concat,
    "PACK": _pack,
    "UNPACK": _unpack,
    "GATHER": _gather,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"), _resize),
    "ARG_MAX": _argmax,
    "DEQUANTIZE": _dequantise,
}


def load(path: Path) -> fx.GraphModule:
    """The module of a float .tflite file.

    Raises FileError for a damaged file, UnsupportedError naming every operator that has no module, or a network that is
    quantised already.
    """
    model = read(path)
    with naming(path):
        return import_model(model)


def from_bytes(data: bytes, name: str) -> fx.GraphModule:
    """The module of a file's bytes; `name` stands for it in errors."""
    with naming(name):
        return import_model(parse(data, name))


def is_float(model: Model) -> bool:
    """Whether the network computes with real numbers: float inputs that no QUANTIZE reads."""
    readers = [c for c in model.operations if set(model.inputs) & set(c.inputs)]
    floats = [model.tensors[i].type == "FLOAT32" for i in model.inputs]
    return any(floats) and not any(c.op == "QUANTIZE" for c in readers)


def import_model(model: Model) -> fx.GraphModule:
    """The module of a parsed file."""
    if not is_float(model):
        raise UnsupportedError("is quantised already; read it without calibration: edgeq.load(path)")
    r = _Reading(model, FloatBuilder(model.name), Building(model, GraphBuilder("constants")))
    _check_operators(r)
    for index in model.inputs:
        found = model.tensors[index]
        r.held[index] = r.builder.input(found.name, found.shape)
    for call in model.operations:
        if call.op == "SHAPE" and r.tensor(call, 0).index in r.held:
            x = r.x(call)
            r.folding.known[r.output(call).index] = np.array(x.shape[x.merged :], np.int32)
        elif not fold(r.folding, call):
            if call.op not in READERS:
                raise UnsupportedError(f"{r.name(call)}: {call.op} is read for constants and shapes only")
            READERS[call.op](r, call)
    outputs = []
    for index in model.outputs:
        if index not in r.held:
            raise DamagedError(f"output {model.tensors[index].name} is not computed")
        outputs.append(r.held[index])
    return r.builder.finish(outputs)


def _check_operators(r: _Reading) -> None:
    missing: dict[str, list[str]] = {}
    for call in r.model.operations:
        if call.op not in (*READERS, *FOLDS, "SHAPE"):
            missing.setdefault(call.op, []).append(r.name(call))
    if missing:
        listed = "; ".join(f"{op} ({len(at)}: {', '.join(at[:3])})" for op, at in sorted(missing.items()))
        raise UnsupportedError(
            f"operators of float networks that edgeq does not read: {listed}. Replace them in the source network; read "
            f"are {', '.join(sorted({*READERS, *FOLDS, 'SHAPE'}))}"
        )


__all__ = ["import_model", "is_float", "load"]
