"""Operators that quantise: QuantizeLinear, DequantizeLinear, QONNX's Quant and its kin, QLinear* and *Integer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeq.errors import FormatError
from edgeq.formats import Minifloat
from edgeq.frontends._model_file import DamagedError
from edgeq.frontends.onnx.build import (
    Array,
    Building,
    Coded,
    Constant,
    Held,
    Known,
    Pending,
    Stage,
    Tensor,
    unsupported,
)
from edgeq.frontends.onnx.file import Operation
from edgeq.frontends.onnx.numbers import Quantisation, binary_point, encode_real, step

Reader = Callable[[Building, Operation], None]

#: least and greatest code of the integer types that quantised tensors have
CODES = {
    f"{'U' if unsigned else ''}INT{n}": (0, (1 << n) - 1) if unsigned else (-(1 << (n - 1)), (1 << (n - 1)) - 1)
    for n in (2, 4, 8, 16, 32)
    for unsigned in (False, True)
}
_NUMPY = {"int8": "INT8", "uint8": "UINT8", "int16": "INT16", "uint16": "UINT16", "int32": "INT32"}
#: QONNX's names of rounding rules, where there is one here
_RULES = {"ROUND": "half_even", "HALF_EVEN": "half_even", "FLOOR": "floor"}


def _shaped(call: Operation, found: Array, shape: tuple[int, ...], axis: int) -> Array:
    """Scales or zero points so that they broadcast against a tensor of `shape`."""
    if found.size == 1:
        return found.reshape(1)
    rank = len(shape)
    if found.ndim == 1 and -rank <= axis < rank and found.size == shape[axis]:
        return found.reshape([-1 if i == axis % rank else 1 for i in range(rank)])
    if found.ndim != rank:
        raise DamagedError(f"{call.op} {call.name}: {found.size} scales or zero points for {shape}")
    if all(n in (1, s) for n, s in zip(found.shape, shape, strict=True)):
        return found
    blocks = [s // n if n and s % n == 0 else 0 for n, s in zip(found.shape, shape, strict=True)]
    if 0 in blocks:
        raise unsupported(call, f"blocks of scales {found.shape} for {shape}")
    for i, n in enumerate(blocks):
        found = np.repeat(found, n, axis=i)
    return found


def quantisation(
    b: Building, call: Operation, shape: tuple[int, ...], kind: str, scale_at: int, zero_at: int, axis: int = 1
) -> Quantisation:
    """What a node's scale and zero point say about a tensor of element type `kind`."""
    if kind not in CODES:
        raise unsupported(call, f"codes of type {kind}; integers of 2 to 32 bits are supported")
    scale = b.known(call, scale_at).astype(np.float64)
    zero = b.known(call, zero_at).astype(np.int64) if b.has(call, zero_at) else np.zeros(1, np.int64)
    if scale.size < 1 or not np.isfinite(scale).all() or (scale <= 0).any():
        raise DamagedError(f"{call.op} {call.name}: a scale is not a positive number")
    lo, hi = CODES[kind]
    if zero.size < 1 or zero.min() < lo or zero.max() > hi:
        raise DamagedError(f"{call.op} {call.name}: a zero point is no code of {kind}")
    return Quantisation(_shaped(call, scale, shape, axis), _shaped(call, zero, shape, axis), lo, hi)


def _kind_of(b: Building, call: Operation, zero_at: int) -> str:
    """Element type of codes, by the zero point; uint8 without one."""
    if b.has(call, zero_at):
        found = b.tensor(call, zero_at)
        return found.type if isinstance(found, Known) else "?"
    named = call.attrs.get("output_dtype", 0)
    if named:
        from edgeq.frontends.onnx.file import type_name

        return type_name(int(named))
    return "UINT8"


def quantize_linear(b: Building, call: Operation) -> None:
    """QuantizeLinear: codes of constants at once, those of computed tensors when somebody reads them."""
    x = b.tensor(call, 0)
    numbers = quantisation(b, call, x.shape, _kind_of(b, call, 2), 1, 2, call.integer("axis", 1))
    b.put(call, quantised(b, call, x, numbers, _kind_of(b, call, 2)))


def quantised(b: Building, call: Operation, x: Tensor, numbers: Quantisation, kind: str) -> Tensor:
    """The codes of a tensor."""
    if isinstance(x, (Known, Constant)):
        real = x.real() if isinstance(x, Constant) else x.data
        return Known(call.outputs[0], numbers.encode(real), kind)
    if isinstance(x, Coded) or (isinstance(x, Held) and x.integer):
        raise unsupported(call, "quantises codes; DequantizeLinear is missing before it")
    return Coded(x, numbers, call.name)


