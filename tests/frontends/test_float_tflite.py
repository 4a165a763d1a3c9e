"""Float .tflite files as torch modules compute what TensorFlow Lite Micro's float kernels compute.

Tolerance of every comparison with the interpreter: 1e-5 times one plus the greatest magnitude of its output (both
compute in float32, in different orders; its softmax and functions have their own approximations).
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.errors import FileError, UnsupportedError
from edgeq.frontends import float_module

torch = pytest.importorskip("torch", reason="float networks need the extra edgeq[torch]")
pytest.importorskip("brevitas", reason="float networks need the extra edgeq[torch]")
pytest.importorskip("tflite", reason="reading .tflite needs the extra edgeq[tflite]")
pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="the oracle tflite-micro is not installed")

from tests.frontends.tflite_oracle import interpreter  # noqa: E402
from tests.frontends.tflite_writer import Call, Spec, write_model  # noqa: E402

TOLERANCE = 1e-5
SHARED = Path(__file__).resolve().parents[3] / "shared"
RNG = np.random.default_rng(7)


def f32(*shape: int, rng: np.random.Generator = RNG) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def i32(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def real(name: str, shape: tuple[int, ...], data: Any = None) -> Spec:
    if data is None:
        return Spec(name, shape, "<f4", ())
    data = np.asarray(data)
    return Spec(name, data.shape, "<i4" if data.dtype.kind == "i" else "<f4", (), data=data)


def single(op: str, x: tuple[int, ...], y: tuple[int, ...], constants: list[Any], options: str, fields: dict[str, Any],
           at: int = 0) -> bytes:  # fmt: skip
    """A model of one call that reads x at position `at` among its constants."""
    tensors = [real("x", x), *(real(f"block/c{i}", (), c) for i, c in enumerate(constants)), real("block/y", y)]
    order = list(range(1, len(constants) + 1))
    order.insert(at, 0)
    last = len(tensors) - 1
    return write_model(tensors, [Call(op, order, [last], options, fields)], [0], [last])


def compare(data: bytes, path: Path, x: list[np.ndarray], outputs: int = 1) -> None:
    path.write_bytes(data)
    with torch.no_grad():
        found = float_module(path)(*(torch.from_numpy(v) for v in x))
    found = [f.numpy() for f in (found if isinstance(found, tuple) else (found,))]
    wanted = interpreter(data, x, outputs)
    for k, f in enumerate(found):
        w = np.stack([sample[k].reshape(f.shape[1:]) for sample in wanted])
        limit = TOLERANCE * (1 + np.abs(w).max())
        assert np.abs(f - w).max() <= limit
        # The comparison can fail: the other sample's answer is another.
        assert np.abs(f - np.roll(w, 1, axis=0)).max() > limit


SAME, VALID = 0, 1
CONV = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
POOL = {"Padding": VALID, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
LEVELS = np.linspace(-1, 1, 15, dtype=np.float32)

#: (operator, input, output, constants, options, fields, position of the input)
CASES: list[tuple[Any, ...]] = [
    ("CONV_2D", (1, 9, 8, 3), (1, 9, 8, 5), [f32(5, 3, 3, 3), f32(5)], "Conv2DOptions", CONV),
    ("CONV_2D", (1, 8, 9, 3), (1, 4, 5, 5), [f32(5, 3, 3, 3), f32(5)], "Conv2DOptions",
     {**CONV, "StrideH": 2, "StrideW": 2, "FusedActivationFunction": 1}),
    ("CONV_2D", (1, 9, 8, 4), (1, 5, 6, 6), [f32(6, 3, 2, 4), f32(6)], "Conv2DOptions",
     {**CONV, "Padding": VALID, "DilationHFactor": 2, "DilationWFactor": 2, "FusedActivationFunction": 3}),
    ("DEPTHWISE_CONV_2D", (1, 9, 8, 3), (1, 5, 4, 6), [f32(1, 3, 3, 6), f32(6)], "DepthwiseConv2DOptions",
     {**CONV, "StrideH": 2, "StrideW": 2, "DepthMultiplier": 2}),
    ("TRANSPOSE_CONV", (1, 4, 5, 3), (1, 8, 10, 2), [i32(1, 8, 10, 2), f32(2, 3, 3, 3)], "TransposeConvOptions",
     {"Padding": SAME, "StrideH": 2, "StrideW": 2}, 2),
    ("TRANSPOSE_CONV", (1, 4, 5, 3), (1, 9, 9, 2), [i32(1, 9, 9, 2), f32(2, 3, 1, 3)], "TransposeConvOptions",
     {"Padding": VALID, "StrideH": 2, "StrideW": 2}, 2),
    ("FULLY_CONNECTED", (1, 12), (1, 5), [f32(5, 12), f32(5)], "FullyConnectedOptions", {}),
    ("FULLY_CONNECTED", (1, 2, 3, 2), (1, 5), [f32(5, 12), f32(5)], "FullyConnectedOptions", {}),
    ("FULLY_CONNECTED", (1, 4, 3), (4, 5), [f32(5, 3), f32(5)], "FullyConnectedOptions", {}),
    ("ADD", (1, 4, 5, 3), (1, 4, 5, 3), [f32(3)], "AddOptions", {"FusedActivationFunction": 1}),
    ("SUB", (1, 4, 5, 3), (1, 4, 5, 3), [f32(1, 4, 5, 3)], "SubOptions", {}),
    ("SUB", (1, 6), (1, 6), [f32(1)], "SubOptions", {}, 1),
    ("MUL", (1, 4, 5, 3), (1, 4, 5, 3), [f32(5, 3)], "MulOptions", {"FusedActivationFunction": 2}),
    ("DIV", (1, 6), (1, 6), [f32(6)], "DivOptions", {}),
    ("MAXIMUM", (1, 6), (1, 6), [f32(1)], "MaximumMinimumOptions", {}),
    ("MINIMUM", (1, 6), (1, 6), [f32(1)], "MaximumMinimumOptions", {}, 1),
    ("MAXIMUM", (1, 4, 5, 3), (1, 4, 5, 3), [LEVELS.reshape(5, 3)], "MaximumMinimumOptions", {}),
    ("MINIMUM", (1, 15), (1, 15), [LEVELS], "MaximumMinimumOptions", {}),
    ("AVERAGE_POOL_2D", (1, 8, 6, 3), (1, 4, 3, 3), [], "Pool2DOptions", POOL),
    ("AVERAGE_POOL_2D", (1, 9, 7, 3), (1, 5, 4, 3), [], "Pool2DOptions", {**POOL, "Padding": SAME}),
    ("AVERAGE_POOL_2D", (1, 9, 7, 3), (1, 9, 7, 3), [], "Pool2DOptions",
     {"Padding": SAME, "StrideH": 1, "StrideW": 1, "FilterHeight": 3, "FilterWidth": 3}),
    ("MAX_POOL_2D", (1, 9, 8, 3), (1, 5, 4, 3), [], "Pool2DOptions",
     {**POOL, "Padding": SAME, "FilterHeight": 3, "FilterWidth": 3, "FusedActivationFunction": 1}),
    ("MEAN", (1, 4, 5, 3), (1, 3), [i32(1, 2)], "ReducerOptions", {}),
    ("MEAN", (1, 4, 5, 3), (1, 4, 1, 1), [i32(-1, 2)], "ReducerOptions", {"KeepDims": True}),
    ("SUM", (1, 4, 5, 3), (1, 4, 5), [i32(3)], "ReducerOptions", {}),
    ("SOFTMAX", (1, 10), (1, 10), [], "SoftmaxOptions", {"Beta": 1.0}),
    ("SOFTMAX", (1, 4, 6), (1, 4, 6), [], "SoftmaxOptions", {"Beta": 0.5}),
    *((op, (1, 7), (1, 7), [], "", {}) for op in ("RELU", "RELU6", "LOGISTIC", "TANH", "ELU", "HARD_SWISH", "ABS")),
    *((op, (1, 7), (1, 7), [], "", {}) for op in ("NEG", "SIN", "COS", "SQUARE", "EXP")),
    ("LEAKY_RELU", (1, 7), (1, 7), [], "LeakyReluOptions", {"Alpha": 0.2}),
    ("PRELU", (1, 4, 5, 3), (1, 4, 5, 3), [f32(1, 1, 3)], "", {}),
    ("PRELU", (1, 4, 5, 3), (1, 4, 5, 3), [f32(1, 5, 1)], "", {}),
    ("PRELU", (1, 4, 5, 3), (1, 4, 5, 3), [f32(4, 5, 3)], "", {}),
    ("RESHAPE", (1, 4, 5, 3), (1, 20, 3), [i32(1, 20, 3)], "ReshapeOptions", {}),
    ("EXPAND_DIMS", (1, 4, 3), (1, 1, 4, 3), [i32(1)], "ExpandDimsOptions", {}),
    ("TRANSPOSE", (1, 4, 5, 3), (1, 3, 4, 5), [i32(0, 3, 1, 2)], "TransposeOptions", {}),
    ("PAD", (1, 4, 5, 3), (1, 7, 6, 4), [i32([0, 0], [1, 2], [0, 1], [1, 0])], "PadOptions", {}),
    ("PADV2", (1, 4, 5), (1, 5, 6), [i32([0, 0], [1, 0], [0, 1]), f32(1)], "PadV2Options", {}),
    ("SLICE", (1, 8, 5), (1, 3, 5), [i32(0, 2, 0), i32(1, 3, -1)], "SliceOptions", {}),
    ("STRIDED_SLICE", (1, 8, 5), (1, 3), [i32(0, 1, 2), i32(1, 7, 3), i32(1, 2, 1)], "StridedSliceOptions",
     {"ShrinkAxisMask": 4}),
    ("STRIDED_SLICE", (1, 8, 5), (1, 3, 3), [i32(0, 7, 4), i32(1, 1, -9), i32(1, -2, -2)], "StridedSliceOptions", {}),
    ("GATHER", (1, 8, 5), (1, 4, 5), [i32(7, 0, 3, 3)], "GatherOptions", {"Axis": 1}),
    ("GATHER", (1, 4, 5, 3), (1, 4, 5, 2), [i32(2, 0)], "GatherOptions", {"Axis": -1}),
    ("GATHER", (1, 8, 5), (1, 5), [np.array(6, np.int32)], "GatherOptions", {"Axis": 1}),
    ("MIRROR_PAD", (1, 4, 5, 3), (1, 9, 6, 3), [i32([0, 0], [3, 2], [0, 1], [0, 0])], "MirrorPadOptions", {"Mode": 1}),
    ("MIRROR_PAD", (1, 4, 5, 3), (1, 4, 8, 5), [i32([0, 0], [0, 0], [2, 1], [2, 0])], "MirrorPadOptions", {"Mode": 0}),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 4, 5, 3), (1, 8, 15, 3), [i32(8, 15)], "ResizeNearestNeighborOptions", {}),
    ("RESIZE_NEAREST_NEIGHBOR", (1, 4, 5, 3), (1, 8, 15, 3), [i32(8, 15)], "ResizeNearestNeighborOptions",
     {"HalfPixelCenters": True}),
    *(("RESIZE_NEAREST_NEIGHBOR", (1, 4, 5, 3), (1, h, w, 3), [i32(h, w)], "ResizeNearestNeighborOptions", fields)
      for h, w in ((7, 9), (2, 3), (1, 1))
      for fields in ({}, {"HalfPixelCenters": True}, {"AlignCorners": True})),
    *(("RESIZE_BILINEAR", (1, 4, 5, 3), (1, h, w, 3), [i32(h, w)], "ResizeBilinearOptions", fields)
      for h, w in ((8, 10), (7, 9), (2, 3), (1, 1), (4, 15))
      for fields in ({}, {"HalfPixelCenters": True}, {"AlignCorners": True})),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")
def test_single_operators(case: int, tmp_path: Path) -> None:
    op, x, y, constants, options, fields, *at = CASES[case]
    samples = np.random.default_rng(case).normal(size=(3, *x[1:])).astype(np.float32)
    compare(single(op, x, y, constants, options, fields, *at), tmp_path / "net.tflite", [samples])


def branches() -> bytes:
    """Two inputs, two outputs: an image and a vector; a split, a join, a flatten in the file's order."""
    # Numbers of its own: what other tests have drawn before changes nothing here.
    draw = partial(f32, rng=np.random.default_rng(11))
    tensors = [
        real("image", (1, 8, 8, 2)), real("vector", (1, 6)),
        real("net/conv/kernel", (), draw(4, 3, 3, 2)), real("net/conv/bias", (), draw(4)),
        real("net/conv/out", (1, 4, 4, 4)),
        real("net/dense/kernel", (), draw(4, 6)), real("net/dense/out", (1, 4)),
        real("net/shape", (), i32(1, 1, 1, 4)), real("net/wide", (1, 1, 1, 4)),
        real("net/mul/out", (1, 4, 4, 4)), real("net/axis", (), i32(3)),
        real("net/left", (1, 4, 4, 2)), real("net/right", (1, 4, 4, 2)), real("net/join/out", (1, 4, 4, 4)),
        real("net/flat_shape", (), i32(1, 64)), real("net/flat", (1, 64)),
        real("net/head/kernel", (), draw(3, 64) / 24), real("net/head/out", (1, 3)), real("net/softmax", (1, 3)),
        real("net/pooled", (1, 2, 2, 4)),
    ]  # fmt: skip
    calls = [
        Call("CONV_2D", [0, 2, 3], [4], "Conv2DOptions", {**CONV, "StrideH": 2, "StrideW": 2}),
        Call("FULLY_CONNECTED", [1, 5, -1], [6], "FullyConnectedOptions", {"FusedActivationFunction": 1}),
        Call("RESHAPE", [6, 7], [8], "ReshapeOptions"),
        Call("MUL", [4, 8], [9], "MulOptions"),
        Call("SPLIT", [10, 9], [11, 12], "SplitOptions", {"NumSplits": 2}),
        Call("CONCATENATION", [12, 11], [13], "ConcatenationOptions", {"Axis": 3}),
        Call("RESHAPE", [13, 14], [15], "ReshapeOptions"),
        Call("FULLY_CONNECTED", [15, 16, -1], [17], "FullyConnectedOptions"),
        Call("SOFTMAX", [17], [18], "SoftmaxOptions", {"Beta": 1.0}),
        Call("MAX_POOL_2D", [9], [19], "Pool2DOptions", POOL),
    ]
    return write_model(tensors, calls, [0, 1], [18, 19])


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = {"image": rng.normal(size=(40, 8, 8, 2)), "vector": rng.normal(size=(40, 6))}
    data = {k: v.astype(np.float32) for k, v in data.items()}
    path = tmp_path / "branches.tflite"
    compare(branches(), path, [v[:4] for v in data.values()], 2)
    net = edgeq.load(path, calibrate=data)
    assert {"net.conv", "net.dense", "net.head"} <= {n.name for n in net.nodes}
    assert not [n.name for n in net.nodes if n.op == "transpose"]
    assert not net.layouts
    with torch.no_grad():
        wanted = float_module(path)(*(torch.from_numpy(v) for v in data.values()))
    for f, w in zip(net.run(data), wanted, strict=True):
        assert f.shape == tuple(w.shape)
        assert np.abs(f - w.numpy()).max() < 0.06 * np.abs(w.numpy()).max()
    for board in ("host", "emulator"):
        assert edgeq.verify(net, board, random=16).equal


