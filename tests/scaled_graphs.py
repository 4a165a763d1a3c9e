"""Random graphs of one node whose scales are no power of two, aimed at saturation, ties and zero points at the ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.formats import CODE_RULE, Affine, FixedPoint
from edgeq.ir import Graph, GraphBuilder

Rng = np.random.Generator
RULES = ("tflite", "tflite", "half_up", "half_even", "floor")


def fmt(rng: Rng, bits: int = 8, scale: float | None = None) -> Affine:
    """A format whose zero point is often at an end."""
    sign = bool(rng.integers(2))
    lo, hi = Affine(bits, sign).code_range
    zero = int(rng.choice([lo, hi, 0, rng.integers(lo, hi + 1)]))
    return Affine(bits, sign, zero, float(rng.uniform(0.001, 2)) if scale is None else scale)


def stage(rng: Rng, out: Affine, worst: int, channels: int = 1) -> dict[str, object]:
    """A multiplier that brings sums of `worst` to about the output's range; sometimes bounds."""
    count = channels if rng.integers(2) else 1
    multiplier, shift = [], []
    for _ in range(count):
        m = int(rng.choice([(1 << 31) - 1, 1 << 30, 3 << 29, rng.integers(1 << 30, 1 << 31), rng.integers(1, 200)]))
        s = m.bit_length() + max(worst.bit_length() - 9 + int(rng.integers(-3, 3)), 0)
        multiplier.append(m)
        shift.append(min(s, 62))
    attrs: dict[str, object] = {"multiplier": tuple(multiplier), "shift": tuple(shift)}
    attrs["rounding"] = str(rng.choice(RULES))
    if rng.integers(2):
        attrs["lo"] = max(0, out.grid_range[0])
    if rng.integers(4) == 0:
        attrs["hi"] = min(max(5, out.grid_range[0]), out.grid_range[1])
        attrs["lo"] = min(attrs.get("lo", out.grid_range[0]), attrs["hi"])  # type: ignore[type-var]
    return attrs


def weights(b: GraphBuilder, rng: Rng, shape: tuple[int, ...], uneven: bool) -> str:
    """Signed weights of one scale or one for each channel; `uneven`: of unsigned codes with a zero point."""
    codes = rng.choice([-128, 127, 0, 1, -1, 50, -77], shape)
    if uneven:
        return b.constant("w", codes + 128, Affine(8, False, int(rng.integers(0, 256)), 0.5))
    each = bool(rng.integers(2))
    scale = tuple(float(s) for s in rng.uniform(0.01, 1, shape[0])) if each else 0.25
    return b.constant("w", codes, Affine(8, True, 0, scale, 0 if each else None))


def biased(b: GraphBuilder, rng: Rng, names: list[str], channels: int) -> list[str]:
    if rng.integers(3):
        names.append(b.constant("b", rng.integers(-40000, 40000, channels), Affine(32, True, 0, 0.001)))
    return names


def linear(b: GraphBuilder, rng: Rng) -> str:
    n, o, x, y = int(rng.integers(1, 40)), int(rng.integers(1, 11)), fmt(rng), fmt(rng)
    rows = (int(rng.integers(1, 4)),) if rng.integers(2) else ()
    names = [b.input("x", (*rows, n), x), weights(b, rng, (o, n), rng.integers(4) == 0)]
    return b.node("linear", "y", biased(b, rng, names, o), y, **stage(rng, y, n * 128 * 100, o))  # type: ignore[arg-type]


def conv(b: GraphBuilder, rng: Rng) -> str:
    rank = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2, 4]))
    each = int(rng.integers(1, 4))
    outputs = int(rng.choice([1, 2, 3, 5]))
    if rng.integers(3) == 0:
        groups, each, outputs = int(rng.integers(1, 10)), 1, 1
    kernel = tuple(int(k) for k in rng.integers(1, 4, rank))
    x, y = fmt(rng), fmt(rng)
    shape = tuple(int(n) for n in rng.integers(4, 9, rank))
    names = [b.input("x", (*shape, groups * each), x)]
    names.append(weights(b, rng, (groups * outputs, *kernel, each), rng.integers(4) == 0))
    attrs = {
        "stride": tuple(int(s) for s in rng.integers(1, 3, rank)),
        "dilation": tuple(1 if rng.integers(3) else 2 for _ in range(rank)),
        "padding": tuple(int(p) for p in rng.integers(0, 3, 2 * rank)) if rng.integers(3) else (0,) * (2 * rank),
        "groups": groups,
        **stage(rng, y, each * int(np.prod(kernel)) * 128 * 100, groups * outputs),
    }
    if any(d * (k - 1) + 1 > n for d, k, n in zip(attrs["dilation"], kernel, shape, strict=True)):  # type: ignore[call-overload]
        attrs["dilation"] = (1,) * rank
    return b.node("conv", "y", biased(b, rng, names, groups * outputs), y, **attrs)  # type: ignore[arg-type]