def clip_codes(b: Building, call: Operation, x: Coded | Held) -> None:
    """Clip of codes, as Brevitas says that they have fewer bits."""
    ends = [float(b.known(call, i).reshape(-1)[0]) if b.has(call, i) else end for i, end in ((1, -np.inf), (2, np.inf))]
    if isinstance(x, Held):
        raise unsupported(call, "clips codes after another operator; clip them after QuantizeLinear")
    lo, hi = (int(v) if np.isfinite(v) else end for v, end in zip(ends, (x.numbers.lo, x.numbers.hi), strict=True))
    b.put(call, Coded(x.source, x.numbers.clipped(lo, hi), x.name))


def dequantize_linear(b: Building, call: Operation) -> None:
    """DequantizeLinear: says what codes mean."""
    x = b.tensor(call, 0)
    kind = x.type if isinstance(x, Known) else _kind_of_codes(b, call, x)
    numbers = quantisation(b, call, x.shape, kind, 1, 2, call.integer("axis", 1))
    b.put(call, decoded(b, call, x, numbers))


def _kind_of_codes(b: Building, call: Operation, x: Tensor) -> str:
    if isinstance(x, Coded):
        return next(k for k, ends in CODES.items() if ends[0] <= x.numbers.lo and x.numbers.hi <= ends[1])
    if isinstance(x, Held) and x.integer:
        fmt = b.format(x)
        return f"{'' if fmt.code_range[0] < 0 else 'U'}INT{next(n for n in (8, 16, 32) if n >= fmt.bits)}"
    raise unsupported(call, "dequantises floats")


def decoded(b: Building, call: Operation, x: Tensor, numbers: Quantisation) -> Tensor:
    """Codes as the numbers that they stand for."""
    if isinstance(x, Known):
        lo, hi = x.limits or (numbers.lo, numbers.hi)
        codes = x.data.astype(np.int64)
        if codes.size and (codes.min() < lo or codes.max() > hi):
            raise DamagedError(f"{call.op} {call.name}: codes of {x.name} are outside {lo}..{hi}")
        return Constant(x.name, codes, replace(numbers, lo=lo, hi=hi))
    if isinstance(x, Coded):
        mine = x.numbers
        if mine.scale.size == numbers.scale.size == 1 and (mine.scale, mine.zero) == (numbers.scale, numbers.zero):
            return replace(b.codes(x), integer=False)
        numbers = replace(numbers, lo=mine.lo, hi=mine.hi)
        return relabelled(b, call, b.codes(x), numbers)
    if isinstance(x, Held) and x.integer:
        return relabelled(b, call, x, numbers)
    raise unsupported(call, "dequantises floats")


def relabelled(b: Building, call: Operation, x: Held, numbers: Quantisation) -> Held:
    """The same codes read with another scale or zero point."""
    have = b.format(x)
    lo, hi = have.code_range
    fmt = replace(numbers, lo=lo, hi=hi).format(b.fixed, call.name)
    first = x.name in b.builder.inputs and x.name not in b.claimed
    b.claimed.add(x.name)
    if fmt == have:
        return replace(x, integer=False)
    if first and not any(x.name in n.inputs for n in b.builder.nodes):
        b.builder.values[x.name] = replace(b.builder.values[x.name], format=fmt)
        return replace(x, integer=False)
    if fmt.code_range != have.code_range or fmt.bits > 16:
        raise unsupported(call, f"reads codes of {have} as {fmt}")
    return replace(b.table(call.name, x, fmt, np.arange(lo, hi + 1), "same code"), integer=False)


def raw_constant(x: Known) -> Constant:
    """Integers that stand for themselves."""
    ends = CODES[x.type]
    return Constant(x.name, x.data.astype(np.int64), Quantisation(np.ones(1), np.zeros(1, np.int64), *ends))


# -- QONNX ------------------------------------------------------------------------------------------------------------


def _rule(call: Operation) -> str:
    mode = call.text("rounding_mode", "ROUND").upper()
    if mode not in _RULES:
        raise unsupported(call, f"rounding mode {mode}; {', '.join(_RULES)} are supported")
    return _RULES[mode]


def _bits(b: Building, call: Operation, position: int) -> int:
    found = b.known(call, position).reshape(-1)
    if found.size != 1 or float(found[0]) != int(found[0]) or not 1 <= int(found[0]) <= 32:
        raise unsupported(call, f"bit width {found[:4].tolist()}; one whole number of 1 to 32 is supported")
    return int(found[0])


