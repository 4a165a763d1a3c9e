"""Generated .tflite files of one operator equal TensorFlow Lite Micro to the byte, over options and scales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeq.frontends import load

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the oracle tflite-micro is not installed"
)

from frontends.tflite_writer import Spec, write  # noqa: E402

Rng = np.random.Generator
SEEDS = 25


def scale(rng: Rng, low: float = 0.005, high: float = 0.5) -> tuple[float]:
    return (float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))),)


def zero(rng: Rng) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def activation(rng: Rng) -> int:
    return int(rng.choice([0, 0, 1, 2, 3]))


def weights(rng: Rng, shape: tuple[int, ...], axis: int, each: bool) -> Spec:
    count = shape[axis] if each else 1
    scales = tuple(scale(rng, 0.001, 0.05)[0] for _ in range(count))
    return Spec("w", shape, scales=scales, axis=axis, data=rng.integers(-127, 128, shape))


def bias(rng: Rng, x: Spec, w: Spec, channels: int) -> list[Spec]:
    if rng.integers(4) == 0:
        return []
    scales = tuple(float(np.float32(x.scales[0] * s)) for s in w.scales)
    return [Spec("b", (channels,), "i4", scales, data=rng.integers(-9000, 9000, channels))]


def _out(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == 0 else (size - (kernel - 1) * dilation - 1) // stride + 1


def conv(rng: Rng, depthwise: bool) -> bytes:
    kh, kw, channels, filters = (int(n) for n in rng.integers(1, 5, 4))
    sh, sw = (int(n) for n in rng.integers(1, 4, 2))
    dh, dw = (1, 1) if rng.integers(2) else (2, 1)
    if depthwise:
        sw = sh
    padding = int(rng.integers(2))
    h, w = (int(n) for n in rng.integers(9, 13, 2))
    x = Spec("x", (1, h, w, channels), scales=scale(rng), zero=zero(rng))
    outputs = channels * filters if depthwise else filters
    shape = (1, kh, kw, outputs) if depthwise else (filters, kh, kw, channels)
    kernel = weights(rng, shape, 3 if depthwise else 0, True)
    y = Spec("y", (1, _out(h, kh, sh, dh, padding), _out(w, kw, sw, dw, padding), outputs))
    y.scales, y.zero = scale(rng, 0.01, 0.5), zero(rng)
    fields = {"Padding": padding, "StrideH": sh, "StrideW": sw, "DilationHFactor": dh, "DilationWFactor": dw}
    fields["FusedActivationFunction"] = activation(rng)
    tensors = [x, kernel, *bias(rng, x, kernel, outputs), y]
    if depthwise:
        fields["DepthMultiplier"] = filters
        return write("DEPTHWISE_CONV_2D", tensors, 1, "DepthwiseConv2DOptions", **fields)
    return write("CONV_2D", tensors, 1, "Conv2DOptions", **fields)


def fully_connected(rng: Rng) -> bytes:
    inputs, outputs = (int(n) for n in rng.integers(1, 40, 2))
    x = Spec("x", (1, inputs), scales=scale(rng), zero=zero(rng))
    w = weights(rng, (outputs, inputs), 0, bool(rng.integers(2)))
    y = Spec("y", (1, outputs), scales=scale(rng, 0.01, 0.5), zero=zero(rng))
    fields = {"FusedActivationFunction": activation(rng)}
    return write("FULLY_CONNECTED", [x, w, *bias(rng, x, w, outputs), y], 1, "FullyConnectedOptions", **fields)


def two(op: str, options: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
        small = tuple(1 if rng.integers(3) == 0 else n for n in shape)
        a = Spec("a", shape, scales=scale(rng), zero=zero(rng))
        b = Spec("b", small, scales=scale(rng), zero=zero(rng))
        if rng.integers(3) == 0:
            b.data = rng.integers(-128, 128, small)
        y = Spec("y", shape, scales=scale(rng, 0.02, 0.9), zero=zero(rng))
        pair = [a, b] if b.data is not None or rng.integers(2) else [b, a]
        return write(op, [*pair, y], 1 if b.data is not None else 2, options, FusedActivationFunction=activation(rng))

    return make


def pool(op: str) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        kh, kw, sh, sw, channels = (int(n) for n in rng.integers(1, 5, 5))
        padding, (h, w) = int(rng.integers(2)), (int(n) for n in rng.integers(5, 9, 2))
        x = Spec("x", (1, h, w, channels), scales=scale(rng), zero=zero(rng))
        y = Spec("y", (1, _out(h, kh, sh, 1, padding), _out(w, kw, sw, 1, padding), channels), "i1", x.scales, x.zero)
        fields = {"Padding": padding, "StrideH": sh, "StrideW": sw, "FilterHeight": kh, "FilterWidth": kw}
        return write(op, [x, y], 1, "Pool2DOptions", FusedActivationFunction=activation(rng), **fields)

    return make


def softmax(rng: Rng) -> bytes:
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 40)))
    x = Spec("x", shape, scales=scale(rng, 0.001, 2), zero=zero(rng))
    y = Spec("y", shape, scales=(1 / 256,), zero=-128)
    return write("SOFTMAX", [x, y], 1, "SoftmaxOptions", Beta=float(rng.choice([1.0, 0.5, 2.0])))


def quantize(rng: Rng) -> bytes:
    shape = (1, 50)
    x = Spec("x", shape, scales=scale(rng), zero=zero(rng))
    return write("QUANTIZE", [x, Spec("y", shape, scales=scale(rng), zero=zero(rng))], 1)


def relu(rng: Rng) -> bytes:
    x = Spec("x", (1, 50), scales=scale(rng), zero=zero(rng))
    return write("RELU", [x, Spec("y", (1, 50), scales=scale(rng), zero=zero(rng))], 1)


def pad(rng: Rng) -> bytes:
    shape = (1, *(int(n) for n in rng.integers(1, 6, 3)))
    amounts = rng.integers(0, 3, (4, 2))
    amounts[0] = 0
    x = Spec("x", shape, scales=scale(rng), zero=zero(rng))
    y = Spec("y", tuple(int(n) + int(p.sum()) for n, p in zip(shape, amounts, strict=True)), "i1", x.scales, x.zero)
    return write("PAD", [x, Spec("p", (4, 2), "i4", data=amounts), y], 1, "PadOptions")


def concatenation(rng: Rng) -> bytes:
    """Along any axis, the batch too; sometimes the last part is constant."""
    shape, axis = [int(rng.choice([1, 1, 2])), *(int(n) for n in rng.integers(1, 6, 3))], int(rng.integers(4))
    parts = [Spec(f"x{i}", (), scales=(0.5,), zero=7) for i in range(int(rng.integers(2, 4)))]
    total = 0
    for part in parts:
        size = int(rng.integers(1, 5))
        part.shape, total = tuple(size if i == axis else n for i, n in enumerate(shape)), total + size
    y = Spec("y", tuple(total if i == axis else n for i, n in enumerate(shape)), scales=(0.5,), zero=7)
    fields = {"Axis": axis - 4 if rng.integers(2) else axis}
    computed = len(parts)
    if rng.integers(3) == 0:
        parts[-1].data = rng.integers(-128, 128, parts[-1].shape)
        computed -= 1
    return write("CONCATENATION", [*parts, y], computed, "ConcatenationOptions", **fields)


MAKERS: dict[str, Callable[[Rng], bytes]] = {
    "ADD": two("ADD", "AddOptions"),
    "AVERAGE_POOL_2D": pool("AVERAGE_POOL_2D"),
    "CONCATENATION": concatenation,
    "CONV_2D": lambda rng: conv(rng, False),
    "DEPTHWISE_CONV_2D": lambda rng: conv(rng, True),
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": pool("MAX_POOL_2D"),
    "MUL": two("MUL", "MulOptions"),
    "PAD": pad,
    "QUANTIZE": quantize,
    "RELU": relu,
    "SOFTMAX": softmax,
    "SUB": two("SUB", "SubOptions"),
}


@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter(op: str, tmp_path: Path) -> None:
    values = []
    for seed in range(SEEDS):
        rng = np.random.default_rng([seed, *op.encode()])
        path = tmp_path / f"{op.lower()}_{seed}.tflite"
        path.write_bytes(MAKERS[op](rng))
        graph = load(path)
        x = {n: rng.integers(-128, 128, (8, *graph.values[n].shape)) for n in graph.inputs}
        for codes in x.values():
            codes[0] = rng.choice([-128, 127], codes.shape[1:])
        found = graph.run(x)
        device = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 18)
        for i in range(8):
            for k, name in enumerate(graph.inputs):
                device.set_input(x[name][i].reshape(device.get_input_details(k)["shape"]).astype(np.int8), k)
            device.invoke()
            want = np.array(device.get_output(0))
            np.testing.assert_array_equal(found[i].reshape(want.shape), want, err_msg=f"{op} seed {seed} sample {i}")
            values.append(want.ravel())
    assert len(np.unique(np.concatenate(values))) > 60
