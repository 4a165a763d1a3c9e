"""torch: a prepared and trained module becomes a Graph, with the user's layer names."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn

from edgeq.errors import InputError, UnsupportedError
from edgeq.formats import DEFAULT_OVERFLOW, DEFAULT_RULE, FixedPoint, Format, Grouped, Minifloat, grouped, round_scalar
from edgeq.frontends._tensors import Fixed, Layouts, Origin, Placed, channels_last, identity
from edgeq.frontends.torch import movement
from edgeq.ir import Attr, Graph, GraphBuilder
from edgeq.ir.coordinates import attributes
from edgeq.quant import operations as ops
from edgeq.quant.batch_norm import BatchNorm
from edgeq.quant.batches import input_tensors
from edgeq.quant.binary_point import BinaryPoint
from edgeq.quant.functions import Softmax, Table, current_format, exp_format
from edgeq.quant.kinds import MOVEMENT, canonical, place_of
from edgeq.quant.layers import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Linear, Output
from edgeq.quant.preparation import is_prepared
from edgeq.quant.quantizers import binary_point
from edgeq.quant.resampling import Picked
from edgeq.quant.spec import QuantSpec


def export(model: nn.Module, example: Any, *, optimise: bool = True, name: str | None = None) -> Graph:
    """The integer program of a prepared module.

    model:    what `edgeq.prepare` returned, trained or calibrated. It is not changed.
    example:  one input batch of the right shape (a tuple or list for several inputs); only its shape counts.
    optimise: run `edgeq.passes.optimise`, which keeps the meaning; False shows the network layer by layer.
    name:     name of the graph; default: that of the module's class.

    Values are named after the layers (`layer1.0.conv1`); inputs and outputs keep the layout of the module.
    Running the graph gives, bit for bit, what the module gives in eval mode, for every tensor.
    Errors: InputError for a module that is not prepared or has seen no data, UnsupportedError naming the layer.
    """
    graph, _ = export_with_origins(model, example, name)
    if optimise:
        from edgeq.passes import optimise as run_passes

        graph = run_passes(graph)
    return graph


def export_with_origins(model: nn.Module, example: Any, name: str | None = None) -> tuple[Graph, dict[str, Origin]]:
    """The graph before any pass, and for each value of it the fx node whose output it is."""
    if not is_prepared(model) or not isinstance(model, fx.GraphModule):
        raise InputError(
            f"{type(model).__name__} is not prepared: call edgeq.prepare(model, recipe), train or calibrate what it "
            "returns, and export that"
        )
    tensors = input_tensors(model, example)
    exporter = _Exporter(model, name or type(model).__name__)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            # Two samples are enough to tell the batch from the other axes.
            exporter.run(*(t[:2] for t in tensors))
    finally:
        model.train(training)
    return exporter.finished(), exporter.layouts.origins


class _Exporter(fx.Interpreter):
    """Runs the module on the example and writes a node of the graph for each node it executes."""

    def __init__(self, model: fx.GraphModule, name: str) -> None:
        super().__init__(model)
        # Our errors are one line already.
        self.extra_traceback = False
        self.builder = GraphBuilder(name)
        self.layouts = Layouts(self.builder)
        self.modules = dict(model.named_modules())
        #: fx node -> where its tensor is; tuples for chunk and split
        self.places: dict[fx.Node, Any] = {}
        self.outputs: list[Placed] = []
        self.batch = 0

    def finished(self) -> Graph:
        """The checked graph."""
        layouts = {o.name: o.permutation for o in self.outputs if o.permutation != identity(len(o.permutation))}
        return self.builder.build(list(dict.fromkeys(o.name for o in self.outputs)), layouts)

    def run_node(self, n: fx.Node) -> Any:
        try:
            result = super().run_node(n)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            fact = str(error).strip().splitlines()[0]
            raise InputError(f"{n.target}: does not run on the example: {fact}") from error
        if n.op == "placeholder":
            self.batch = result.shape[0]
        elif n.op == "output":
            self._output(n)
        elif n.op.startswith("call"):
            place = self._convert(n, result)
            if place is not None:
                self.places[n] = place
        return result

    def _convert(self, n: fx.Node, result: Any) -> Any:
        module = self.modules.get(str(n.target)) if n.op == "call_module" else None
        if isinstance(module, Output):
            made = self._operation(n, module, result)
            if isinstance(made, Placed):
                self.layouts.origins[made.name] = Origin(n.name, made.permutation)
            return made
        if not any(i in self.places for i in n.all_input_nodes):
            return None
        name = canonical(n, self.modules)
        if "dropout" in name:
            return self.places[n.all_input_nodes[0]]
        if name == "argmax":
            return self._argmax(n, result)
        if name in MOVEMENT:
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            place = place_of(n, name) if module is None else str(n.target)
            call = movement.Call(n, name, place, module, args, kwargs, result, self.places[n.all_input_nodes[0]])
            return movement.convert(call, self.layouts, self.batch)
        if not isinstance(result, Tensor):
            return None
        raise UnsupportedError(f"{place_of(n, name)}: {name} has no integer meaning; use a torch function for it")

    def _output(self, n: fx.Node) -> None:
        for node in n.all_input_nodes:
            place = self.places.get(node)
            if not isinstance(place, Placed):
                raise UnsupportedError(f"output {node.name}: is not a tensor that the network computes")
            if place.name in self.builder.inputs:
                raise UnsupportedError(f"output {node.name}: is an input of the network; it computes nothing")
            same = next((o for o in self.outputs if o.name == place.name and o.permutation != place.permutation), None)
            # One value has one layout at the border.
            self.outputs.append(place if same is None else self.layouts.to(place, same.permutation))

    # -- operations -------------------------------------------------------------------------------------------

    def _operation(self, n: fx.Node, module: Any, result: Tensor) -> Placed | Fixed:
        if isinstance(module, ops.Requantise) and n.args and n.args[0].op == "placeholder":  # type: ignore[union-attr]
            return self._input(n, module, result)
        if isinstance(module, ops.Constant):
            fmt = current_format(module.output_quant)
            return Fixed(str(n.target), grid_codes(result, fmt, str(n.target)), fmt)
        for kind, convert in _CONVERT.items():
            if isinstance(module, kind):
                return convert(self, n, module, result)
        raise UnsupportedError(f"{n.target}: {type(module).__name__} cannot be exported")

    def _input(self, n: fx.Node, module: Any, result: Tensor) -> Placed:
        shape = tuple(result.shape[1:])
        permutation = identity(len(shape))
        if len(shape) in (2, 3) and _wants_channels_last(n, self.modules):
            permutation = channels_last(len(shape))
        fmt = current_format(module.output_quant)
        laid_out = tuple(shape[p] for p in permutation)
        name = self.builder.input(str(n.args[0].target), laid_out, fmt, permutation)  # type: ignore[union-attr]
        return Placed(name, shape, permutation)

    def operand(self, n: fx.Node, index: int) -> Placed:
        """The computed operand of a node."""
        place = self.places.get(n.args[index])  # type: ignore[arg-type]
        if not isinstance(place, Placed):
            raise UnsupportedError(f"{n.target}: operand {index} is not a tensor that the network computes")
        return place

    def emit(
        self, n: fx.Node, module: Any, op: str, inputs: list[str], shape: tuple[int, ...], permutation: tuple[int, ...],
        **attrs: Attr,
    ) -> Placed:  # fmt: skip
        """Add an arithmetic node with the output stage of its module."""
        fmt = current_format(module.output_quant)
        name = self.builder.node(op, str(n.target), inputs, fmt, str(n.target), **attrs, **output_stage(module, fmt))
        return Placed(name, shape, permutation)

    def _argmax(self, n: fx.Node, result: Tensor) -> Placed:
        dim = n.kwargs.get("dim", n.args[1] if len(n.args) > 1 else None)
        keep = bool(n.kwargs.get("keepdim", n.args[2] if len(n.args) > 2 else False))
        x = self.operand(n, 0)
        rank = len(x.shape)
        if not isinstance(dim, int) or dim % (rank + 1) == 0:
            raise UnsupportedError(f"{n.name}: argmax over the batch too; give it another dim, as in argmax(1)")
        if rank == 1 and not keep:
            raise UnsupportedError(
                f"{n.name}: argmax of vectors leaves a tensor without axes; write argmax({dim}, keepdim=True)"
            )
        axis = dim % (rank + 1) - 1
        count = x.shape[axis]
        fmt = FixedPoint(max(8, (count - 1).bit_length()), 0, sign=False)
        at = x.permutation.index(axis)
        name = self.builder.node("argmax", place_of(n, "argmax"), [x.name], fmt, axis=at, keep_axes=int(keep))
        permutation = x.permutation if keep else _without(x.permutation, (axis,))
        self.layouts.origins[name] = Origin(n.name, permutation)
        return Placed(name, tuple(result.shape[1:]), permutation)


# -- one function for each kind of operation ----------------------------------------------------------------------


def _requantise(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.operand(n, 0)
    return e.emit(n, module, "requantise", [x.name], x.shape, x.permutation)


def _convolution(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.operand(n, 0)
    rank = len(module.kernel_size)
    if len(x.shape) != rank + 1:
        raise UnsupportedError(f"{n.target}: input without a batch axis; give the network batches")
    x = e.layouts.to(x, channels_last(rank + 1))
    attrs: dict[str, Attr] = {"stride": tuple(module.stride), "dilation": tuple(module.dilation)}
    attrs["groups"] = int(module.groups)
    padding = convolution_padding(module)
    if module.padding_mode != "zeros" and any(padding):
        fmt = e.builder.values[x.name].format
        name = f"{n.target}.pad"
        padded = e.builder.node(
            "pad", name, [x.name], fmt, str(n.target), padding=(*padding, 0, 0), mode=module.padding_mode
        )
        x, padding = Placed(padded, x.shape, x.permutation), (0,) * (2 * rank)
    attrs["padding"] = padding
    return _matrix(e, n, module, "conv", x, result, attrs)


def _conv_transpose(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    rank = len(module.kernel_size)
    x = e.layouts.to(e.operand(n, 0), channels_last(rank + 1))
    attrs: dict[str, Attr] = {
        "stride": tuple(module.stride),
        "dilation": tuple(module.dilation),
        "groups": int(module.groups),
        "padding": tuple(p for p in module.padding for _ in range(2)),
        "output_padding": tuple(module.output_padding),
    }
    return _matrix(e, n, module, "conv_transpose", x, result, attrs)


def _linear(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.operand(n, 0)
    if x.permutation[-1] != len(x.shape) - 1:
        x = e.layouts.to(x, identity(len(x.shape)))
    return _matrix(e, n, module, "linear", x, result, {})


def _batch_norm(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    """A multiply-add of each channel: a depthwise convolution of kernel one; vectors are rows of one place."""
    x, place = e.operand(n, 0), str(n.target)
    flat = len(x.shape) == 1
    rank = 1 if flat else len(x.shape) - 1
    channels = x.shape[0]
    if flat:
        fmt = e.builder.values[x.name].format
        name = e.builder.node("reshape", f"{place}.row", [x.name], fmt, place, shape=(1, channels))
        e.layouts.origins[name] = Origin(n.all_input_nodes[0].name, identity(1))
        x = Placed(name, (channels, 1), channels_last(2))
    x = e.layouts.to(x, channels_last(rank + 1))
    codes, weight_format = weight_codes(module, place)
    bias, bias_format = bias_codes(module, place)
    inputs = [
        x.name,
        e.builder.constant(f"{place}.weight", codes.reshape(channels, *(1,) * (rank + 1)), weight_format, place),
        e.builder.constant(f"{place}.bias", bias, bias_format, place),
    ]
    ones, none = (1,) * rank, (0,) * (2 * rank)
    attrs: dict[str, Attr] = {"stride": ones, "dilation": ones, "padding": none, "groups": channels}
    made = e.emit(n, module, "conv", inputs, x.shape, x.permutation, **attrs)
    if not flat:
        return made
    e.layouts.origins[made.name] = Origin(n.name, identity(1))
    fmt = e.builder.values[made.name].format
    name = e.builder.node("reshape", f"{place}.flat", [made.name], fmt, place, shape=(channels,))
    return Placed(name, (channels,), identity(1))


def _matrix(
    e: _Exporter, n: fx.Node, module: Any, op: str, x: Placed, result: Tensor, attrs: dict[str, Attr]
) -> Placed:
    weight, fmt = weight_codes(module, str(n.target))
    inputs = [x.name, e.builder.constant(f"{n.target}.weight", weight, fmt, str(n.target))]
    if module.bias is not None:
        codes, bias_format = bias_codes(module, str(n.target))
        inputs.append(e.builder.constant(f"{n.target}.bias", codes, bias_format, str(n.target)))
    return e.emit(n, module, op, inputs, tuple(result.shape[1:]), x.permutation, **attrs)


def _binary(op: str) -> Callable[[_Exporter, fx.Node, Any, Tensor], Placed]:
    def convert(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
        places = [e.places[a] for a in n.args]  # type: ignore[index]
        computed = [p for p in places if isinstance(p, Placed)]
        if not computed:
            raise UnsupportedError(f"{n.target}: both operands are constant; compute it before the network")
        if any(len(p.shape) != len(computed[0].shape) for p in computed):
            raise UnsupportedError(f"{n.target}: operands of different rank; unsqueeze the smaller one")
        lead = max(computed, key=lambda p: int(np.prod(p.shape)))
        names = [
            e.layouts.to(p, lead.permutation).name if isinstance(p, Placed) else _constant(e, n, p, lead)
            for p in places
        ]
        return e.emit(n, module, op, names, tuple(result.shape[1:]), lead.permutation)

    return convert


def _constant(e: _Exporter, n: fx.Node, fixed: Fixed, other: Placed) -> str:
    """A constant operand laid out as the other operand is."""
    rank = len(other.shape)
    codes = fixed.codes.reshape((1,) * max(0, rank + 1 - fixed.codes.ndim) + fixed.codes.shape)
    if codes.ndim != rank + 1 or codes.shape[0] != 1:
        raise UnsupportedError(f"{n.target}: constant operand of shape {fixed.codes.shape} has a batch axis")
    laid_out = codes[0].transpose(other.permutation)
    return e.builder.constant(fixed.name, laid_out, fixed.format, fixed.name)


def _prelu(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x, slope = e.operand(n, 0), e.places[n.args[1]]  # type: ignore[index]
    if isinstance(slope, Placed):
        raise UnsupportedError(f"{n.target}: a computed slope; multiply and add instead")
    if slope.codes.ndim == 1 and slope.codes.size > 1:
        # One for each channel, the first of torch's axes behind the batch.
        slope = Fixed(slope.name, slope.codes.reshape(-1, *(1,) * (len(x.shape) - 1)), slope.format)
    return e.emit(n, module, "prelu", [x.name, _constant(e, n, slope, x)], x.shape, x.permutation)


def _matmul(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    a, b = (e.operand(n, i) for i in (0, 1))
    a, b = (e.layouts.to(x, identity(len(x.shape))) for x in (a, b))
    return e.emit(n, module, "matmul", [a.name, b.name], tuple(result.shape[1:]), identity(result.ndim - 1))


def _concat(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    places = [e.operand(n, i) for i in range(len(n.args))]
    axis = module.dim % result.ndim - 1
    if axis < 0:
        raise UnsupportedError(f"{n.target}: cat along the batch")
    lead = places[0]
    names = [e.layouts.to(p, lead.permutation).name for p in places]
    at = lead.permutation.index(axis)
    return e.emit(n, module, "concat", names, tuple(result.shape[1:]), lead.permutation, axis=at)


def _reduction(op: str) -> Callable[[_Exporter, fx.Node, Any, Tensor], Placed]:
    def convert(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
        x = e.operand(n, 0)
        dims = {d % (len(x.shape) + 1) - 1 for d in module.dims}
        if -1 in dims:
            raise UnsupportedError(f"{n.target}: {op} over the batch")
        if len(dims) == len(x.shape) and not module.keepdim:
            raise UnsupportedError(f"{n.target}: {op} over every axis; use keepdim=True")
        axes = tuple(sorted(x.permutation.index(d) for d in dims))
        permutation = x.permutation if module.keepdim else _without(x.permutation, tuple(dims))
        return e.emit(
            n, module, op, [x.name], tuple(result.shape[1:]), permutation, axes=axes, keep_axes=int(module.keepdim)
        )

    return convert


def _average_pool(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.layouts.to(e.operand(n, 0), channels_last(result.ndim - 1))
    if isinstance(module, ops.AdaptiveAveragePool):
        kernel = stride = module.kernel(x.shape[1:])
        padding, include = (0,) * len(kernel), True
    else:
        kernel, stride, padding, include = module.kernel, module.stride, module.padding, module.include_pad
    attrs: dict[str, Attr] = {"kernel": tuple(kernel), "stride": tuple(stride), "include_pad": int(include)}
    # With ceil_mode the last window may reach beyond the end: the same as more padding there.
    inputs, outputs = x.shape[1:], result.shape[2:]
    needed = [(o - 1) * s + k - n - p for n, o, k, s, p in zip(inputs, outputs, kernel, stride, padding, strict=True)]
    attrs["padding"] = tuple(a for p, end in zip(padding, needed, strict=True) for a in (p, max(p, end)))
    return e.emit(n, module, "average_pool", [x.name], tuple(result.shape[1:]), x.permutation, **attrs)


def _resize(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.layouts.to(e.operand(n, 0), channels_last(result.ndim - 1))
    lines, bits = module.lines(x.shape[1:], tuple(result.shape[2:]))
    shape = tuple(result.shape[1:])
    return e.emit(n, module, "resize_bilinear", [x.name], shape, x.permutation, **attributes(lines, bits))


def _softmax(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x = e.operand(n, 0)
    axis = module.dim % result.ndim - 1
    if axis < 0:
        raise UnsupportedError(f"{n.target}: softmax over the batch")
    table = e.builder.constant(f"{n.target}.table", module.table(), exp_format(), str(n.target))
    at = x.permutation.index(axis)
    return e.emit(n, module, "softmax", [x.name, table], x.shape, x.permutation, axis=at)


def _table(e: _Exporter, n: fx.Node, module: Any, result: Tensor) -> Placed:
    x, fmt = e.operand(n, 0), current_format(module.output_quant)
    table = e.builder.constant(f"{n.target}.table", module.codes(), fmt, str(n.target))
    name = e.builder.node("table", str(n.target), [x.name, table], fmt, str(n.target), function=module.label)
    return Placed(name, x.shape, x.permutation)


_CONVERT: dict[type, Callable[[_Exporter, fx.Node, Any, Tensor], Placed]] = {
    ops.Requantise: _requantise,
    Conv1d: _convolution,
    Conv2d: _convolution,
    ConvTranspose1d: _conv_transpose,
    ConvTranspose2d: _conv_transpose,
    Linear: _linear,
    BatchNorm: _batch_norm,
    ops.Add: _binary("add"),
    ops.Sub: _binary("sub"),
    ops.Mul: _binary("mul"),
    ops.Maximum: _binary("maximum"),
    ops.Minimum: _binary("minimum"),
    ops.Prelu: _prelu,
    ops.MatMul: _matmul,
    ops.Concat: _concat,
    ops.Mean: _reduction("mean"),
    ops.Sum: _reduction("sum"),
    ops.AveragePool: _average_pool,
    ops.AdaptiveAveragePool: _average_pool,
    ops.ResizeLinear: _resize,
    Softmax: _softmax,
    Table: _table,
}


# -- numbers ------------------------------------------------------------------------------------------------------


def output_stage(module: Any, fmt: Format) -> dict[str, Attr]:
    """Attributes of the one rounding and of the clip after it."""
    spec = binary_point(module.output_quant).spec
    rule = spec.rounding
    attrs: dict[str, Attr] = {} if rule == DEFAULT_RULE else {"rounding": rule}
    if spec.overflow != DEFAULT_OVERFLOW:
        return attrs | {"overflow": spec.overflow} | _clamp(module, fmt, rule, spec)
    least, most = fmt.grid_range
    lo, hi = (int(spec.low) if spec.narrow and isinstance(fmt, FixedPoint) else least), most
    if module.bounds is not None:
        first, last = (int(fmt.to_grid(fmt.quantize(np.array([b]), rule))[0]) for b in module.bounds)
        lo, hi = max(lo, first), max(lo, last)
    attrs |= {"lo": lo} if lo > least else {}
    attrs |= {"hi": hi} if hi < most else {}
    return attrs


def _clamp(module: Any, fmt: Format, rule: str, spec: QuantSpec) -> dict[str, Attr]:
    """The clip before an overflow mode: bounds of the node even where they are the ends of the format."""
    attrs: dict[str, Attr] = {}
    for key, bound in zip(("lo", "hi"), module.bounds or (), strict=False):
        if not math.isfinite(bound):
            continue
        assert isinstance(fmt.frac, int)
        end, (least, most) = round_scalar(Fraction(bound) * Fraction(2) ** fmt.frac, rule), fmt.grid_range
        if not least <= end <= most:
            raise UnsupportedError(
                f"{spec.place}: its clip to {bound:g} lies beyond {fmt}, and with overflow {spec.overflow} numbers "
                "between both would not saturate; use saturate, more bits, or statistics that cover the clip"
            )
        attrs[key] = end
    return attrs


def grid_codes(values: Tensor, fmt: Format, place: str) -> npt.NDArray[np.int64]:
    """Codes of values that are on the grid of `fmt`, exactly; anything else is an error."""
    real = values.detach().cpu().double().numpy()
    if not np.isfinite(real).all():
        raise InputError(f"{place}: holds NaN or infinity; the training has diverged")
    grid = np.ldexp(real, fmt.frac_along(real.ndim))
    if not np.array_equal(grid, np.rint(grid)):
        raise InputError(f"{place}: values are not on the grid of {fmt}")
    return fmt.from_grid(grid.astype(np.int64))


def weight_codes(layer: Any, place: str) -> tuple[npt.NDArray[np.int64], Format]:
    """Codes of a layer's weights as (O, *kernel, C / groups) or (O, C), and their format."""
    if not torch.isfinite(layer.weight).all():
        raise InputError(f"{place}: weights hold NaN or infinity; the training has diverged")
    values = layer.quantised_weight().detach()
    if isinstance(layer, (ConvTranspose1d, ConvTranspose2d)):
        inputs, outputs = values.shape[:2]
        grouped = values.reshape(layer.groups, inputs // layer.groups, outputs, *values.shape[2:])
        values = grouped.transpose(1, 2).reshape(layer.groups * outputs, inputs // layer.groups, *values.shape[2:])
    if values.ndim > 2:
        values = values.movedim(1, -1)
    point = binary_point(layer.weight_quant)
    exponents = [int(v) + point.spec.grid_frac for v in layer.channel_exponents()]
    exponent, axis = _shared(exponents)
    fmt = point.spec.format(exponent, axis) if point.spec.group is None else _grouped(point, f"{place}.weight")
    codes = grid_codes(values, fmt, f"{place}.weight")
    khot = point.spec.khot
    if khot is not None and not khot.holds(codes).all():
        raise InputError(f"{place}: weights are not K-hot ({khot}); quantise them anew with edgeq.prepare")
    return codes, fmt


def _grouped(point: BinaryPoint, place: str) -> Grouped:
    """The format of weights with group scales: (O, groups, *kernel) becomes (O, *kernel, groups)."""
    element, group = point.spec.format(0), point.spec.group
    assert isinstance(element, FixedPoint | Minifloat)
    assert group is not None
    return grouped(element, group, point.exponent().movedim(1, -1).cpu().numpy(), place)


def bias_codes(layer: Any, place: str) -> tuple[npt.NDArray[np.int64], Format]:
    """Codes of a layer's bias and their format."""
    if not torch.isfinite(layer.bias).all():
        raise InputError(f"{place}: bias holds NaN or infinity; the training has diverged")
    values, exponents = layer.rounded_bias()
    exponent, axis = _shared([-int(v) for v in exponents])
    fmt = FixedPoint(layer.bias_bits, exponent, axis=axis)
    return grid_codes(values, fmt, f"{place}.bias"), fmt


def _shared(values: list[int]) -> tuple[int | tuple[int, ...], int | None]:
    """One number where all are equal, else a tuple along axis 0."""
    return (values[0], None) if len(set(values)) == 1 else (tuple(values), 0)


def convolution_padding(module: Any) -> tuple[int, ...]:
    """(begin, end) for each spatial axis, flattened."""
    if module.padding == "valid":
        return (0,) * (2 * len(module.kernel_size))
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return tuple(p for t in totals for p in (t // 2, t - t // 2))
    return tuple(p for p in module.padding for _ in range(2))


def _without(permutation: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation after some axes of the source have vanished."""
    return tuple(p - sum(a < p for a in axes) for p in permutation if p not in axes)


def _wants_channels_last(n: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether the first operation behind an input that has a preference works on channels-last feature maps."""
    queue, seen = list(n.users), set()
    while queue:
        user = queue.pop(0)
        if user in seen or user.op == "output":
            continue
        seen.add(user)
        module: Any = modules.get(str(user.target)) if user.op == "call_module" else None
        if isinstance(module, (Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, ops.AveragePool, ops.ResizeLinear)):
            return True
        if isinstance(module, (Linear, ops.MatMul)):
            return False
        name = canonical(user, modules)
        resized = isinstance(module, Picked) and tuple(module.places) in ((2,), (2, 3))
        if "pool" in name or name == "interpolate" or resized:
            return True
        if name in ("view", "reshape", "flatten", "permute", "transpose", "unsqueeze", "unflatten", "squeeze"):
            return False
        queue.extend(user.users)
    return len(n.users) > 0


__all__ = ["export", "export_with_origins"]
