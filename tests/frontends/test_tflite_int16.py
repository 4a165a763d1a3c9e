"""Generated .tflite files with 16-bit activations equal TensorFlow Lite Micro to the byte, over options and scales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_oracle import Rng, compare, samples
from frontends.tflite_writer import Spec, write

from edgeq.emulator import reference
from edgeq.errors import UnsupportedError
from edgeq.frontends import load
from tests.mcu.kernel_driver import run_graphs

SEEDS = 20


def scale(rng: Rng, low: float = 1e-5, high: float = 1e-2) -> tuple[float]:
    return (float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))),)


def tensor(rng: Rng, name: str, shape: tuple[int, ...], low: float = 1e-5, high: float = 1e-2) -> Spec:
    return Spec(name, shape, "<i2", scale(rng, low, high))


def activation(rng: Rng) -> int:
    return int(rng.choice([0, 0, 1, 2, 3]))


def weights(rng: Rng, shape: tuple[int, ...], axis: int, each: bool) -> Spec:
    scales = tuple(scale(rng, 0.001, 0.05)[0] for _ in range(shape[axis] if each else 1))
    return Spec("w", shape, scales=scales, axis=axis, data=rng.integers(-127, 128, shape))


def bias(rng: Rng, x: Spec, w: Spec, channels: int, narrow: bool) -> list[Spec]:
    """None, of 64 bits, or of 32 where the sums are few enough for that."""
    if rng.integers(4) == 0:
        return []
    kind = "<i4" if narrow and rng.integers(3) == 0 else "<i8"
    # Beyond 32 bits of the result the interpreter wraps, which is undefined; edgeq saturates.
    most = 1 << (20 if kind == "<i4" else 27)
    scales = tuple(float(np.float32(x.scales[0] * s)) for s in w.scales)
    return [Spec("b", (channels,), kind, scales, data=rng.integers(-most, most, channels))]


def _out(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == 0 else (size - (kernel - 1) * dilation - 1) // stride + 1


def conv(rng: Rng, depthwise: bool) -> bytes:
    kh, kw, channels, filters = (int(n) for n in rng.integers(1, 5, 4))
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(2))
    dh, dw = (1, 1) if rng.integers(2) else (2, 1)
    h, w = (int(n) for n in rng.integers(9, 13, 2))
    x = tensor(rng, "x", (1, h, w, channels))
    outputs = channels * filters if depthwise else filters
    shape = (1, kh, kw, outputs) if depthwise else (filters, kh, kw, channels)
    kernel = weights(rng, shape, 3 if depthwise else 0, True)
    y = tensor(rng, "y", (1, _out(h, kh, stride, dh, padding), _out(w, kw, stride, dw, padding), outputs))
    y.scales = (float(np.float32(x.scales[0] * 10 ** rng.uniform(-2, 1))),)
    fields = {"Padding": padding, "StrideH": stride, "StrideW": stride, "DilationHFactor": dh, "DilationWFactor": dw}
    fields["FusedActivationFunction"] = activation(rng)
    tensors = [x, kernel, *bias(rng, x, kernel, outputs, not depthwise), y]
    if depthwise:
        return write("DEPTHWISE_CONV_2D", tensors, 1, "DepthwiseConv2DOptions", **fields, DepthMultiplier=filters)
    return write("CONV_2D", tensors, 1, "Conv2DOptions", **fields)


def fully_connected(rng: Rng) -> bytes:
    inputs, outputs = (int(n) for n in rng.integers(1, 40, 2))
    x, y = tensor(rng, "x", (1, inputs)), tensor(rng, "y", (1, outputs))
    w = weights(rng, (outputs, inputs), 0, bool(rng.integers(2)))
    y.scales = (float(np.float32(x.scales[0] * 10 ** rng.uniform(-2, 1))),)
    fields = {"FusedActivationFunction": activation(rng)}
    return write("FULLY_CONNECTED", [x, w, *bias(rng, x, w, outputs, True), y], 1, "FullyConnectedOptions", **fields)


def two(op: str, options: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
        small = tuple(1 if rng.integers(3) == 0 else n for n in shape)
        a, b, y = tensor(rng, "a", shape, 1e-4), tensor(rng, "b", small, 1e-4), tensor(rng, "y", shape)
        reach = a.scales[0] * b.scales[0] * (1 << 15) if op == "MUL" else max(a.scales[0], b.scales[0])
        y.scales = (float(np.float32(reach * rng.uniform(0.3, 4))),)
        if rng.integers(3) == 0:
            b.data = rng.integers(-(1 << 15), 1 << 15, small)
        pair = [a, b] if b.data is not None or rng.integers(2) else [b, a]
        return write(op, [*pair, y], 1 if b.data is not None else 2, options, FusedActivationFunction=activation(rng))

    return make


def pool(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        kh, kw, sh, sw, channels = (int(n) for n in rng.integers(1, 5, 5))
        padding, (h, w) = int(rng.integers(2)), (int(n) for n in rng.integers(5, 9, 2))
        x = tensor(rng, "x", (1, h, w, channels))
        y = Spec("y", (1, _out(h, kh, sh, 1, padding), _out(w, kw, sw, 1, padding), channels), "<i2", x.scales)
        fields = {"Padding": padding, "StrideH": sh, "StrideW": sw, "FilterHeight": kh, "FilterWidth": kw}
        return write(op, [x, y], 1, "Pool2DOptions", FusedActivationFunction=activation(rng), **fields)

    return make


def unary(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        x, y = tensor(rng, "x", (1, 500)), tensor(rng, "y", (1, 500))
        y.scales = x.scales if rng.integers(3) == 0 else (float(np.float32(x.scales[0] * rng.uniform(0.1, 3))),)
        if op == "LEAKY_RELU":
            return write(op, [x, y], 1, "LeakyReluOptions", Alpha=float(rng.choice([0.0, 0.1, 0.3, 1.5, rng.random()])))
        return write(op, [x, y], 1)

    return make


def curve(op: str) -> Callable[[Rng], bytes]:
    """LOGISTIC and TANH; powers of two are taken without rounding."""

    def make(rng: Rng) -> bytes:
        x = tensor(rng, "x", (1, 4000), 1e-6, 1e-2)
        x.scales = x.scales if rng.integers(3) else (2.0 ** -int(rng.integers(9, 16)),)
        return write(op, [x, Spec("y", (1, 4000), "<i2", (2.0**-15,))], 1)

    return make


def quantize(rng: Rng) -> bytes:
    kinds = [("<i2", "<i2"), ("<i2", "i1"), ("i1", "<i2")][int(rng.integers(3))]
    specs = []
    for name, kind in zip("xy", kinds, strict=True):
        low = 0.005 if kind == "i1" else 2e-5
        zero = int(rng.integers(-128, 128)) if kind == "i1" else 0
        specs.append(Spec(name, (1, 300), kind, scale(rng, low, 20 * low), zero))
    return write("QUANTIZE", specs, 1)


def reduction(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = (1, *(int(n) for n in rng.integers(1, 7, 3)))
        axes = [int(a) for a in rng.permutation(4)[: int(rng.integers(1, 5))]]
        keep = bool(rng.integers(2))
        out = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
        x, y = tensor(rng, "x", shape), tensor(rng, "y", out)
        y.scales = (float(np.float32(x.scales[0] * rng.uniform(0.3, 8))),)
        a = Spec("a", (len(axes),), "i4", (), data=np.array(axes))
        return write(op, [x, a, y], 1, "ReducerOptions", KeepDims=keep)

    return make


def choice(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
        a, b, y = (Spec(n, shape, "<i2", (0.001,)) for n in "aby")
        return write(op, [a, b, y], 2, "MaximumMinimumOptions")

    return make


def prelu(rng: Rng) -> bytes:
    shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
    small = ((1, 1, 1), (1, 1, shape[3]), shape[1:])[int(rng.integers(3))]
    x, y = tensor(rng, "x", shape), tensor(rng, "y", shape)
    y.scales = (float(np.float32(x.scales[0] * rng.uniform(0.3, 3))),)
    slope = Spec("a", small, scales=scale(rng, 0.001, 0.02), data=rng.integers(-128, 128, small))
    return write("PRELU", [x, slope, y], 1)


def softmax(rng: Rng) -> bytes:
    shape = (1, int(rng.integers(1, 5)), int(rng.choice([1, 2, 40, 300])))
    x = tensor(rng, "x", shape, 1e-6)
    y = Spec("y", shape, "<i2", (2.0**-15,))
    return write("SOFTMAX", [x, y], 1, "SoftmaxOptions", Beta=float(rng.choice([1.0, 0.5, 2.0])))


MAKERS: dict[str, Callable[[Rng], bytes]] = {
    "ABS": unary("ABS"),
    "ADD": two("ADD", "AddOptions"),
    "AVERAGE_POOL_2D": pool("AVERAGE_POOL_2D"),
    "CONV_2D": lambda rng: conv(rng, False),
    "DEPTHWISE_CONV_2D": lambda rng: conv(rng, True),
    "FULLY_CONNECTED": fully_connected,
    "LEAKY_RELU": unary("LEAKY_RELU"),
    "LOGISTIC": curve("LOGISTIC"),
    "MAXIMUM": choice("MAXIMUM"),
    "MAX_POOL_2D": pool("MAX_POOL_2D"),
    "MEAN": reduction("MEAN"),
    "MINIMUM": choice("MINIMUM"),
    "MUL": two("MUL", "MulOptions"),
    "PRELU": prelu,
    "QUANTIZE": quantize,
    "RELU": unary("RELU"),
    "RELU6": unary("RELU6"),
    "SOFTMAX": softmax,
    "SUB": two("SUB", "SubOptions"),
    "SUM": reduction("SUM"),
    "TANH": curve("TANH"),
}


def differing(op: str, seeds: range, folder: Path) -> np.ndarray:
    values = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 16, *op.encode()])
        values.append(compare(MAKERS[op](rng), folder / f"{op.lower()}_{seed}.tflite", rng, f"{op} seed {seed}"))
    return np.unique(np.concatenate(values))


@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter(op: str, tmp_path: Path) -> None:
    assert len(differing(op, range(SEEDS), tmp_path)) > 150


@pytest.mark.heavy
@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter_often(op: str, tmp_path: Path) -> None:
    differing(op, range(SEEDS, SEEDS + 100), tmp_path)


@pytest.mark.sample(3)
@pytest.mark.parametrize("op", MAKERS)
def test_c_kernels_equal_the_reference(op: str, tmp_path: Path) -> None:
    """Sums of 64 bits, multipliers of 15 and 31 bits, 16-bit containers; under sanitizers."""
    cases = []
    for seed in range(6):
        rng = np.random.default_rng([seed, 17, *op.encode()])
        (tmp_path / "m.tflite").write_bytes(MAKERS[op](rng))
        graph = load(tmp_path / "m.tflite")
        cases.append((graph, samples(graph, rng, 3)))
    for (graph, inputs), found in zip(cases, run_graphs(cases, tmp_path), strict=True):
        for name, want in reference(graph, inputs).items():
            np.testing.assert_array_equal(found[name], want, err_msg=f"{op} {name}")


@pytest.mark.sample(2)
@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
def test_every_code_of_a_sigmoid_is_seen(op: str, tmp_path: Path) -> None:
    """All 65,536 codes, over scales with and without an exact multiplier; both emulators; half a KiB of table."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    codes = np.arange(-(1 << 15), 1 << 15)
    # Powers of two, their neighbours within and beyond what counts as one, tiny ones, and the greatest.
    scales = [2.0**-k for k in range(9, 16)] + [
        2.0**-12 * 1.0005,
        2.0**-12 * 1.001,
        2.0**-11 * 0.9995,
        2.0**-11 * 1.001,
    ]
    scales += [1e-9, 1e-7, 1.3, 1.34, 2.7, 5.0, *np.exp(np.random.default_rng(3).uniform(-12, 0, 12))]
    found = set()
    for number in scales:
        wide = (1, len(codes))
        x, y = Spec("x", wide, "<i2", (float(np.float32(number)),)), Spec("y", wide, "<i2", (2.0**-15,))
        data = write(op, [x, y], 1)
        (tmp_path / "m.tflite").write_bytes(data)
        graph = load(tmp_path / "m.tflite")
        assert [n.op for n in graph.nodes] == ["sigmoid_lines"]
        assert graph.values[graph.nodes[0].inputs[1]].shape == (256,)
        device = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
        device.set_input(codes.astype(np.int16)[None], 0)
        device.invoke()
        want = np.array(device.get_output(0))
        np.testing.assert_array_equal(reference(graph, {"x": codes[None]})["y"], want, err_msg=f"{op} {number}")
        np.testing.assert_array_equal(graph.run(codes[None]), want, err_msg=f"{op} {number}")
        found.update(want.reshape(-1).tolist())
    assert len(found) > (1 << 14)


