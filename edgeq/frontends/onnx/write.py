"""A graph as a QONNX file: real numbers between standard operators, each rounded by Quant or FloatQuant.

QONNX (arXiv 2206.07527): a quantised number is written as the real number that it stands for, so every operator of a
graph becomes the operator of real numbers that it is exact for, and its output stage a node that rounds to the format.
Feature maps are channels first, as ONNX has them. Whoever computes in float32 gets the same numbers as long as sums
stay below 2^24 steps of their grid; `wide_sums` names the layers where they may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq import __version__
from edgeq.errors import UnsupportedError
from edgeq.folders import write_whole
from edgeq.formats import DEFAULT_OVERFLOW, DEFAULT_RULE, FixedPoint, Format, Grouped, Minifloat
from edgeq.ir import Graph, Node, Value, analyse, operator
from edgeq.ir.operator import output_bounds
from edgeq.ir.ranges import signed_bits

if TYPE_CHECKING:
    import onnx

DOMAIN, OPSET = "qonnx.custom_op.general", 13
#: bits that float32 holds exactly
FLOAT_BITS = 24
#: names of rounding rules in QONNX; its HALF_UP goes away from zero
_ROUNDING = {
    "half_even": "ROUND", "floor": "FLOOR", "half_away": "HALF_UP", "half_to_zero": "HALF_DOWN", "to_zero": "DOWN"
}  # fmt: skip
#: rules that QONNX lacks: half a step is added or taken off, then rounded by this
_SHIFTED = {"half_up": (0.5, "FLOOR"), "half_down": (-0.5, "CEIL")}

Order = tuple[int, ...]
Writer = Callable[["_Writing", Node], None]


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the file: its axes behind the batch are the value's axes in this order."""

    name: str
    order: Order


