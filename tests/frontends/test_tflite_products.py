"""Generated .tflite files that resize or multiply equal TensorFlow Lite Micro to the byte."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")

from frontends.tflite_oracle import Rng, compare
from frontends.tflite_writer import Call, Spec, write, write_model

SEEDS = 24


def scale(rng: Rng, low: float = 0.005, high: float = 0.5) -> tuple[float]:
    return (float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))),)


def zero(rng: Rng) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))


def resize(op: str, options: str, flags: tuple[str, ...]) -> Callable[[Rng], bytes]:
    def make(rng: Rng) -> bytes:
        height, width, channels = (int(n) for n in rng.integers(1, 9, 3))
        size = rng.integers(1, 17, 2)
        if rng.integers(4) == 0:
            # float32 quotients that are not what they stand for.
            height, channels, size[0] = int(rng.integers(7, 60)), 1, rng.integers(1, 60)
        count = int(rng.choice([1, 1, 2, 3]))
        x = Spec("x", (count, height, width, channels), scales=scale(rng), zero=zero(rng))
        y = Spec("y", (count, *(int(n) for n in size), channels), "i1", x.scales, x.zero)
        fields = {flags[0]: True} if (which := int(rng.integers(len(flags) + 1))) == 1 else {}
        fields = {flags[1]: True} if which == 2 else fields
        return write(op, [x, Spec("s", (2,), "i4", (), data=size), y], 1, options, **fields)

    return make


def tensor(rng: Rng, name: str, shape: tuple[int, ...], wide: bool, low: float, high: float) -> Spec:
    """A computed tensor of 8 bits, or of 16 without a zero point."""
    if wide:
        return Spec(name, shape, "<i2", scale(rng, low / 256, high / 256))
    return Spec(name, shape, scales=scale(rng, low, high), zero=zero(rng))


def transpose_conv(rng: Rng, wide: bool = False) -> bytes:
    height, width, channels, filters, kh, kw = (int(n) for n in rng.integers(1, 6, 6))
    sh, sw = (int(n) for n in rng.integers(1, 4, 2))
    same = bool(rng.integers(2))
    out = (height * sh, width * sw) if same else ((height - 1) * sh + kh, (width - 1) * sw + kw)
    if same and rng.integers(3) == 0:
        # Any size whose convolution has the input's: an odd one as well.
        out = (out[0] - int(rng.integers(0, sh)), out[1] - int(rng.integers(0, sw)))
    x = tensor(rng, "x", (1, height, width, channels), wide, 0.005, 0.5)
    scales = tuple(scale(rng, 0.001, 0.05)[0] for _ in range(filters if rng.integers(3) else 1))
    shape = (filters, kh, kw, channels)
    w = Spec("w", shape, "i1", scales, data=rng.integers(-127, 128, shape))
    tensors = [Spec("o", (4,), "i4", (), data=np.array([1, *out, filters])), w, x]
    if rng.integers(3):
        own = tuple(float(np.float32(x.scales[0] * s)) for s in scales)
        tensors.append(Spec("b", (filters,), "<i8" if wide else "i4", own, data=rng.integers(-9000, 9000, filters)))
    y = tensor(rng, "y", (1, *out, filters), wide, 0.01, 0.5)
    fields = {"Padding": 0 if same else 1, "StrideH": sh, "StrideW": sw}
    fields["FusedActivationFunction"] = int(rng.choice([0, 0, 1, 2, 3]))
    call = Call("TRANSPOSE_CONV", range(len(tensors)), [len(tensors)], "TransposeConvOptions", fields)
    return write_model([*tensors, y], [call], [2], [len(tensors)])


def batch_matmul(rng: Rng, wide: bool = False) -> bytes:
    m, k, n = (int(v) for v in rng.integers(1, 8, 3))
    batch = tuple(int(v) for v in rng.integers(1, 4, int(rng.integers(0, 3))))
    a_batch, b_batch = (tuple(1 if rng.integers(4) == 0 else v for v in batch) for _ in "ab")
    adj_x, adj_y = (bool(rng.integers(2)) for _ in "xy")
    a = tensor(rng, "a", (*a_batch, *((k, m) if adj_x else (m, k))), wide, 0.005, 0.5)
    b = tensor(rng, "b", (*b_batch, *((n, k) if adj_y else (k, n))), wide, 0.005, 0.5)
    if rng.integers(2):
        b.data = rng.integers(-32768 if wide else -128, 32768 if wide else 128, b.shape)
    made = np.broadcast_shapes(a_batch, b_batch)
    y = tensor(rng, "y", (*made, m, n), wide, 0.05, 2)
    inputs = 1 if b.data is not None else 2
    return write("BATCH_MATMUL", [a, b, y], inputs, "BatchMatMulOptions", AdjX=adj_x, AdjY=adj_y)


def computed_weights(rng: Rng) -> bytes:
    m, k, n = (int(v) for v in rng.integers(1, 8, 3))
    shape = (m, k) if rng.integers(2) else (1, m, k)
    x, w, y = (tensor(rng, *spec, False, 0.005, 0.5) for spec in (("x", shape), ("w", (n, k)), ("y", (m, n))))
    y.scales = scale(rng, 0.05, 2)
    call = Call("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions",
                {"FusedActivationFunction": int(rng.choice([0, 0, 1, 2, 3]))})  # fmt: skip
    return write_model([x, w, y], [call], [0, 1], [2])


MAKERS: dict[str, Callable[[Rng], bytes]] = {
    "BATCH_MATMUL": batch_matmul,
    "BATCH_MATMUL int16": partial(batch_matmul, wide=True),
    "FULLY_CONNECTED of two tensors": computed_weights,
    "RESIZE_BILINEAR": resize("RESIZE_BILINEAR", "ResizeBilinearOptions", ("AlignCorners", "HalfPixelCenters")),
    "RESIZE_NEAREST_NEIGHBOR": resize(
        "RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", ("AlignCorners", "HalfPixelCenters")
    ),
    "TRANSPOSE_CONV": transpose_conv,
    "TRANSPOSE_CONV int16": partial(transpose_conv, wide=True),
}


def compare_many(op: str, seeds: range, folder: Path) -> None:
    values = []
    for seed in seeds:
        rng = np.random.default_rng([seed, *op.encode()])
        values.append(compare(MAKERS[op](rng), folder / "x.tflite", rng, f"{op} seed {seed}", 4))
    assert len(np.unique(np.concatenate(values))) > 60


@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter(op: str, tmp_path: Path) -> None:
    compare_many(op, range(SEEDS), tmp_path)


@pytest.mark.heavy
@pytest.mark.parametrize("op", MAKERS)
def test_equals_the_interpreter_on_many(op: str, tmp_path: Path) -> None:
    compare_many(op, range(SEEDS, SEEDS + 500), tmp_path)