def _qonnx_numbers(b: Building, call: Operation, bits: int, shape: tuple[int, ...]) -> Quantisation:
    signed, narrow = bool(call.integer("signed", 1)), bool(call.integer("narrow", 0))
    lo, hi = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    lo, hi = (lo + 1, hi) if narrow and signed else (lo, hi - 1 if narrow else hi)
    scale, zero = b.known(call, 1).astype(np.float64), b.known(call, 2).astype(np.float64)
    if not np.isfinite(scale).all() or scale.size < 1 or (scale <= 0).any() or (zero != np.rint(zero)).any():
        raise DamagedError(f"{call.op} {call.name}: scales are not positive numbers, or zero points are not whole")
    return Quantisation(
        _shaped(call, scale, shape, 0), _shaped(call, zero.astype(np.int64), shape, 0), lo, hi, _rule(call)
    )


def quant(b: Building, call: Operation) -> None:
    """Quant (IntQuant): quantised and read at once."""
    x = b.tensor(call, 0)
    numbers = _qonnx_numbers(b, call, _bits(b, call, 3), x.shape)
    if isinstance(x, (Known, Constant)):
        real = x.real() if isinstance(x, Constant) else x.data
        b.put(call, Constant(call.outputs[0], numbers.encode(real), numbers))
        return
    if isinstance(x, Coded) or (isinstance(x, Held) and x.integer):
        raise unsupported(call, "quantises codes")
    b.put(call, replace(b.codes(Coded(x, numbers, call.name)), integer=False))


def bipolar_quant(b: Building, call: Operation) -> None:
    """BipolarQuant: 1 or -1 times the scale, by the sign."""
    x, scale = b.tensor(call, 0), b.known(call, 1).astype(np.float64)
    if scale.size < 1 or not np.isfinite(scale).all() or (scale <= 0).any():
        raise DamagedError(f"{call.op} {call.name}: a scale is not a positive number")
    numbers = Quantisation(_shaped(call, scale, x.shape, 0), np.zeros(1, np.int64), -1, 1)
    if isinstance(x, (Known, Constant)):
        real = x.real() if isinstance(x, Constant) else x.data
        b.put(call, Constant(call.outputs[0], np.where(real >= 0, 1, -1).astype(np.int64), numbers))
        return
    held = b.settle(x, call)
    have, fmt = b.format(held), numbers.format(b.fixed, call.name)
    if have.bits > 16:
        raise unsupported(call, f"takes the sign of {have}; quantise its input to 16 bits or less")
    lo, hi = have.code_range
    grid = have.to_grid(np.arange(lo, hi + 1))
    b.put(call, b.table(call.name, held, fmt, fmt.from_grid(np.where(grid >= 0, 1, -1)), "sign"))


def trunc(b: Building, call: Operation) -> None:
    """Trunc: the low bits of codes are dropped, and what is left has the scale that was there."""
    x, scale, zero = b.tensor(call, 0), b.known(call, 1), b.known(call, 2)
    before, after = _bits(b, call, 3), _bits(b, call, len(call.inputs) - 1)
    mode = call.text("rounding_mode", "FLOOR").upper()
    if scale.size != 1 or zero.size != 1 or zero.any() or mode not in _RULES or len(call.inputs) != 5:
        raise unsupported(call, f"{len(call.inputs)} inputs, mode {mode}; one scale without a zero point is supported")
    if isinstance(x, (Known, Constant, Coded)):
        raise unsupported(call, "of a constant or of codes")
    cut = 2.0 ** (after - before)
    waiting = x if isinstance(x, Pending) else b.requantised(x, call.name)
    assert waiting.scaled is not None
    signed = call.integer("signed", int(not isinstance(x, Held) or b.format(x).grid_range[0] < 0))
    lo, hi = (-(1 << (after - 1)), (1 << (after - 1)) - 1) if signed else (0, (1 << after) - 1)
    numbers = Quantisation(scale.astype(np.float64).reshape(1), np.zeros(1, np.int64), lo, hi, _RULES[mode])
    b.put(call, replace(b.codes(Coded(waiting.scaled(cut), numbers, call.name)), integer=False))