def conv_transpose(b: GraphBuilder, rng: Rng) -> str:
    rank, groups, each, outputs = (int(n) for n in rng.integers(1, (3, 3, 4, 4)))
    kernel, stride = (tuple(int(k) for k in rng.integers(1, 4, rank)) for _ in "ks")
    x, y = fmt(rng), fmt(rng)
    names = [b.input("x", (*(int(n) for n in rng.integers(2, 5, rank)), groups * each), x)]
    names.append(weights(b, rng, (groups * outputs, *kernel, each), rng.integers(4) == 0))
    attrs = {
        "stride": stride,
        "dilation": tuple(1 if rng.integers(3) else 2 for _ in range(rank)),
        # One side is cut, so that something is left.
        "padding": tuple(int(n) for k in kernel for n in rng.permutation([0, rng.integers(0, k)])),
        "output_padding": tuple(int(rng.integers(0, s)) for s in stride),
        "groups": groups,
        **stage(rng, y, each * int(np.prod(kernel)) * 128 * 100, groups * outputs),
    }
    return b.node("conv_transpose", "y", biased(b, rng, names, groups * outputs), y, **attrs)  # type: ignore[arg-type]


def matmul(b: GraphBuilder, rng: Rng) -> str:
    x, z, y = fmt(rng), fmt(rng), fmt(rng)
    m, k, n, many = (int(v) for v in rng.integers(1, 7, 4))
    batch = (many,) if rng.integers(2) else ()
    shapes, constant = ((*batch, m, k), (*batch, k, n)), int(rng.integers(0, 4))
    names = []
    for i, (shape, f) in enumerate(zip(shapes, (x, z), strict=True)):
        codes = rng.integers(f.code_range[0], f.code_range[1] + 1, shape)
        names.append(b.constant("c", codes, f) if i == constant else b.input("xz"[i], shape, f))
    return b.node("matmul", "y", names, y, **stage(rng, y, k * 128 * 100))  # type: ignore[arg-type]


def resize_bilinear(b: GraphBuilder, rng: Rng) -> str:
    x = fmt(rng, int(rng.choice([8, 8, 16])))
    y = x if rng.integers(2) else fmt(rng, int(rng.choice([8, 16])), x.scale)  # type: ignore[arg-type]
    shape = (int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 4)))
    size, bits = tuple(int(n) for n in rng.integers(1, 7, 2)), int(rng.choice([1, 3, 10, 14]))
    most = [n for n, m in zip(shape, size, strict=False) for _ in range(m)]
    low, high = (tuple(int(rng.integers(0, n)) for n in most) for _ in "lh")
    weight = tuple(int(w) for w in rng.choice([0, 1, 1 << bits >> 1, 1 << bits], sum(size)))
    attrs = {"size": size, "low": low, "high": high, "weight": weight, "bits": bits}
    rule = str(rng.choice([CODE_RULE, CODE_RULE, "half_up", "half_even", "floor"]))
    return b.node("resize_bilinear", "y", [b.input("x", shape, x)], y, rounding=rule, **attrs)  # type: ignore[arg-type]


def elementwise(op: str) -> Callable[[GraphBuilder, Rng], str]:
    def make(b: GraphBuilder, rng: Rng) -> str:
        x, z, y = fmt(rng), fmt(rng), fmt(rng)
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 4)))
        small = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(len(shape))) :]
        names = [b.input("x", shape, x)]
        if rng.integers(3):
            names.append(b.input("z", small, z))
        else:
            names.append(b.constant("z", rng.integers(z.code_range[0], z.code_range[1] + 1, small), z))
        attrs = stage(rng, y, 1 << 16 if op == "mul" else 1 << 27)
        if op != "mul":
            m, s = (int(v) for v in rng.integers(1 << 30, 1 << 31, 2))
            attrs |= {
                "left": 20,
                "a_multiplier": m,
                "a_shift": 32,
                "b_multiplier": s,
                "b_shift": int(rng.integers(31, 40)),
            }
        return b.node(op, "y", names, y, **attrs)  # type: ignore[arg-type]

    return make