@dataclass
class _Writing:
    """The file as it grows."""

    graph: Graph
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    tensors: dict[str, _Tensor] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def unique(self, name: str) -> str:
        """`name`, or with a number where it is taken."""
        found = next(n for n in chain([name], (f"{name}_{i}" for i in count(2))) if n not in self.taken)
        self.taken.add(found)
        return found

    def node(self, op: str, inputs: Sequence[str], name: str, domain: str = "", **attrs: Any) -> str:
        """A node with one output; the name of that."""
        from onnx import helper

        made = self.unique(name)
        self.nodes.append(helper.make_node(op, list(inputs), [made], made, domain=domain, **attrs))
        return made

    def constant(self, name: str, array: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """An initialiser."""
        from onnx import numpy_helper

        made = self.unique(name)
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), made))
        return made

    def of(self, value: Value, order: Order | None = None) -> str:
        """The tensor of a value with its axes in that order (the value's own, if not said)."""
        wanted = order or tuple(range(len(value.shape)))
        if value.constant and value.name not in self.tensors:
            self.tensors[value.name] = _Tensor(self.weight(value), tuple(range(len(value.shape))))
        have = self.tensors[value.name]
        if have.order == wanted:
            return have.name
        moves = [0, *(1 + have.order.index(axis) for axis in wanted)]
        return self.node("Transpose", [have.name], f"{have.name}.t", perm=moves)

    def weight(self, value: Value, moved: npt.NDArray[np.int64] | None = None, batch: bool = True) -> str:
        """A constant as real numbers behind the node that says its format; `moved`: its codes in another order."""
        assert value.data is not None
        axis = value.format.channel_axis
        codes = value.data if moved is None else moved
        if isinstance(value.format, Grouped):
            raise UnsupportedError(f"{value.name}: has group scales, which QONNX is not written with; use channels'")
        if axis not in (None, 0):
            raise UnsupportedError(f"{value.name}: a format for each index of axis {axis}; QONNX is written for axis 0")
        shape = (-1, *(1,) * (codes.ndim - 1))
        scale = np.exp2(-np.asarray(value.format.frac, dtype=np.float64)).reshape(shape if axis == 0 else ())
        real = value.format.to_grid(codes) * scale
        if not np.array_equal(real.astype(np.float32), real):
            raise UnsupportedError(f"{value.name}: has numbers that float32 does not hold; use narrower formats")
        if batch and moved is None:
            real, scale = real[None], scale if axis is None else scale[None]
        return self.quant(self.constant(f"{value.name}.real", real), value.format, scale, "ROUND", value.name)

    def quant(self, tensor: str, fmt: Format, scale: npt.ArrayLike, rule: str, name: str) -> str:
        """Quant, or FloatQuant of a minifloat, whose scale is then that of the format."""
        if isinstance(fmt, Minifloat):
            assert fmt.bias is not None
            inputs: dict[str, npt.ArrayLike]
            natural = fmt.bias - 1 + fmt.mantissa
            inputs = {
                "scale": np.asarray(scale) * 2.0**natural,
                "exponent": fmt.exponent,
                "mantissa": fmt.mantissa,
                "bias": fmt.bias,
                "most": fmt.max_magnitude * 2.0**-natural,
            }
            infinite, special = fmt.specials == "ocp" and fmt.exponent == 5, fmt.specials != "none"
            attrs = {"has_inf": int(infinite), "has_nan": int(special), "has_subnormal": 1, "saturation": 1}
        else:
            inputs = {"scale": scale, "zero": 0.0, "bits": fmt.bits}
            attrs = {"signed": int(fmt.signed), "narrow": 0}
        given = [tensor, *(self.constant(f"{name}.{what}", number) for what, number in inputs.items())]
        op = "FloatQuant" if isinstance(fmt, Minifloat) else "Quant"
        return self.node(op, given, name, DOMAIN, rounding_mode=rule, **attrs)

    def put(self, value: Value, tensor: str, order: Order | None = None) -> None:
        """Say that a tensor is a value."""
        self.tensors[value.name] = _Tensor(tensor, order or tuple(range(len(value.shape))))

    def round(self, node: Node, tensor: str, order: Order | None = None) -> None:
        """The output stage: bounds, one rounding, the format."""
        value = self.graph.outs(node)[0]
        fmt, rule = value.format, node.text("rounding", DEFAULT_RULE)
        if "multiplier" in node.attrs or not isinstance(fmt, FixedPoint | Minifloat):
            raise _fail(node, "has scales that are no powers of two; keep its own .tflite or .onnx file")
        if node.text("overflow", DEFAULT_OVERFLOW) != DEFAULT_OVERFLOW:
            raise _fail(node, f"overflows by {node.text('overflow')}, which QONNX has no word for")
        assert isinstance(fmt.frac, int)
        step = 2.0**-fmt.frac
        lo, hi = output_bounds(node, fmt)
        if "lo" in node.attrs or "hi" in node.attrs:
            tensor = self._bounded(node, tensor, lo * step, hi * step)
        shift, mode = _SHIFTED.get(rule, (0.0, ""))
        if shift and isinstance(fmt, Minifloat):
            raise _fail(node, f"rounds by {rule} to a minifloat, which QONNX has no word for; train with half_even")
        if shift:
            half = self.constant(f"{node.name}.half", shift * step)
            tensor = self.node("Add", [tensor, half], f"{node.name}.shifted")
        elif rule not in _ROUNDING:
            raise _fail(node, f"rounds by {rule}, which QONNX has no word for")
        self.put(value, self.quant(tensor, fmt, step, mode or _ROUNDING[rule], value.name), order)

    def _bounded(self, node: Node, tensor: str, lo: float, hi: float) -> str:
        if lo == 0 and "hi" not in node.attrs:
            return self.node("Relu", [tensor], f"{node.name}.relu")
        ends = [self.constant(f"{node.name}.{what}", v) for what, v in (("lo", lo), ("hi", hi))]
        return self.node("Clip", [tensor, *ends], f"{node.name}.clip")


def _fail(node: Node, fact: str) -> UnsupportedError:
    return UnsupportedError(f"{node.label}: {fact}")


def _first(value: Value) -> Order:
    """Channels first."""
    rank = len(value.shape)
    return (rank - 1, *range(rank - 1))


# -- operators ----------------------------------------------------------------------------------------------------