def float_quant(b: Building, call: Operation) -> None:
    """FloatQuant: a minifloat, where its options are those that a format here has."""
    x = b.tensor(call, 0)
    scale = b.known(call, 1).astype(np.float64)
    exponent, mantissa, bias = (_whole(b, call, i) for i in (2, 3, 4))
    most = float(b.known(call, 5).reshape(-1)[0])
    if not call.integer("has_subnormal", 1) or not call.integer("saturation", 1):
        raise unsupported(call, "without subnormals, or without saturation")
    base = _minifloat(call, exponent, mantissa, bias, most)
    if scale.size < 1 or any(binary_point(float(s)) is None for s in scale.flat):
        raise unsupported(call, "its scale is no power of two, which a float format here needs")
    numbers = Quantisation(_shaped(call, scale, x.shape, 0), np.zeros(1, np.int64), *base.code_range, _rule(call))
    if isinstance(x, (Known, Constant)):
        real = (x.real() if isinstance(x, Constant) else x.data.astype(np.float64)) / numbers.scale
        codes = encode_real(real, base, numbers.rule)
        b.put(call, Constant(call.outputs[0], codes, numbers, base))
        return
    if numbers.scale.size != 1 or isinstance(x, Coded):
        raise unsupported(call, "a computed tensor with a scale per channel, or codes")
    point = binary_point(float(numbers.scale.flat[0]))
    assert point is not None
    fmt = Minifloat(exponent, mantissa, bias, base.specials, -point)
    b.put(call, b.rounded(x, fmt, Stage(numbers.rule), call.name))


def _whole(b: Building, call: Operation, position: int) -> int:
    found = b.known(call, position).reshape(-1)
    if found.size != 1 or float(found[0]) != np.rint(found[0]) or abs(found[0]) > 64:
        raise unsupported(call, f"input {position} is {found[:4].tolist()}; one whole number is supported")
    return int(found[0])


def _minifloat(call: Operation, exponent: int, mantissa: int, bias: int, most: float) -> Minifloat:
    """The format with these fields and this greatest number."""
    for specials in ("none", "ocp", "fnuz"):
        try:
            fmt = Minifloat(exponent, mantissa, bias, specials)
        except FormatError as error:
            fact = str(error)
            continue
        if fmt.max_magnitude * step(fmt) == most:
            return fmt
        fact = f"its greatest number is {most}"
    raise unsupported(call, f"E{exponent}M{mantissa} with bias {bias}: {fact}")


# -- operators on codes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """An operator on codes: which inputs are codes with scale and zero point, and where the output's stand.

    op: the operator of floats that it is; bias: an input of integers on the grid of the products.
    """

    op: str
    operands: tuple[tuple[int, int, int], ...]
    output: tuple[int, int]
    bias: int | None = None
    axis: int = 1


QLINEAR: dict[str, Kernel] = {
    "QGemm": Kernel("Gemm", ((0, 1, 2), (3, 4, 5)), (7, 8), 6),
    "QLinearAdd": Kernel("Add", ((0, 1, 2), (3, 4, 5)), (6, 7)),
    "QLinearAveragePool": Kernel("AveragePool", ((0, 1, 2),), (3, 4)),
    "QLinearConv": Kernel("Conv", ((0, 1, 2), (3, 4, 5)), (6, 7), 8, axis=0),
    "QLinearGlobalAveragePool": Kernel("GlobalAveragePool", ((0, 1, 2),), (3, 4)),
    "QLinearLeakyRelu": Kernel("LeakyRelu", ((0, 1, 2),), (3, 4)),
    "QLinearMatMul": Kernel("MatMul", ((0, 1, 2), (3, 4, 5)), (6, 7)),
    "QLinearMul": Kernel("Mul", ((0, 1, 2), (3, 4, 5)), (6, 7)),
    "QLinearReduceMean": Kernel("ReduceMean", ((0, 1, 2),), (3, 4)),
    "QLinearSigmoid": Kernel("Sigmoid", ((0, 1, 2),), (3, 4)),
    "QLinearSoftmax": Kernel("Softmax", ((0, 1, 2),), (3, 4)),
}


def on_codes(readers: dict[str, Reader], kernel: Kernel) -> Reader:
    """A reader that dequantises, computes as the operator of floats does, and quantises."""

    def read(b: Building, call: Operation) -> None:
        inputs = [_operand(b, call, at, i, kernel) for i, at in enumerate(kernel.operands)]
        if kernel.bias is not None and b.has(call, kernel.bias):
            inputs.append(_bias(b, call, kernel))
        _through(b, call, readers[kernel.op], kernel.op, inputs, *kernel.output)

    return read


def qlinear_concat(readers: dict[str, Reader]) -> Reader:
    """QLinearConcat: the output's scale first, then each operand with its own."""

    def read(b: Building, call: Operation) -> None:
        triples = [(i, i + 1, i + 2) for i in range(2, len(call.inputs), 3)]
        inputs = [_operand(b, call, at, i, Kernel("Concat", (), (0, 1))) for i, at in enumerate(triples)]
        _through(b, call, readers["Concat"], "Concat", inputs, 0, 1)

    return read