def choice(op: str) -> Callable[[GraphBuilder, Rng], str]:
    """maximum and minimum: one scale and no multiplier, or a multiplier."""

    def make(b: GraphBuilder, rng: Rng) -> str:
        x, z, y = fmt(rng), fmt(rng, scale=0.5), fmt(rng, scale=0.5)
        attrs = stage(rng, y, 1 << 9)
        if rng.integers(2):
            x, attrs = fmt(rng, scale=0.5), {"lo": max(-3, y.grid_range[0])} if rng.integers(2) else {}
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 4)))
        small = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(len(shape))) :]
        names = [b.input("x", shape, x)]
        if rng.integers(3):
            names.append(b.input("z", small, z))
        else:
            names.append(b.constant("z", rng.integers(z.code_range[0], z.code_range[1] + 1, small), z))
        return b.node(op, "y", names, y, **{k: v if k not in _STAGE else v[:1] for k, v in attrs.items()})  # type: ignore

    return make


_STAGE = ("multiplier", "shift")


def prelu(b: GraphBuilder, rng: Rng) -> str:
    x, slope, y = fmt(rng), fmt(rng), fmt(rng)
    shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 4)))
    small = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(len(shape))) :]
    below, above = stage(rng, y, 1 << 16), stage(rng, y, 1 << 8)
    attrs = {**below, **{k: (below[k][0], above[k][0]) for k in _STAGE}}  # type: ignore[index]
    codes = rng.integers(slope.code_range[0], slope.code_range[1] + 1, small)
    other = b.constant("a", codes, slope) if rng.integers(4) else b.input("a", small, slope)
    return b.node("prelu", "y", [b.input("x", shape, x), other], y, **attrs)  # type: ignore[arg-type]


def reduction(op: str) -> Callable[[GraphBuilder, Rng], str]:
    """sum, with a multiplier or in one scale, and mean, in one scale."""

    def make(b: GraphBuilder, rng: Rng) -> str:
        x = fmt(rng, int(rng.choice([8, 8, 16])))
        shape = tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, 4)))
        axes = tuple(i for i in range(len(shape)) if rng.integers(2)) or (0,)
        keep = int(rng.integers(2))
        if op == "sum" and rng.integers(4):
            y = fmt(rng)
            left = 1 if axes[-1] == len(shape) - 1 else shape[-1]
            terms = int(np.prod([shape[a] for a in axes]))
            attrs = stage(rng, y, terms << x.bits, left)
        else:
            y = fmt(rng, int(rng.choice([8, 16])), x.scale)  # type: ignore[arg-type]
            attrs = {"rounding": str(rng.choice(RULES[2:]))}
        return b.node(op, "y", [b.input("x", shape, x)], y, axes=axes, keep_axes=keep, **attrs)  # type: ignore[arg-type]

    return make


def concat(b: GraphBuilder, rng: Rng) -> str:
    """Parts of one scale, alike or with zero points of their own, constants among them; or with a multiplier."""
    y = fmt(rng, int(rng.choice([8, 8, 16])), 0.5)
    alike = bool(rng.integers(2))
    shape, axis = [int(n) for n in rng.integers(1, 5, 3)], int(rng.integers(3))
    names = []
    for i in range(int(rng.integers(1, 4))):
        x = y if alike else fmt(rng, int(rng.choice([8, 16])), 0.5)
        size = tuple(int(rng.integers(1, 5)) if k == axis else n for k, n in enumerate(shape))
        if i and rng.integers(4) == 0:
            names.append(b.constant(f"c{i}", rng.integers(x.code_range[0], x.code_range[1] + 1, size), x))
        else:
            names.append(b.input(f"x{i}", size, x))
    channels = sum(b.values[n].shape[2] for n in names) if axis == 2 else shape[2]
    attrs = stage(rng, y, 1 << 9, channels) if rng.integers(3) == 0 else {}
    order = [names[i] for i in rng.permutation(len(names))]
    return b.node("concat", "y", order, y, axis=axis, **attrs)  # type: ignore[arg-type]


def requantise(b: GraphBuilder, rng: Rng) -> str:
    x = fmt(rng, int(rng.choice([8, 16])))
    y = fmt(rng, int(rng.choice([8, 16])), x.scale if rng.integers(3) == 0 else None)  # type: ignore[arg-type]
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 5)))
    attrs = {} if x.scale == y.scale else stage(rng, y, 1 << x.bits, shape[-1])
    return b.node("requantise", "y", [b.input("x", shape, x)], y, **attrs)  # type: ignore[arg-type]