def test_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    x, y = Spec("x", (1, 4), "<i2", (0.5,)), Spec("y", (1, 4), "<i2", (0.5,))
    steep, halves = Spec("x", (1, 4), "<i2", (5.4,)), Spec("y", (1, 4), "<i2", (2.0**-15,))
    w = Spec("w", (4, 4), scales=(0.1,), data=np.ones((4, 4)))
    picture = Spec("x", (1, 4, 4, 1), "<i2", (0.5,))
    tap = Spec("w", (1, 1, 1, 1), scales=(0.1,), data=np.ones((1, 1, 1, 1)))
    offset = Spec("b", (1,), "<i4", (0.05,), data=np.ones(1))
    fields = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "DepthMultiplier": 1}
    made = Spec("y", (1, 4, 4, 1), "<i2", (0.5,))
    for data, fact in (
        (
            write("FULLY_CONNECTED", [Spec("x", (1, 4), "<i2", (0.5,), 3), w, y], 1, "FullyConnectedOptions"),
            "zero point",
        ),
        (
            write("DEPTHWISE_CONV_2D", [picture, tap, offset, made], 1, "DepthwiseConv2DOptions", **fields),
            "DEPTHWISE_CONV_2D y: its bias is INT32",
        ),
        (write("LEAKY_RELU", [x, y], 1, "LeakyReluOptions", Alpha=-0.5), "LEAKY_RELU y: alpha is -0.5; INT16 with 0"),
        (write("TANH", [x, y], 1), "TANH y: output .* its scale has to be 1/32768"),
        (write("LOGISTIC", [steep, halves], 1), "LOGISTIC y: input scale 5.4 leaves the 32 bits"),
        (write("ADD", [x, Spec("z", (1, 4), scales=(0.5,)), y], 2, "AddOptions"), "ADD y: INT16 and INT8 to INT16"),
    ):
        path.write_bytes(data)
        with pytest.raises(UnsupportedError, match=fact):
            load(path)
