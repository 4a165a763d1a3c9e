"""Float .onnx files as torch modules: every operator that `edgeq.prepare` has a meaning for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from edgeq.errors import UnsupportedError
from edgeq.frontends._model_file import DamagedError, naming
from edgeq.frontends.floating import operations as ops
from edgeq.frontends.floating.module import Array, FloatBuilder, Held, natural, tensor
from edgeq.frontends.onnx.build import Known
from edgeq.frontends.onnx.file import Model, Operation, read
from edgeq.frontends.onnx.fold import fold, foldable
from edgeq.frontends.onnx.resizing import resizing

_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Abs": torch.abs,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "HardSwish": F.hardswish,
    "Log": torch.log,
    "Mish": F.mish,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Sigmoid": torch.sigmoid,
    "Sin": torch.sin,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
}
#: names that exporters give to weights that have none in the source
_NAMELESS = re.compile(r"^(onnx::|\d+$|val_|const|_|fused)", re.IGNORECASE)
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "Quant", "BipolarQuant", "FloatQuant", "QLinearConv", "ConvInteger")


@dataclass
class _Reading:
    """Tensors of the file: computed by the module under construction, or known."""

    model: Model
    builder: FloatBuilder
    held: dict[str, Held] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    #: layers by the tensor that they make, for a bias that the file adds behind them
    layers: dict[str, nn.Module] = field(default_factory=dict)

    def x(self, call: Operation, position: int = 0) -> Held:
        """A computed input."""
        name = call.inputs[position] if position < len(call.inputs) else ""
        if name not in self.held:
            raise UnsupportedError(f"{self.name(call)}: {call.op} reads {name or 'nothing'}, which is not computed")
        return self.held[name]

    def operand(self, call: Operation, position: int) -> Held | Array:
        """A computed or constant input."""
        name = call.inputs[position] if position < len(call.inputs) else ""
        if name in self.held:
            return self.held[name]
        return self.fixed(call, position)

    def given(self, call: Operation, position: int) -> bool:
        """Whether an input is there."""
        return position < len(call.inputs) and call.inputs[position] != ""

    def fixed(self, call: Operation, position: int) -> Array:
        """Elements of an input that has to be constant."""
        name = call.inputs[position] if self.given(call, position) else ""
        if name not in self.known:
            raise UnsupportedError(f"{self.name(call)}: {call.op} reads {name or 'nothing'}, which must be constant")
        return self.known[name].data

    def ints(self, call: Operation, key: str, position: int, default: Sequence[int] = ()) -> tuple[int, ...]:
        """Whole numbers that are an attribute in old operator sets and an input in new ones."""
        if key in call.attrs:
            return call.ints(key)
        if self.given(call, position):
            return tuple(int(n) for n in self.fixed(call, position).reshape(-1))
        return tuple(default)

    def name(self, call: Operation, weight: int | None = None) -> str:
        """The source's name of a layer: that of its weights, else the scope of the node."""
        if weight is not None and weight < len(call.inputs):
            found, _, leaf = call.inputs[weight].rpartition(".")
            if found and leaf in ("weight", "w", "kernel") and not _NAMELESS.match(found):
                return found
        parts = [p for p in call.name.split("/") if p]
        # torch writes /layer1/layer1.0/conv1/Conv for the Conv of layer1.0.conv1.
        scope = [p for p, after in zip(parts, [*parts[1:], ""], strict=True) if not after.startswith(f"{p}.")][:-1]
        if weight is not None and scope:
            return ".".join(scope)
        return ".".join([*scope, call.op.lower()])

    def put(self, call: Operation, made: Held, position: int = 0) -> None:
        """What a call makes."""
        self.held[call.outputs[position]] = made


def _behind(made: Held, node: fx.Node) -> Held:
    return Held(node, made.shape, made.order, made.merged)


# -- layers -------------------------------------------------------------------------------------------------------