def _operand(b: Building, call: Operation, at: tuple[int, int, int], index: int, kernel: Kernel) -> str:
    """The name under which an operand is known as numbers."""
    x, scale, zero = at
    found = b.tensor(call, x)
    kind = found.type if isinstance(found, Known) else _kind_of_codes(b, call, found)
    axis = 0 if call.op == "QGemm" and call.integer("transB", 0) else kernel.axis
    numbers = quantisation(b, call, found.shape, kind, scale, zero, axis if len(found.shape) > 1 else 0)
    name = f"{call.outputs[0]}\0{index}"
    b.tensors[name] = decoded(b, call, found, numbers)
    return name


def _bias(b: Building, call: Operation, kernel: Kernel) -> str:
    """The bias, whose scale is the product of those of the operands."""
    assert kernel.bias is not None
    found = b.tensor(call, kernel.bias)
    if not isinstance(found, Known):
        raise unsupported(call, "its bias is computed; it must be constant")
    scales = [b.known(call, at[1]).astype(np.float32).reshape(-1) for at in kernel.operands]
    scale = (scales[0] * scales[1]).astype(np.float64)
    numbers = Quantisation(
        scale if scale.size == found.data.size else scale[:1], np.zeros(1, np.int64), *CODES["INT32"]
    )
    if scale.size not in (1, found.data.size):
        raise DamagedError(f"{call.op} {call.name}: {scale.size} scales for a bias of {found.data.size}")
    name = f"{call.outputs[0]}\0bias"
    b.tensors[name] = Constant(found.name, found.data.reshape(-1).astype(np.int64), numbers)
    return name


def _through(
    b: Building, call: Operation, reader: Reader, op: str, inputs: list[str], scale_at: int, zero_at: int
) -> None:
    if call.integer("channels_last", 0):
        raise unsupported(call, "channels_last; NCHW is supported")
    name = f"{call.outputs[0]}\0real"
    reader(b, replace(call, op=op, inputs=tuple(inputs), outputs=(name,), domain=""))
    made = b.tensors[name]
    if not b.has(call, scale_at):
        b.put(call, made)
        return
    kind = _kind_of(b, call, zero_at)
    numbers = quantisation(b, call, made.shape, kind, scale_at, zero_at)
    b.put(call, quantised(b, call, made, numbers, kind))


def integer_product(readers: dict[str, Reader], op: str) -> Reader:
    """ConvInteger and MatMulInteger: sums of products of codes less their zero points."""

    def read(b: Building, call: Operation) -> None:
        names = [_integers(b, call, i, i + 2) for i in (0, 1)]
        readers[op](b, replace(call, op=op, inputs=tuple(names), domain=""))
        made = b.tensors[call.outputs[0]]
        if isinstance(made, Held):
            b.tensors[call.outputs[0]] = replace(made, integer=True)

    return read


def _integers(b: Building, call: Operation, at: int, zero_at: int) -> str:
    x = b.tensor(call, at)
    kind = x.type if isinstance(x, Known) else _kind_of_codes(b, call, x)
    zero = b.known(call, zero_at).astype(np.int64) if b.has(call, zero_at) else np.zeros(1, np.int64)
    if zero.size > 1:
        axis = 0 if call.op == "ConvInteger" else (-1 if at else -2)
        zero = _shaped(call, zero, x.shape, axis)
    numbers = Quantisation(np.ones(1), zero.reshape(-1)[:1] if zero.size == 1 else zero, *CODES[kind])
    name = f"{call.outputs[0]}\0{at}"
    b.tensors[name] = decoded(b, call, x, numbers)
    return name


def scales_of(b: Building, call: Operation) -> list[tuple[Array, Array]]:
    """Scales and zero points that a node names."""
    triples: list[tuple[int, int]] = []
    if call.op in ("QuantizeLinear", "DequantizeLinear", "Quant", "IntQuant", "Trunc"):
        triples = [(1, 2)]
    elif call.op == "QLinearConcat":
        triples = [(0, 1), *((i + 1, i + 2) for i in range(2, len(call.inputs), 3))]
    elif call.op in QLINEAR:
        kernel = QLINEAR[call.op]
        triples = [*((s, z) for _, s, z in kernel.operands), kernel.output]
    found: list[tuple[Array, Array]] = []
    for scale_at, zero_at in triples:
        parts: list[npt.NDArray[np.float64]] = []
        for at in (scale_at, zero_at):
            name = call.inputs[at] if at < len(call.inputs) else ""
            known = b.tensors.get(name)
            parts.append(known.data.astype(np.float64) if isinstance(known, Known) else np.zeros(1))
        found.append((parts[0], parts[1]))
    return found