def cifar(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    image = pytest.importorskip("PIL.Image", reason="reading the JPEG copy of CIFAR-10 needs pillow")
    path = SHARED / "data" / f"cifar10_{split}_jpeg_packed.npz"
    if not path.is_file():
        pytest.skip("CIFAR-10 is not here")
    found = np.load(path)
    offsets, raw = found["offsets"], found["jpeg"].tobytes()
    images = [image.open(io.BytesIO(raw[offsets[i] : offsets[i + 1]])).convert("RGB") for i in range(count)]
    return np.stack([np.asarray(i) for i in images]).astype(np.float32), found["y"][:count]


def resnet8() -> Path:
    path = SHARED / "models" / "resnet8_cifar10_float.tflite"
    if not path.is_file():
        pytest.skip("the published model resnet8_cifar10_float is not here")
    return path


def test_resnet8_equals_the_interpreter() -> None:
    x, _ = cifar("test", 10)
    path = resnet8()
    with torch.no_grad():
        found = float_module(path)(torch.from_numpy(x)).numpy()
    wanted = np.concatenate([w[0] for w in interpreter(path.read_bytes(), [x], 1)])
    assert np.abs(found - wanted).max() < TOLERANCE
    assert np.abs(found - np.roll(wanted, 1, axis=0)).max() > 0.1


def test_resnet8_keeps_its_accuracy() -> None:
    x, y = cifar("test", 200)
    net = edgeq.load(resnet8(), calibrate=cifar("train", 100)[0])
    assert not [n.name for n in net.nodes if n.op in ("transpose", "pad")]
    with torch.no_grad():
        wanted = float_module(resnet8())(torch.from_numpy(x)).numpy()
    found = net.run(x)
    assert (found.argmax(1) == wanted.argmax(1)).mean() > 0.93
    assert abs((found.argmax(1) == y).mean() - (wanted.argmax(1) == y).mean()) < 0.04


@pytest.mark.heavy
def test_resnet8_is_the_same_on_every_executor() -> None:
    x, _ = cifar("test", 8)
    net = edgeq.load(resnet8(), calibrate=cifar("train", 50)[0])
    assert edgeq.verify(net, "host", x).equal
    result = edgeq.verify(net, "cortex-m4", x[:2])
    assert result.equal
    assert result.values > 100_000


def test_weights_stored_as_integers_are_read_as_the_numbers_they_stand_for(tmp_path: Path) -> None:
    codes = RNG.integers(-127, 128, (5, 12)).astype(np.int8)
    tensors = [
        real("x", (1, 12)),
        Spec("weights", (5, 12), "i1", (0.01, 0.02, 0.03, 0.04, 0.05), data=codes),
        real("y", (1, 5)),
    ]
    path = tmp_path / "net.tflite"
    path.write_bytes(
        write_model(tensors, [Call("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions")], [0], [2])
    )
    x = f32(4, 12)
    with torch.no_grad():
        found = float_module(path)(torch.from_numpy(x)).numpy()
    wanted = x @ (codes * np.array([[0.01], [0.02], [0.03], [0.04], [0.05]])).T
    assert np.abs(found - wanted).max() < 1e-4
    assert np.abs(found).max() > 1


def test_names_of_any_kind_become_paths(tmp_path: Path) -> None:
    """One layer's name is another's scope, a name is taken by torch, two are alike."""
    names = ["net/dense/kernel", "net/dense/half/kernel", "net/float/kernel", "net/float/kernel", "1/ä ö/kernel"]
    tensors = [real("x", (1, 4)), real("y", (1, 4)), real("y", (1, 4)), real("y", (1, 4)), real("y", (1, 4)),
               real("y", (1, 4)), *(real(n, (), f32(4, 4)) for n in names)]  # fmt: skip
    calls = [Call("FULLY_CONNECTED", [i, 6 + i, -1], [i + 1], "FullyConnectedOptions") for i in range(5)]
    compare(write_model(tensors, calls, [0], [5]), tmp_path / "net.tflite", [f32(3, 4)])
    module = float_module(tmp_path / "net.tflite")
    found = {n for n, m in module.named_modules() if isinstance(m, torch.nn.Linear)}
    assert found == {"net.dense", "net.dense_half_", "net.float_", "net.float__2", "1"}
    assert edgeq.load(tmp_path / "net.tflite", calibrate=f32(8, 4)).nodes


def test_shapes_that_depend_on_the_batch_are_computed(tmp_path: Path) -> None:
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE around a product of rows, as converters write Dense on a sequence."""
    tensors = [
        real("x", (1, 6, 4)), real("s", (3,), None), real("zero", (), i32(0)), real("one", (), i32(1)),
        real("b", (1,)), real("six", (), np.int32(6)), real("five", (), np.int32(5)), real("shape", (3,)),
        real("rows_shape", (), i32(-1, 4)), real("rows", (6, 4)), real("kernel", (), f32(5, 4)), real("made", (6, 5)),
        real("y", (1, 6, 5)), real("copies", (), i32(1, 2, 1)), real("tiled", (1, 12, 5)),
    ]  # fmt: skip
    tensors[1] = Spec("s", (3,), "<i4", ())
    tensors[4] = Spec("b", (), "<i4", ())
    tensors[7] = Spec("shape", (3,), "<i4", ())
    calls = [
        Call("SHAPE", [0], [1], "ShapeOptions", {"OutType": 2}),
        Call("STRIDED_SLICE", [1, 2, 3, 3], [4], "StridedSliceOptions", {"ShrinkAxisMask": 1}),
        Call("PACK", [4, 5, 6], [7], "PackOptions", {"ValuesCount": 3}),
        Call("RESHAPE", [0, 8], [9], "ReshapeOptions"),
        Call("FULLY_CONNECTED", [9, 10, -1], [11], "FullyConnectedOptions"),
        Call("RESHAPE", [11, 7], [12], "ReshapeOptions"),
        Call("TILE", [12, 13], [14], ""),
    ]
    path = tmp_path / "net.tflite"
    path.write_bytes(write_model(tensors, calls, [0], [14]))
    x = f32(3, 6, 4)
    with torch.no_grad():
        found = float_module(path)(torch.from_numpy(x)).numpy()
    wanted = x @ np.asarray(tensors[10].data).T
    np.testing.assert_allclose(found, np.concatenate([wanted, wanted], 1), rtol=1e-4, atol=1e-5)


def test_weights_stored_as_halves_are_dequantised_when_the_file_is_read(tmp_path: Path) -> None:
    weight, x = f32(5, 12).astype(np.float16), f32(4, 12)
    tensors = [
        real("x", (1, 12)),
        Spec("halves", (5, 12), "<f2", (), data=weight),
        real("weights", (5, 12)),
        real("y", (1, 5)),
    ]
    calls = [Call("DEQUANTIZE", [1], [2]), Call("FULLY_CONNECTED", [0, 2, -1], [3], "FullyConnectedOptions")]
    path = tmp_path / "net.tflite"
    path.write_bytes(write_model(tensors, calls, [0], [3]))
    with torch.no_grad():
        found = float_module(path)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, x @ weight.astype(np.float32).T, rtol=1e-4, atol=1e-5)


def test_slopes_of_channels_are_one_node(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(single("PRELU", (1, 4, 5, 3), (1, 4, 5, 3), [f32(1, 1, 3)], "", {}))
    net = edgeq.load(path, calibrate=f32(20, 4, 5, 3))
    assert [n.op for n in net.nodes] == ["prelu"]
    assert edgeq.verify(net, "host", random=8).equal


def test_slices_with_new_axes_and_an_ellipsis(tmp_path: Path) -> None:
    """As numpy has them; tflite-micro does not take an ellipsis."""
    x, path = f32(3, 8, 5, 2), tmp_path / "net.tflite"
    options = "StridedSliceOptions"
    last, every = [i32(0, 0, 1), i32(0, 0, 3), i32(1, 1, 1)], [i32(0, 0, 0, 1), i32(1, 0, 0, 2), i32(1, 1, 1, 1)]
    masks = {"EllipsisMask": 1, "NewAxisMask": 2}
    path.write_bytes(single("STRIDED_SLICE", (1, 8, 5), (1, 8, 1, 2), last, options, masks))
    found = float_module(path)(torch.from_numpy(x[..., 0].copy())).numpy()
    np.testing.assert_array_equal(found, x[..., 0][..., None, 1:3])
    masks = {"EllipsisMask": 4, "NewAxisMask": 2, "ShrinkAxisMask": 8}
    path.write_bytes(single("STRIDED_SLICE", (1, 8, 5, 2), (1, 1, 8, 5), every, options, masks))
    found = float_module(path)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(found, x[:, None, ..., 1])
    masks = {"EllipsisMask": 4, "NewAxisMask": 2, "ShrinkAxisMask": 1}
    path.write_bytes(single("STRIDED_SLICE", (1, 8, 5, 2), (1, 8, 5, 1), every, options, masks))
    with pytest.raises(UnsupportedError, match="moves the batch from the first axis"):
        float_module(path)


@pytest.mark.parametrize("fields", [{}, {"HalfPixelCenters": True}, {"AlignCorners": True}])
@pytest.mark.parametrize("op", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_resizes_are_calibrated_and_run_in_c(op: str, fields: dict[str, Any], tmp_path: Path) -> None:
    options = {"RESIZE_BILINEAR": "ResizeBilinearOptions"}.get(op, "ResizeNearestNeighborOptions")
    path, x = tmp_path / "net.tflite", f32(20, 4, 5, 3, rng=np.random.default_rng(2)).clip(-3, 3)
    path.write_bytes(single(op, (1, 4, 5, 3), (1, 7, 10, 3), [i32(7, 10)], options, fields))
    net = edgeq.load(path, calibrate=x)
    nearest = "gather" if fields else "resize_nearest"
    assert [n.op for n in net.nodes] == ["resize_bilinear" if op == "RESIZE_BILINEAR" else nearest]
    with torch.no_grad():
        wanted = float_module(path)(torch.from_numpy(x)).numpy()
    # The input and the output are rounded to 2^-5, shares to 2^-8 (of neighbours up to 8 apart), for two axes.
    assert np.abs(net.run(x) - wanted).max() <= 2**-5 + 2 * 8 * 2**-9
    assert np.abs(net.run(x) - np.roll(wanted, 1, axis=0)).max() > 1
    assert edgeq.verify(net, "host", random=8).equal


def test_resizes_that_have_no_meaning_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    both = {"AlignCorners": True, "HalfPixelCenters": True}
    path.write_bytes(single("RESIZE_BILINEAR", (1, 4, 5, 3), (1, 8, 9, 3), [i32(8, 9)], "ResizeBilinearOptions", both))
    with pytest.raises(UnsupportedError, match=r"block: RESIZE_BILINEAR with align_corners and half.*choose one"):
        float_module(path)
    long = [i32(8, 90000)]
    path.write_bytes(single("RESIZE_BILINEAR", (1, 4, 5, 3), (1, 8, 90000, 3), long, "ResizeBilinearOptions", {}))
    with pytest.raises(UnsupportedError, match="up to 16384 are read"):
        float_module(path)


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(single("FLOOR", (1, 6), (1, 6), [], "", {}))
    with pytest.raises(UnsupportedError, match=r"net.tflite: .*FLOOR \(1: block\)"):
        float_module(path)
    tensors = [Spec("x", (1, 6)), Spec("y", (1, 6))]
    path.write_bytes(write_model(tensors, [Call("RELU", [0], [1])], [0], [1]))
    with pytest.raises(UnsupportedError, match="quantised already"):
        edgeq.load(path, calibrate=f32(4, 6))
    path.write_bytes(b"\0" * 40)
    with pytest.raises(FileError, match="not a TensorFlow Lite model"):
        float_module(path)
    with pytest.raises(FileError, match=r"\.tflite or \.onnx"):
        float_module(tmp_path / "net.h5")