def _feature_map(r: _Reading, call: Operation) -> Held:
    x = r.builder.plain(r.x(call))
    if len(x.shape) not in (3, 4) or x.merged:
        raise UnsupportedError(
            f"{r.name(call)}: {call.op} of {x.shape}; a batch of channels and one or two axes is read"
        )
    return x


def _window(r: _Reading, call: Operation, x: Held, kernel: Sequence[int]) -> ops.Window:
    """Geometry of a convolution or pool."""
    rank = len(x.shape) - 2
    stride, dilation = call.ints("strides", (1,) * rank), call.ints("dilations", (1,) * rank)
    pads, auto = call.ints("pads", (0,) * (2 * rank)), call.text("auto_pad", "NOTSET")
    if not len(kernel) == len(stride) == len(dilation) == len(pads) // 2 == rank:
        raise DamagedError(f"{call.op} {call.name}: kernel {tuple(kernel)} over {x.shape}")
    if min(*kernel, *stride, *dilation) < 1 or min(pads) < 0:
        raise UnsupportedError(f"{r.name(call)}: kernel {tuple(kernel)}, strides {stride}, pads {pads}")
    both = [(pads[i], pads[rank + i]) for i in range(rank)]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        both = []
        for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            both.append((total // 2, total - total // 2) if auto == "SAME_UPPER" else (total - total // 2, total // 2))
    elif auto == "VALID":
        both = [(0, 0)] * rank
    if call.integer("ceil_mode", 0):
        for i, (n, k, s, d) in enumerate(zip(x.shape[2:], kernel, stride, dilation, strict=True)):
            room = n + sum(both[i]) - d * (k - 1) - 1
            up = -(-room // s) + 1
            up -= (up - 1) * s >= n + both[i][0]
            both[i] = (both[i][0], max(both[i][1], (up - 1) * s + d * (k - 1) + 1 - n - both[i][0]))
    return ops.Window(tuple(kernel), stride, dilation, tuple(both))


def _conv(r: _Reading, call: Operation) -> None:
    x, weight = _feature_map(r, call), r.fixed(call, 1)
    groups = call.integer("group", 1)
    if weight.ndim != len(x.shape) or groups < 1 or weight.shape[1] * groups != x.shape[1] or weight.shape[0] % groups:
        raise DamagedError(f"{call.op} {call.name}: weights {weight.shape} in {groups} groups for {x.shape}")
    bias = r.fixed(call, 2) if r.given(call, 2) else None
    window = _window(r, call, x, weight.shape[2:])
    r.put(call, ops.convolution(r.builder, r.name(call, 1), x, weight, bias, window, groups))


def _conv_transpose(r: _Reading, call: Operation) -> None:
    x, weight = _feature_map(r, call), r.fixed(call, 1)
    if weight.ndim != len(x.shape) or weight.shape[0] != x.shape[1]:
        raise DamagedError(f"{call.op} {call.name}: weights {weight.shape} for {x.shape}")
    if call.text("auto_pad", "NOTSET") != "NOTSET" or call.ints("output_shape"):
        raise UnsupportedError(f"{r.name(call)}: ConvTranspose with auto_pad or output_shape; say its pads")
    window = _window(r, call, x, weight.shape[2:])
    extra = call.ints("output_padding", (0,) * len(window.kernel))
    axes = zip(x.shape[2:], window.kernel, window.stride, window.dilation, window.padding, extra, strict=True)
    size = [(n - 1) * s - sum(p) + d * (k - 1) + 1 + e for n, k, s, d, p, e in axes]
    if min(size) < 1:
        raise DamagedError(f"{call.op} {call.name}: an output of {size}")
    bias = r.fixed(call, 2) if r.given(call, 2) else None
    before = [p for p, _ in window.padding]
    groups = call.integer("group", 1)
    made = ops.transposed(
        r.builder, r.name(call, 1), x, weight, bias, window.stride, before, size, groups, window.dilation
    )
    r.put(call, made)


def _gemm(r: _Reading, call: Operation) -> None:
    x, weight = r.x(call), r.fixed(call, 1) * call.real("alpha", 1.0)
    weight = weight if call.integer("transB", 0) else weight.T
    if call.integer("transA", 0) or weight.ndim != 2 or weight.shape[1] != x.shape[-1]:
        raise UnsupportedError(f"{r.name(call)}: Gemm of {x.shape} and weights {weight.shape}")
    bias = None
    if r.given(call, 2):
        bias = np.broadcast_to(r.fixed(call, 2) * call.real("beta", 1.0), (1, weight.shape[0])).reshape(-1)
    _put_layer(r, call, ops.linear(r.builder, r.name(call, 1), x, weight, bias))


def _matmul(r: _Reading, call: Operation) -> None:
    _put_layer(r, call, ops.matmul(r.builder, r.name(call, 1), r.operand(call, 0), r.operand(call, 1)))


def _put_layer(r: _Reading, call: Operation, made: Held) -> None:
    if made.node.op == "call_module":
        r.layers[call.outputs[0]] = r.builder.root.get_submodule(str(made.node.target))
    r.put(call, made)


def _batch_norm(r: _Reading, call: Operation) -> None:
    x = r.builder.plain(r.x(call))
    scale, bias, mean, variance = (r.fixed(call, i) for i in range(1, 5))
    if call.integer("training_mode", 0) or len({a.shape for a in (scale, bias, mean, variance)}) > 1:
        raise UnsupportedError(f"{r.name(call)}: BatchNormalization in training, or of unlike parameters")
    kind = nn.BatchNorm2d if len(x.shape) == 4 else nn.BatchNorm1d
    layer = kind(scale.size, eps=call.real("epsilon", 1e-5))
    with torch.no_grad():
        for name, value in (("weight", scale), ("bias", bias), ("running_mean", mean), ("running_var", variance)):
            getattr(layer, name).copy_(tensor(value))
    r.put(call, _behind(x, r.builder.layer(r.name(call, 1), layer, x)))


def _pool(r: _Reading, call: Operation) -> None:
    x = _feature_map(r, call)
    window = _window(r, call, x, call.ints("kernel_shape"))
    if len(call.outputs) > 1 or call.integer("storage_order", 0):
        raise UnsupportedError(f"{r.name(call)}: MaxPool with indices")
    kind, include = ("max" if call.op == "MaxPool" else "average"), bool(call.integer("count_include_pad", 0))
    if include and not window.symmetric:
        both = [(0, 0), (0, 0), *window.padding]
        x = ops.pad(r.builder, f"{r.name(call)}_pad", x, both)
        window = ops.Window(window.kernel, window.stride, window.dilation, ((0, 0),) * len(window.kernel))
    r.put(call, ops.pool(r.builder, r.name(call), kind, x, window, include))


def _global_pool(r: _Reading, call: Operation) -> None:
    x = _feature_map(r, call)
    if call.op == "GlobalAveragePool":
        r.put(call, ops.mean(r.builder, r.name(call), x, range(2, len(x.shape)), True))
        return
    window = ops.Window(x.shape[2:], x.shape[2:], (1,) * len(x.shape[2:]), ((0, 0),) * len(x.shape[2:]))
    r.put(call, ops.pool(r.builder, r.name(call), "max", x, window))


# -- element by element -------------------------------------------------------------------------------------------


def _binary(r: _Reading, call: Operation) -> None:
    left, right = r.operand(call, 0), r.operand(call, 1)
    if call.op == "Add" and _absorbed(r, call, left, right):
        return
    r.put(call, ops.binary(r.builder, r.name(call), call.op.lower(), left, right))


def _absorbed(r: _Reading, call: Operation, left: Held | Array, right: Held | Array) -> bool:
    """A bias that the file adds to a matrix product goes into its layer."""
    for x, bias, name in ((left, right, call.inputs[0]), (right, left, call.inputs[1])):
        layer = r.layers.get(name)
        alone = isinstance(x, Held) and not isinstance(bias, Held) and r.readers[name] == 1
        if not alone or not isinstance(layer, nn.Linear) or layer.bias is not None:
            continue
        assert isinstance(x, Held)
        assert not isinstance(bias, Held)
        if bias.size == layer.out_features == bias.shape[-1]:
            layer.bias = nn.Parameter(tensor(bias.reshape(-1)))
            r.put(call, x)
            return True
    return False


def _sum(r: _Reading, call: Operation) -> None:
    made = r.operand(call, 0)
    for i in range(1, len(call.inputs)):
        made = ops.binary(r.builder, r.name(call), "add", made, r.operand(call, i))
    if not isinstance(made, Held):
        raise DamagedError(f"{call.op} {call.name}: of nothing that is computed")
    r.put(call, made)


def _bound(r: _Reading, call: Operation) -> None:
    """Max and Min of two operands; with one number they are a clip."""
    operands = [r.operand(call, i) for i in range(len(call.inputs))]
    numbers = [o for o in operands if not isinstance(o, Held)]
    if len(operands) != 2:
        raise UnsupportedError(f"{r.name(call)}: {call.op} of {len(operands)} tensors; two are read")
    if len(numbers) != 1 or numbers[0].size != 1:
        op = "maximum" if call.op == "Max" else "minimum"
        r.put(call, ops.binary(r.builder, r.name(call), op, operands[0], operands[1]))
        return
    x = next(o for o in operands if isinstance(o, Held))
    bound = float(numbers[0].reshape(()))
    low, high = (bound, None) if call.op == "Max" else (None, bound)
    r.put(call, _behind(x, r.builder.clip(x.node, low, high)))


def _relu(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    r.put(call, _behind(x, r.builder.clip(x.node, 0.0, None)))


def _clip(r: _Reading, call: Operation) -> None:
    bounds: list[float | None] = []
    for position, key in ((1, "min"), (2, "max")):
        found: float | None = call.real(key, 0.0) if key in call.attrs else None
        if r.given(call, position):
            found = float(r.fixed(call, position).reshape(()))
        # Exporters write the ends of float32 for no bound.
        bounds.append(None if found is None or abs(found) > 1e38 else found)
    x = r.x(call)
    r.put(call, _behind(x, r.builder.clip(x.node, *bounds)))


def _function(r: _Reading, call: Operation) -> None:
    x, op = r.x(call), call.op
    r.put(call, ops.function(r.builder, r.name(call), op.lower(), _FUNCTIONS.get(op) or _with_attributes(r, call), x))


def _with_attributes(r: _Reading, call: Operation) -> Callable[[torch.Tensor], torch.Tensor]:
    """Functions that the file gives numbers to."""
    alpha = call.real("alpha", {"LeakyRelu": 0.01, "HardSigmoid": 0.2}.get(call.op, 1.0))
    if call.op == "LeakyRelu":
        return lambda x: F.leaky_relu(x, alpha)
    if call.op == "Elu":
        return lambda x: F.elu(x, alpha)
    if call.op == "Celu":
        return lambda x: F.celu(x, alpha)
    if call.op == "Gelu":
        kind = call.text("approximate", "none")
        return lambda x: F.gelu(x, approximate=kind)
    if call.op == "HardSigmoid":
        beta = call.real("beta", 0.5)
        if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
            return F.hardsigmoid
        return lambda x: torch.clamp(x * alpha + beta, min=0.0, max=1.0)
    if call.op == "Selu" and "alpha" not in call.attrs and "gamma" not in call.attrs:
        return F.selu
    if call.op == "Pow":
        exponent = r.fixed(call, 1)
        found = {2.0: torch.square, 0.5: torch.sqrt, -0.5: torch.rsqrt, -1.0: torch.reciprocal}
        if exponent.size == 1 and float(exponent.reshape(())) in found:
            return found[float(exponent.reshape(()))]
    raise UnsupportedError(f"{r.name(call)}: {call.op} with these numbers has no integer meaning here")


def _prelu(r: _Reading, call: Operation) -> None:
    r.put(call, ops.prelu(r.builder, r.name(call), r.x(call), r.fixed(call, 1)))


def _softmax(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    axis = x.axis(call.integer("axis", -1 if r.model.opset >= 13 else 1))
    if r.model.opset < 13 and axis != len(x.shape) - 1:
        raise UnsupportedError(f"{r.name(call)}: Softmax over several axes; export with opset 13 or later")
    r.put(call, ops.softmax(r.builder, r.name(call), x, axis))


def _reduce(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    axes = r.ints(call, "axes", 1)
    if not axes and not call.integer("noop_with_empty_axes", 0):
        axes = tuple(range(-len(x.shape) + 1 + x.merged, 0))
    keep = bool(call.integer("keepdims", 1))
    r.put(call, ops.mean(r.builder, r.name(call), x, [x.axis(a) for a in axes], keep, call.op == "ReduceSum"))


def _argmax(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    if call.integer("select_last_index", 0):
        raise UnsupportedError(f"{r.name(call)}: ArgMax of the last of equals")
    axis = x.axis(call.integer("axis", 0))
    r.put(call, ops.argmax(r.builder, r.name(call), x, axis, bool(call.integer("keepdims", 1))))


# -- movement -----------------------------------------------------------------------------------------------------


def _pass(r: _Reading, call: Operation) -> None:
    r.put(call, r.x(call))


def _shape(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    shape = x.shape[x.merged :]
    found = shape[slice(call.integer("start", 0), call.integer("end", len(shape)))]
    r.known[call.outputs[0]] = Known(call.outputs[0], np.array(found, np.int64), "INT64")


def _to_shape(r: _Reading, call: Operation, shape: Sequence[int]) -> None:
    """The shape as the file has it; where its first axis is not the batch, the batch is one more."""
    x = r.x(call)
    if prod(shape) != prod(x.shape) or min(shape, default=0) < 1:
        raise DamagedError(f"{call.op} {call.name}: {x.shape} as {tuple(shape)}")
    merged = shape[0] != 1
    r.put(call, r.builder.reshaped(x, (1, *shape) if merged else shape, merged))


def _reshape(r: _Reading, call: Operation) -> None:
    x, target = r.x(call), list(r.ints(call, "shape", 1))
    known = x.shape[x.merged :]
    if not call.integer("allowzero", 0):
        target = [known[i] if n == 0 and i < len(known) else n for i, n in enumerate(target)]
    if target.count(-1) == 1:
        rest = prod(n for n in target if n != -1)
        target[target.index(-1)] = prod(known) // max(rest, 1)
    _to_shape(r, call, target)


def _flatten(r: _Reading, call: Operation) -> None:
    shape = r.x(call).shape
    axis = call.integer("axis", 1)
    axis += len(shape) if axis < 0 else 0
    _to_shape(r, call, (prod(shape[:axis]), prod(shape[axis:])))


def _squeeze(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    axes = {x.axis(a) for a in r.ints(call, "axes", 1)} or {i for i, n in enumerate(x.shape) if n == 1 and i}
    if 0 in axes:
        raise UnsupportedError(f"{r.name(call)}: Squeeze of the batch")
    r.put(call, r.builder.reshaped(x, [n for i, n in enumerate(x.shape) if i not in axes], x.merged))


def _unsqueeze(r: _Reading, call: Operation) -> None:
    x, axes = r.x(call), r.ints(call, "axes", 1)
    rank = len(x.shape) + len(axes) - x.merged
    at = sorted(a % rank + x.merged for a in axes)
    shape = list(x.shape)
    for a in at:
        shape.insert(a, 1)
    if 0 in at:
        raise UnsupportedError(f"{r.name(call)}: Unsqueeze before the batch")
    r.put(call, r.builder.reshaped(x, shape, x.merged))


def _transpose(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    rank = len(x.shape) - x.merged
    axes = [x.axis(a) for a in call.ints("perm", tuple(reversed(range(rank))))]
    axes = [0, *axes] if x.merged else axes
    if sorted(axes) != list(natural(len(x.shape))):
        raise DamagedError(f"{call.op} {call.name}: axes {axes} of {x.shape}")
    r.put(call, ops.transposed_axes(r.builder, x, axes))


def _concat(r: _Reading, call: Operation) -> None:
    operands = [r.operand(call, i) for i in range(len(call.inputs))]
    axis = next(o for o in operands if isinstance(o, Held)).axis(call.integer("axis", 1))
    r.put(call, ops.concat(r.builder, r.name(call), operands, axis))


def _split(r: _Reading, call: Operation) -> None:
    x, count = r.x(call), len(call.outputs)
    axis = x.axis(call.integer("axis", 0))
    even = -(-x.shape[axis] // count)
    sizes = r.ints(call, "split", 1, [even] * (count - 1) + [x.shape[axis] - even * (count - 1)])
    if len(sizes) != count or sum(sizes) != x.shape[axis]:
        raise DamagedError(f"{call.op} {call.name}: parts {sizes} of {x.shape[axis]}")
    begin = 0
    for i, size in enumerate(sizes):
        r.put(call, ops.sliced(r.builder, x, {axis: slice(begin, begin + size)}), i)
        begin += size


def _slice(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    starts, ends = r.ints(call, "starts", 1), r.ints(call, "ends", 2)
    axes = r.ints(call, "axes", 3, range(len(starts)))
    steps = r.ints(call, "steps", 4, [1] * len(starts))
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise DamagedError(f"{call.op} {call.name}: {starts}, {ends}, {axes}, {steps}")
    taken = {x.axis(a): slice(b, e, s) for a, b, e, s in zip(axes, starts, ends, steps, strict=True)}
    r.put(call, ops.sliced(r.builder, x, taken))


def _gather(r: _Reading, call: Operation) -> None:
    """Constant places along one axis."""
    x, places = r.x(call), r.fixed(call, 1)
    if places.ndim > 1:
        raise UnsupportedError(f"{r.name(call)}: Gather of places {places.shape}; one index or a list is read")
    r.put(call, ops.gathered(r.builder, r.name(call), x, x.axis(call.integer("axis", 0)), places))


def _pad(r: _Reading, call: Operation) -> None:
    x = r.x(call)
    amounts, rank = r.ints(call, "pads", 1), len(x.shape) - x.merged
    axes = [x.axis(int(a)) for a in r.fixed(call, 3).reshape(-1)] if r.given(call, 3) else []
    axes = axes or [i + x.merged for i in range(rank)]
    if len(amounts) != 2 * len(axes):
        raise DamagedError(f"{call.op} {call.name}: pads {amounts} of {x.shape}")
    if min(amounts, default=0) < 0:
        raise UnsupportedError(f"{r.name(call)}: negative padding; slice instead")
    both = [(0, 0)] * len(x.shape)
    for i, axis in enumerate(axes):
        both[axis] = (amounts[i], amounts[len(axes) + i])
    value = call.real("value", 0.0)
    if r.given(call, 2):
        value = float(r.fixed(call, 2).reshape(-1)[0])
    mode = {"edge": "replicate", "wrap": "circular"}.get(call.text("mode", "constant"), call.text("mode", "constant"))
    r.put(call, ops.pad(r.builder, r.name(call), x, both, mode, value))


def _resize(r: _Reading, call: Operation) -> None:
    """Resize and Upsample, to the nearest element or between two."""
    x, name = _feature_map(r, call), r.name(call)
    try:
        found = resizing(call, r.model.opset, x.shape, lambda i: r.fixed(call, i) if r.given(call, i) else None)
    except UnsupportedError as error:
        raise UnsupportedError(f"{name}: {call.op} by {error}") from None
    if found.lines:
        r.put(call, ops.resize(r.builder, name, x, found.lines))
    else:
        r.put(call, ops.pick(r.builder, name, x, found.places))


READERS: dict[str, Callable[[_Reading, Operation], None]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _binary),
    "Sum": _sum,
    **dict.fromkeys(("Max", "Min"), _bound),
    "Relu": _relu,
    "Clip": _clip,
    **dict.fromkeys((*_FUNCTIONS, "LeakyRelu", "Elu", "Celu", "Gelu", "HardSigmoid", "Selu", "Pow"), _function),
    "PRelu": _prelu,
    "Softmax": _softmax,
    **dict.fromkeys(("ReduceMean", "ReduceSum"), _reduce),
    "ArgMax": _argmax,
    **dict.fromkeys(("Identity", "Dropout", "Cast"), _pass),
    "Shape": _shape,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
    **dict.fromkeys(("Resize", "Upsample"), _resize),
}


def load(path: Path) -> fx.GraphModule:
    """The module of a float .onnx file.

    Raises FileError for a damaged file, UnsupportedError naming every operator that has no module, or a network that is
    quantised already.
    """
    model = read(path)
    with naming(path):
        return import_model(model)


def import_model(model: Model) -> fx.GraphModule:
    """The module of a parsed file."""
    if any(call.op in _QUANTISED for call in model.operations):
        raise UnsupportedError("is quantised already; read it without calibration: edgeq.load(path)")
    r = _Reading(model, FloatBuilder(model.name))
    r.known = {name: Known(name, data, model.types[name]) for name, data in model.constants.items()}
    r.readers = Counter(name for call in model.operations for name in call.inputs)
    r.readers.update(o.name for o in model.outputs)
    _check_operators(r)
    for border in model.inputs:
        r.held[border.name] = r.builder.input(border.name, _sizes(border.name, border.shape))
    for call in model.operations:
        if all(not name or name in r.known for name in call.inputs) and foldable(call):
            found = fold(model, call, [r.known[name] if name else None for name in call.inputs])
            r.known.update({k.name: k for k in found})
        elif call.op in READERS:
            READERS[call.op](r, call)
        else:
            raise UnsupportedError(f"{r.name(call)}: {call.op} of computed tensors has no integer meaning here")
    missing = [o.name for o in model.outputs if o.name not in r.held]
    if missing:
        raise UnsupportedError(f"output {missing[0]} does not depend on the input")
    return r.builder.finish([r.held[o.name] for o in model.outputs])


def _sizes(name: str, shape: Sequence[int | None]) -> tuple[int, ...]:
    """The shape of an input for one sample."""
    if len(shape) < 2 or any(n is None for n in shape[1:]):
        raise UnsupportedError(f"input {name}: shape {tuple(shape)}; export with fixed sizes of all axes but the batch")
    if shape[0] not in (None, 1):
        raise UnsupportedError(f"input {name}: a batch of {shape[0]}; export with an open batch, or one of 1")
    return (1, *(n for n in shape[1:] if n is not None))


def _check_operators(r: _Reading) -> None:
    missing: dict[str, list[str]] = {}
    for call in r.model.operations:
        if (call.op not in READERS and not foldable(call)) or call.domain != "":
            missing.setdefault(f"{call.domain}.{call.op}".lstrip("."), []).append(call.name)
    if missing:
        listed = "; ".join(f"{op} ({len(at)}: {', '.join(at[:3])})" for op, at in sorted(missing.items()))
        raise UnsupportedError(
            f"operators of float networks that edgeq does not read: {listed}. Replace them in the source network; read "
            f"are {', '.join(sorted(READERS))}"
        )


__all__ = ["import_model", "load"]
