"""Reading .onnx files: networks that onnxruntime, Brevitas or QONNX quantised, as integer programs.

What rounds in the file rounds in the graph, once and half to even; everything between two roundings is one node.
Values are channels-last; inputs and outputs keep the layout of the file. A leading batch of one, or an open one, is the
batch of the arrays that a network is run with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeq.errors import EdgeqError, UnsupportedError
from edgeq.formats import FixedPoint, Format
from edgeq.frontends._model_file import DAMAGE, MAX_ELEMENTS, DamagedError, naming, printable
from edgeq.frontends._tensors import channels_last, identity
from edgeq.frontends.onnx import elements, matrix, movement, quant
from edgeq.frontends.onnx.build import Building, Coded, Constant, Held, Known, Pending, Shape, Stage, inner, size
from edgeq.frontends.onnx.file import KNOWN_DOMAINS, Border, Model, Operation, read
from edgeq.frontends.onnx.fold import fold, foldable
from edgeq.frontends.onnx.functions import FUNCTIONS
from edgeq.frontends.onnx.numbers import Quantisation
from edgeq.ir import Graph, GraphBuilder
from edgeq.passes import optimise
from edgeq.passes.dead_code import remove_dead_code

Reader = Callable[[Building, Operation], None]

#: operators that are read, by name; those of other domains have names of their own
READERS: dict[str, Reader] = {
    "Add": elements.add,
    "ArgMax": elements.argmax,
    "AveragePool": elements.average_pool,
    "BatchNormalization": elements.batch_normalization,
    "BipolarQuant": quant.bipolar_quant,
    "Cast": movement.cast,
    "Clip": elements.clip,
    "Concat": elements.concat,
    "Conv": matrix.conv,
    "ConvTranspose": matrix.conv_transpose,
    "DepthToSpace": movement.space_to_depth,
    "DequantizeLinear": quant.dequantize_linear,
    "Div": elements.div,
    "Dropout": movement.identity_,
    "Expand": movement.expand,
    "Flatten": movement.flatten,
    "FloatQuant": quant.float_quant,
    "Gather": movement.gather,
    "Gemm": matrix.gemm,
    "GlobalAveragePool": elements.global_average_pool,
    "GlobalMaxPool": movement.global_max_pool,
    "Identity": movement.identity_,
    "IntQuant": quant.quant,
    "MatMul": matrix.matmul,
    "Max": elements.extreme,
    "MaxPool": movement.max_pool,
    "Min": elements.extreme,
    "Mul": elements.mul,
    "PRelu": elements.prelu,
    "Pad": movement.pad,
    "Quant": quant.quant,
    "QuantizeLinear": quant.quantize_linear,
    "ReduceMean": elements.reduce,
    "ReduceSum": elements.reduce,
    "Relu": elements.relu,
    "Reshape": movement.reshape,
    "Resize": movement.resize,
    "Slice": movement.slice_,
    "Softmax": elements.softmax,
    "SpaceToDepth": movement.space_to_depth,
    "Split": movement.split,
    "Squeeze": movement.squeeze,
    "Sub": elements.add,
    "Transpose": movement.transpose,
    "Trunc": quant.trunc,
    "Unsqueeze": movement.unsqueeze,
    "Upsample": movement.resize,
    **dict.fromkeys(FUNCTIONS, elements.function),
}
READERS |= {
    **{name: quant.on_codes(READERS, kernel) for name, kernel in quant.QLINEAR.items()},
    "ConvInteger": quant.integer_product(READERS, "Conv"),
    "MatMulInteger": quant.integer_product(READERS, "MatMul"),
    "QLinearConcat": quant.qlinear_concat(READERS),
}
#: what makes a network a quantised one
_QUANTISED = {
    *quant.QLINEAR,
    *("QLinearConcat", "ConvInteger", "MatMulInteger"),
    *("QuantizeLinear", "DequantizeLinear", "Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc"),
}
#: operators whose own output is no sum: their scale says nothing about the scales of the network
_TABLES = ("Softmax", "QLinearSoftmax", "QLinearSigmoid", *FUNCTIONS)
#: what is computed where it is met, on sizes that are known
_SHAPES = ("Shape", "Size")
#: operators that work on channels-last feature maps, and those that do not
_SPATIAL = (
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize", "Upsample"),
    *("QLinearConv", "QLinearAveragePool", "QLinearGlobalAveragePool", "ConvInteger", "BatchNormalization"),
)
_ROWS = ("Gemm", "MatMul", "QGemm", "QLinearMatMul", "MatMulInteger", "Reshape", "Flatten", "Transpose", "Unsqueeze")


def load(path: str | os.PathLike[str]) -> Graph:
    """Read a quantised .onnx file.

    Raises FileError for a damaged file, UnsupportedError naming every operator that edgeq does not have or the first
    tensor that is not quantised, and ToolError where the package `onnx` is missing.
    """
    path = Path(path)
    model = read(path)
    with naming(path):
        if not quantised(model):
            raise UnsupportedError(
                "is a float network, nothing in it is quantised: edgeq.load(path, calibrate=data) quantises it with "
                "samples of its input"
            )
        return optimise(import_model(model))


def quantised(model: Model) -> bool:
    """Whether a file says how its numbers are quantised; if not, it needs data to be calibrated with."""
    return any(call.op in _QUANTISED for call in model.operations)


@dataclass(frozen=True)
class Missing:
    """An operator that is not read: its name with the domain, the nodes that use it, and the way out."""

    op: str
    nodes: tuple[str, ...]
    way_out: str


def missing(model: Model) -> tuple[Missing, ...]:
    """Every operator of a file that edgeq does not read."""
    found: dict[str, list[str]] = {}
    constant = set(model.constants)
    for call in model.operations:
        if all(not name or name in constant for name in call.inputs) and foldable(call):
            constant |= set(call.outputs)
        elif not _reads(call):
            found.setdefault(f"{call.domain}.{call.op}" if call.domain else call.op, []).append(call.name)
    return tuple(Missing(op, tuple(at), _way_out(op)) for op, at in sorted(found.items()))


def _reads(call: Operation) -> bool:
    return call.domain in KNOWN_DOMAINS and (call.op in READERS or call.op in _SHAPES)


def _way_out(op: str) -> str:
    if op == "DynamicQuantizeLinear":
        return "quantise with static scales (onnxruntime.quantization.quantize_static)"
    if op in ("If", "Loop", "Scan", "LSTM", "GRU", "RNN"):
        return "control flow and recurrent state are not supported; unroll them in the source network"
    return "replace it in the source network by operators that are read"


def import_model(model: Model, formats: Mapping[str, Format] | None = None) -> Graph:
    """The graph of a parsed file, before any pass but the removal of dead code.

    formats: formats of float inputs that the file does not quantise; for networks that only move numbers.
    """
    if absent := missing(model):
        listed = "; ".join(f"{m.op} ({len(m.nodes)}: {', '.join(m.nodes[:3])})" for m in absent)
        raise UnsupportedError(f"operators that edgeq does not read: {listed}. {absent[0].way_out}")
    b = _begun(model, formats or {})
    for call in model.operations:
        _read(b, call)
    names: list[str] = []
    layouts: dict[str, tuple[int, ...]] = {}
    for border in model.outputs:
        _output(b, border, names, layouts)
    return remove_dead_code(b.builder.build(list(dict.fromkeys(names)), layouts))


def hindrances(model: Model) -> dict[str, str]:
    """Names of nodes that are not read, and why; what reads their outputs is not looked at."""
    try:
        b = _begun(model, {})
    except EdgeqError as error:
        return {model.operations[0].name: str(error)} if model.operations else {}
    found: dict[str, str] = {}
    unknown: set[str] = set()
    for call in model.operations:
        if unknown & set(call.inputs):
            unknown |= set(call.outputs)
            continue
        try:
            _read(b, call)
        except (EdgeqError, DamagedError, *DAMAGE) as error:
            text = " ".join(str(error).split())[:400]
            found[call.name] = text.removeprefix(f"{call.op} {call.name}: ")
            unknown |= set(call.outputs)
    return found


def _begun(model: Model, formats: Mapping[str, Format]) -> Building:
    """A graph with its inputs, and the constants of the file."""
    b = Building(model, GraphBuilder(model.name), formats=formats)
    b.tensors.update({name: Known(printable(name), data, model.types[name]) for name, data in model.constants.items()})
    b.fixed = _binary_points(b)
    for border in model.inputs:
        b.tensors[border.name] = _input(b, border)
    return b


def _read(b: Building, call: Operation) -> None:
    if call.op == "Shape" and call.domain == "":
        shape = b.tensor(call, 0).shape
        part = shape[call.integer("start", 0) : call.integer("end", len(shape))]
        b.put(call, Known(call.outputs[0], np.asarray(part, dtype=np.int64), "INT64"))
        return
    if call.op == "Size" and call.domain == "":
        b.put(call, Known(call.outputs[0], np.asarray(size(b.tensor(call, 0).shape), dtype=np.int64), "INT64"))
        return
    inputs = [b.tensors.get(name) if name else None for name in call.inputs]
    if foldable(call) and all(i is None or isinstance(i, Known) for i in inputs) and any(inputs):
        for found, name in zip(fold(b.model, call, inputs), call.outputs, strict=False):  # type: ignore[arg-type]
            b.tensors[name] = found
        return
    if call.op not in READERS:
        raise UnsupportedError(f"{call.op} {call.name}: is read only where its inputs are constant")
    made = len(b.builder.nodes)
    READERS[call.op](b, call)
    for node in b.builder.nodes[made:]:
        if size(b.builder.values[node.outputs[0]].shape) > MAX_ELEMENTS:
            shape = b.builder.values[node.outputs[0]].shape
            raise DamagedError(f"{call.op} {call.name}: makes {shape}, which is not a shape that a network can have")


def _binary_points(b: Building) -> bool:
    """Whether all scales of the network are powers of two without zero points, those of tables left out."""
    made_by = {o: c.op for c in b.model.operations for o in c.outputs}
    for call in b.model.operations:
        source = made_by.get(call.inputs[0], "") if call.inputs else ""
        before = made_by.get(_producer_input(b.model, call.inputs[0]), "") if source == "QuantizeLinear" else source
        if call.op in _TABLES or before in _TABLES:
            continue
        for scale, zero in quant.scales_of(b, call):
            if not Quantisation(np.where(scale == 0, 1.0, scale), zero.astype(np.int64), 0, 0).plain:
                return False
    return True


def _producer_input(model: Model, name: str) -> str:
    """The first input of the node that makes a tensor."""
    return next((c.inputs[0] for c in model.operations if name in c.outputs and c.inputs), "")


def _full_shape(border: Border) -> Shape:
    """The input's shape, an open first axis being a batch of one."""
    if any(n is None for n in border.shape[1:]):
        raise UnsupportedError(
            f"input {printable(border.name)}: shape {border.shape} is open (None) behind the first axis; export "
            "the model with fixed sizes"
        )
    return tuple(1 if n is None else n for n in border.shape)