def average_pool(b: GraphBuilder, rng: Rng) -> str:
    x = fmt(rng, int(rng.choice([8, 8, 16, 24, 31])))
    y = x if rng.integers(2) else fmt(rng, int(rng.choice([8, 16, 31])), x.scale)  # type: ignore[arg-type]
    kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
    attrs = {
        "kernel": kernel,
        "stride": tuple(int(s) for s in rng.integers(1, 3, 2)),
        "padding": tuple(int(rng.integers(0, k)) for k in kernel for _ in "ab"),
        "include_pad": int(rng.integers(2)),
        "rounding": str(rng.choice([CODE_RULE, CODE_RULE, "half_up", "half_even", "floor"])),
    }
    shape = (int(rng.integers(4, 8)), int(rng.integers(4, 8)), int(rng.integers(1, 4)))
    return b.node("average_pool", "y", [b.input("x", shape, x)], y, **attrs)  # type: ignore[arg-type]


def softmax_reciprocal(b: GraphBuilder, rng: Rng) -> str:
    table = np.rint(((1 << 31) - 1) * np.exp(-np.arange(256) * rng.uniform(0.01, 0.3)))
    names = [b.input("x", (int(rng.integers(1, 5)), int(rng.integers(1, 20))), fmt(rng))]
    names.append(b.constant("t", table, FixedPoint(32, 31)))
    return b.node("softmax_reciprocal", "y", names, Affine(8, True, -128, 1 / 256), axis=int(rng.integers(2)))


def sigmoid_lines(b: GraphBuilder, rng: Rng) -> str:
    x = fmt(rng, int(rng.choice([8, 16])))
    line = b.constant("t", np.rint(65535 / (1 + np.exp(-np.arange(256) / 24))), FixedPoint(16, 16, False))
    attrs = {
        "function": str(rng.choice(["sigmoid", "tanh"])),
        "argument_multiplier": int(rng.integers(1, (1 << 29 - x.bits) + 1)),
        "argument_shift": int(rng.integers(0, 13)),
    }
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 5)))
    return b.node("sigmoid_lines", "y", [b.input("x", shape, x), line], Affine(16, True, 0, 2.0**-15), **attrs)  # type: ignore[arg-type]


def movement(b: GraphBuilder, rng: Rng) -> str:
    """A pad with a number, the greatest of windows, a table and a slice: codes move, zero points or not."""
    x = fmt(rng)
    value = int(rng.integers(x.grid_range[0], x.grid_range[1] + 1))
    name = b.input("x", (5, 6, 3), x)
    name = b.node("pad", "p", [name], x, padding=(1, 0, 0, 2, 0, 1), mode="constant", value=value)
    name = b.node("gather", "g", [name], x, axes=(1,), sizes=(6,), indices=(5, 5, 0, 7, 1, 6))
    pool = {"kernel": (2, 3), "stride": (1, 2), "padding": (1, 0, 1, 1), "dilation": (1, 1)}
    name = b.node("max_pool", "m", [name], x, **pool)
    lo, hi = x.code_range
    y = fmt(rng)
    table = b.constant("t", rng.integers(y.code_range[0], y.code_range[1] + 1, hi - lo + 1), y)
    return b.node("table", "y", [name, table], y)


MAKERS: dict[str, Callable[[GraphBuilder, Rng], str]] = {
    "add": elementwise("add"),
    "average_pool": average_pool,
    "concat": concat,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "matmul": matmul,
    "resize_bilinear": resize_bilinear,
    "maximum": choice("maximum"),
    "mean": reduction("mean"),
    "minimum": choice("minimum"),
    "movement": movement,
    "mul": elementwise("mul"),
    "prelu": prelu,
    "requantise": requantise,
    "sigmoid_lines": sigmoid_lines,
    "softmax_reciprocal": softmax_reciprocal,
    "sub": elementwise("sub"),
    "sum": reduction("sum"),
}


def scaled_case(op: str, seed: int, samples: int = 4) -> tuple[Graph, dict[str, np.ndarray]]:
    """A graph of one operator and codes for its inputs: random ones, one sample of extremes."""
    rng = np.random.default_rng([seed, len(op), *op.encode()])
    b = GraphBuilder("scaled")
    graph = b.build([MAKERS[op](b, rng)])
    inputs = {}
    for name in graph.inputs:
        lo, hi = graph.values[name].format.code_range
        codes = rng.integers(lo, hi + 1, (samples, *graph.values[name].shape))
        codes[0] = rng.choice([lo, hi], codes.shape[1:])
        inputs[name] = codes
    return graph, inputs