def _conv(w: _Writing, node: Node) -> None:
    x, weight, *bias = w.graph.ins(node)
    assert weight.data is not None
    order = _first(x)
    kernel = w.weight(weight, np.moveaxis(weight.data, -1, 1))
    inputs = [w.of(x, order), kernel, *(w.weight(b, batch=False) for b in bias)]
    made = w.node("Conv", inputs, f"{node.name}.sum", group=node.integer("groups"), **_window(node, weight.shape[1:-1]))
    w.round(node, made, order)


def _window(node: Node, kernel: Sequence[int]) -> dict[str, Any]:
    pads = node.ints("padding")
    found: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(node.ints("stride"))}
    found["pads"] = [*pads[::2], *pads[1::2]]
    return found | ({"dilations": list(node.ints("dilation"))} if "dilation" in node.attrs else {})


def _linear(w: _Writing, node: Node) -> None:
    x, weight, *bias = w.graph.ins(node)
    turned = w.node("Transpose", [w.weight(weight, batch=False)], f"{weight.name}.t", perm=[1, 0])
    made = w.node("MatMul", [w.of(x), turned], f"{node.name}.sum")
    for b in bias:
        made = w.node("Add", [made, w.weight(b, batch=False)], f"{node.name}.biased")
    w.round(node, made)


def _matmul(w: _Writing, node: Node) -> None:
    w.round(node, w.node("MatMul", [w.of(v) for v in w.graph.ins(node)], f"{node.name}.sum"))


def _joined(op: str) -> Writer:
    def write(w: _Writing, node: Node) -> None:
        ins = w.graph.ins(node)
        if "left" in node.attrs:
            raise _fail(node, "has scales that are no powers of two; keep its own .tflite or .onnx file")
        order = None
        if all(not v.constant for v in ins) and len({v.shape for v in ins}) == 1:
            order = w.tensors[ins[0].name].order  # no transposes between layers of feature maps
        elif len({len(v.shape) for v in ins}) > 1:
            raise _fail(node, "broadcasts over operands of other ranks; reshape one of them")
        w.round(node, w.node(op, [w.of(v, order) for v in ins], f"{node.name}.exact"), order)

    return write