def _input(b: Building, border: Border) -> Pending | Held:
    full = _full_shape(border)
    shape = inner(full)
    permutation = identity(len(shape))
    if len(shape) in (2, 3) and len(full) == len(shape) + 1 and _wants_channels_last(b.model, border.name):
        permutation = channels_last(len(shape))
    laid = tuple(shape[p] for p in permutation)
    name = printable(border.name)
    made: dict[str, Format] = {}

    def put(fmt: Format) -> str:
        if name not in made:
            made[name] = fmt
            b.builder.input(name, laid, fmt, permutation)
        elif made[name] != fmt:
            raise UnsupportedError(f"input {name}: is quantised in two ways, {made[name]} and {fmt}; one is supported")
        return name

    if border.type in quant.CODES:
        lo = quant.CODES[border.type][0]
        bits = int(border.type.removeprefix("U").removeprefix("INT"))
        return Held(put(FixedPoint(bits, 0, lo < 0)), full, permutation, integer=True)
    if border.type not in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"):
        raise UnsupportedError(f"input {name}: {border.type}; floats and integers of 2 to 32 bits are supported")
    if border.name in b.formats:
        return Held(put(b.formats[border.name]), full, permutation)

    def make(fmt: Format, stage: Stage) -> Held:
        held = Held(put(fmt), full, permutation)
        attrs = {k: v for k, v in stage.attrs(fmt).items() if k != "rounding"}
        if not attrs:
            return held
        return Held(b.builder.node("requantise", f"{name}.clip", [name], fmt, name, **attrs), full, permutation)

    return Pending(f"input {name}", full, make, lambda: None)