def _requantise(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    if x.constant:
        raise _fail(node, "takes a constant; fold it first")
    have = w.tensors[x.name]
    w.round(node, w.node("Identity", [have.name], f"{node.name}.exact"), have.order)


def _max_pool(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    made = w.node("MaxPool", [w.of(x, _first(x))], node.outputs[0], **_window(node, node.ints("kernel")))
    w.put(w.graph.outs(node)[0], made, _first(x))


def _average_pool(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    window: dict[str, Any] = _window(node, node.ints("kernel")) | {"count_include_pad": node.integer("include_pad")}
    pooled = w.node("AveragePool", [w.of(x, _first(x))], f"{node.name}.mean", **window)
    w.round(node, pooled, _first(x))


def _reduced(op: str) -> Writer:
    def write(w: _Writing, node: Node) -> None:
        axes, keep = [1 + a for a in node.ints("axes")], node.integer("keep_axes")
        (x,) = w.graph.ins(node)
        if op == "ReduceSum":  # whose axes are an input since opset 13
            given = w.constant(f"{node.name}.axes", axes, np.int64)
            made = w.node(op, [w.of(x), given], f"{node.name}.sum", keepdims=keep)
        else:
            made = w.node(op, [w.of(x)], f"{node.name}.mean", axes=axes, keepdims=keep)
        w.round(node, made)

    return write


def _concat(w: _Writing, node: Node) -> None:
    ins, (out,), axis = w.graph.ins(node), w.graph.outs(node), node.integer("axis")
    order = _first(ins[0]) if len(ins[0].shape) > 1 else (0,)
    made = w.node("Concat", [w.of(v, order) for v in ins], f"{node.name}.both", axis=1 + order.index(axis))
    if all(v.format == out.format for v in ins) and not node.attrs.keys() & {"lo", "hi", "multiplier"}:
        w.put(out, made, order)  # nothing to round
    else:
        w.round(node, made, order)


def _reshape(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    shape = w.constant(f"{node.name}.shape", [0, *node.ints("shape")], np.int64)
    w.put(w.graph.outs(node)[0], w.node("Reshape", [w.of(x), shape], node.outputs[0]))


def _transpose(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    moves = [0, *(1 + axis for axis in node.ints("permutation"))]
    w.put(w.graph.outs(node)[0], w.node("Transpose", [w.of(x)], node.outputs[0], perm=moves))


def _pad(w: _Writing, node: Node) -> None:
    (x,) = w.graph.ins(node)
    if node.text("mode") != "constant" or not isinstance(x.format.frac, int):
        raise _fail(node, f"pads by {node.text('mode')}; QONNX is written for constants")
    pads = node.ints("padding")
    each = w.constant(f"{node.name}.pads", [0, *pads[::2], 0, *pads[1::2]], np.int64)
    fill = w.constant(f"{node.name}.value", node.integer("value", 0) * 2.0**-x.format.frac)
    w.put(w.graph.outs(node)[0], w.node("Pad", [w.of(x), each, fill], node.outputs[0], mode="constant"))


WRITERS: dict[str, Writer] = {
    "add": _joined("Add"),
    "average_pool": _average_pool,
    "concat": _concat,
    "conv": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "maximum": _joined("Max"),
    "mean": _reduced("ReduceMean"),
    "minimum": _joined("Min"),
    "mul": _joined("Mul"),
    "pad": _pad,
    "requantise": _requantise,
    "reshape": _reshape,
    "sub": _joined("Sub"),
    "sum": _reduced("ReduceSum"),
    "transpose": _transpose,
}


# -- files ---------------------------------------------------------------------------------------------------------


def qonnx_model(graph: Graph) -> onnx.ModelProto:
    """The graph as a model, inputs and outputs in the user's layout, with a batch of any size."""
    try:
        from onnx import TensorProto, helper
    except ImportError:
        raise UnsupportedError("writing .onnx needs the onnx package: pip install 'edgeq[onnx]'") from None
    w = _Writing(graph)
    inputs, outputs = [], []
    for value in (graph.values[name] for name in graph.inputs):
        order = _users(graph, value)
        raw = w.unique(f"{value.name}.user")
        shape = ["batch", *(value.shape[axis] for axis in order)]
        inputs.append(helper.make_tensor_value_info(raw, TensorProto.FLOAT, shape))
        # Ties go to even codes here, and up in edgeq: for half_up a node would stand before the first Quant, which
        # those that read such files do not expect.
        rule = {"rounding": "half_even"}
        w.round(Node("requantise", f"{value.name}.border", (), (value.name,), rule, value.source), raw, order)
    for node in graph.nodes:
        if node.op not in WRITERS:
            raise _fail(node, f"operator {node.op} is not written as QONNX; it has {', '.join(sorted(WRITERS))}")
        WRITERS[node.op](w, node)
    for value in (graph.values[name] for name in graph.outputs):
        order = _users(graph, value)
        made = w.node("Identity", [w.of(value, order)], f"{value.name}.user")
        shape = ["batch", *(value.shape[axis] for axis in order)]
        outputs.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, shape))
    made_graph = helper.make_graph(w.nodes, graph.name or "net", inputs, outputs, w.constants)
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(
        made_graph, opset_imports=domains, ir_version=8, producer_name="edgeq", producer_version=__version__
    )


def _users(graph: Graph, value: Value) -> Order:
    """The user's axes, as axes of the value."""
    layout = graph.layouts.get(value.name, tuple(range(len(value.shape))))
    return tuple(layout.index(axis) for axis in range(len(layout)))


def wide_sums(graph: Graph) -> list[str]:
    """Layers whose exact results may need more bits than float32 holds."""
    found, ranges = [], analyse(graph)
    for node in graph.nodes:
        ins = graph.ins(node)
        bounds = operator(node.op, node.name).bounds(node, ins, [ranges.values[v.name] for v in ins])
        if bounds and max(signed_bits(lo, hi) for lo, hi in zip(bounds.lo, bounds.hi, strict=True)) > FLOAT_BITS + 1:
            found.append(node.source or node.name)
    return found


def write_qonnx(graph: Graph, path: Path) -> list[str]:
    """Write a QONNX file, whole or not at all; the layers that float32 may compute otherwise (`wide_sums`)."""
    write_whole(path, qonnx_model(graph).SerializeToString())
    return wide_sums(graph)


__all__ = ["WRITERS", "qonnx_model", "wide_sums", "write_qonnx"]