def _wants_channels_last(model: Model, name: str) -> bool:
    """Whether the first operator behind an input that has a preference works on channels-last feature maps."""
    queue, seen = [name], {name}
    while queue:
        tensor = queue.pop(0)
        for call in (c for c in model.operations if tensor in c.inputs):
            if call.op in _SPATIAL:
                return True
            if call.op in _ROWS:
                return False
            queue.extend(o for o in call.outputs if o not in seen)
            seen |= set(call.outputs)
    return False


def _output(b: Building, border: Border, names: list[str], layouts: dict[str, tuple[int, ...]]) -> None:
    """The value of an output, with its layout."""
    place = printable(border.name)
    if border.name not in b.tensors:
        raise DamagedError(f"output {place} is not computed")
    found = b.tensors[border.name]
    call = Operation("output", "", place, (border.name,), (), {}, None)
    if isinstance(found, (Known, Constant)):
        raise UnsupportedError(f"output {place}: is a constant; take it out of the network")
    if isinstance(found, Coded):
        found = b.codes(found)
    held = b.settle(found, call)
    if held.name in b.builder.inputs:
        shape = b.builder.values[held.name].shape
        name = b.builder.node("reshape", f"{place}.copy", [held.name], b.format(held), place, shape=shape)
        held = Held(name, held.shape, held.permutation, held.integer)
    have = layouts.get(held.name, identity(len(held.permutation))) if held.name in names else held.permutation
    held = b.laid(held, have)
    names.append(held.name)
    if have != identity(len(have)):
        layouts[held.name] = have
