"""Float .onnx files as torch modules compute what onnxruntime computes, and their calibrated programs run everywhere.

Tolerance of every comparison with onnxruntime: 1e-5 times one plus the greatest magnitude of its output (both compute
in float32, in different orders).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.errors import FileError, InputError, UnsupportedError
from edgeq.frontends import float_module

onnx = pytest.importorskip("onnx", reason="reading .onnx needs the extra edgeq[onnx]")
ort = pytest.importorskip("onnxruntime", reason="the oracle onnxruntime is not installed")
torch = pytest.importorskip("torch", reason="float networks need the extra edgeq[torch]")
pytest.importorskip("brevitas", reason="float networks need the extra edgeq[torch]")

nn = torch.nn
TOLERANCE = 1e-5


def model(
    path: Path, nodes: list[Any], inputs: dict[str, tuple[int, ...]], outputs: list[str], constants: dict[str, Any],
    opset: int = 17,
) -> Path:  # fmt: skip
    """A file of these nodes."""
    kind = onnx.TensorProto.FLOAT
    infos = [onnx.helper.make_tensor_value_info(n, kind, ("n", *s[1:])) for n, s in inputs.items()]
    outs = [onnx.helper.make_empty_tensor_value_info(n) for n in outputs]
    for out in outs:
        integer = any(n.op_type == "ArgMax" and out.name in n.output for n in nodes)
        out.type.tensor_type.elem_type = onnx.TensorProto.INT64 if integer else kind
    given = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = onnx.helper.make_graph(nodes, "net", infos, outs, given)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(made, path)
    return path


def compare(path: Path, x: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The module and onnxruntime on the same samples; the outputs of both."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = session.run(None, x)
    with torch.no_grad():
        found = float_module(path)(*(torch.from_numpy(x[i.name]) for i in session.get_inputs()))
    found = [f.numpy() for f in (found if isinstance(found, tuple) else (found,))]
    assert len(found) == len(wanted)
    for f, w in zip(found, wanted, strict=True):
        assert f.shape == w.shape
        limit = TOLERANCE * (1 + np.abs(w).max())
        assert np.abs(f - w).max() <= limit
        # The comparison can fail: the other sample's answer is another.
        assert np.abs(f - np.roll(w, 1, axis=0)).max() > limit
    return found


W = np.random.default_rng(5).normal(size=(6, 3, 3, 3)).astype(np.float32)
B6 = np.linspace(-1, 1, 6).astype(np.float32)
I64 = lambda *v: np.array(v, np.int64)  # noqa: E731
F32 = lambda *v: np.array(v, np.float32)  # noqa: E731

#: (operator, input shape, constants in order after the input, attributes, opset)
CASES: list[tuple[str, tuple[int, ...], list[Any], dict[str, Any], int]] = [
    ("Conv", (2, 3, 9, 8), [W, B6], {"pads": [1, 0, 0, 2], "strides": [2, 1]}, 17),
    ("Conv", (2, 3, 9, 8), [W], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 17),
    ("Conv", (2, 3, 9, 8), [W], {"auto_pad": "SAME_LOWER", "strides": [2, 3]}, 17),
    ("Conv", (2, 6, 9), [W[:, :, 0], B6], {"group": 2, "pads": [1, 1]}, 17),
    ("ConvTranspose", (2, 6, 5, 4), [W, B6[:3]], {"strides": [2, 2], "pads": [1, 0, 0, 1]}, 17),
    ("ConvTranspose", (2, 6, 5, 4), [W], {"strides": [2, 2], "output_padding": [1, 0]}, 17),
    ("ConvTranspose", (2, 6, 7), [W[:, :2, 0]], {"strides": [3], "group": 3, "dilations": [2]}, 17),
    ("Gemm", (2, 6), [W[:, 0, 0, :].copy(), F32(1, 2, 3)], {"alpha": 0.5, "beta": 2.0}, 17),
    ("Gemm", (2, 3), [W[:, 0, 0, :].copy(), B6], {"transB": 1}, 17),
    ("MatMul", (2, 4, 6), [W[:, 0, 0, :].copy()], {}, 17),
    ("BatchNormalization", (2, 6, 5, 4), [B6 + 2, B6, B6 / 2, np.abs(B6) + 1], {"epsilon": 1e-3}, 17),
    ("BatchNormalization", (2, 6, 5), [B6 + 2, B6, B6 / 2, np.abs(B6) + 1], {}, 17),
    ("MaxPool", (2, 3, 9, 8), [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 17),
    ("MaxPool", (2, 3, 9, 8), [], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, 17),
    ("MaxPool", (2, 3, 9), [], {"kernel_shape": [3], "strides": [2], "dilations": [2]}, 17),
    ("AveragePool", (2, 3, 9, 8), [], {"kernel_shape": [3, 2], "strides": [2, 2]}, 17),
    ("AveragePool", (2, 3, 9, 9), [], {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, 17),
    ("AveragePool", (2, 3, 9, 8), [],
     {"kernel_shape": [3, 3], "pads": [1, 0, 0, 1], "count_include_pad": 1, "strides": [2, 2]}, 17),
    ("AveragePool", (2, 3, 8, 8), [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 17),
    ("GlobalAveragePool", (2, 3, 9, 8), [], {}, 17),
    ("GlobalMaxPool", (2, 3, 9, 8), [], {}, 17),
    ("Add", (2, 6, 5), [B6.reshape(6, 1)], {}, 17),
    ("Sub", (2, 6, 5), [F32(0.5)], {}, 17),
    ("Mul", (2, 5, 6), [B6], {}, 17),
    ("Div", (2, 5, 6), [B6 + 3], {}, 17),
    ("Relu", (2, 7), [], {}, 17),
    ("Clip", (2, 7), [np.float32(-0.5), np.float32(0.7)], {}, 17),
    ("Clip", (2, 7), [], {"min": -0.25, "max": 0.5}, 6),
    ("Max", (2, 7), [F32(0.1)], {}, 17),
    ("Min", (2, 7), [F32(0.1)], {}, 17),
    ("Max", (2, 6, 4), [B6.reshape(6, 1)], {}, 17),
    ("Min", (2, 6, 4), [B6.reshape(1, 6, 1)], {}, 17),
    ("LeakyRelu", (2, 7), [], {"alpha": 0.2}, 17),
    ("PRelu", (2, 6, 4), [B6.reshape(6, 1)], {}, 17),
    ("PRelu", (2, 6, 4), [F32(0.3)], {}, 17),
    ("HardSigmoid", (2, 7), [], {}, 17),
    ("HardSigmoid", (2, 7), [], {"alpha": 1 / 6}, 17),
    ("Elu", (2, 7), [], {"alpha": 0.5}, 17),
    ("Celu", (2, 7), [], {"alpha": 2.0}, 17),
    ("Selu", (2, 7), [], {}, 17),
    ("Gelu", (2, 7), [], {"approximate": "tanh"}, 20),
    ("Pow", (2, 7), [np.float32(2)], {}, 17),
    *((op, (2, 7), [], {}, 18) for op in ("Abs", "Cos", "Erf", "Exp", "HardSwish", "Mish", "Neg", "Sigmoid", "Sin")),
    *((op, (2, 7), [], {}, 18) for op in ("Softplus", "Softsign", "Tanh", "Identity", "Dropout")),
    ("Softmax", (2, 4, 7), [], {"axis": 1}, 17),
    ("Softmax", (2, 7), [], {}, 11),
    ("ReduceMean", (2, 4, 7), [], {"axes": [-1], "keepdims": 0}, 17),
    ("ReduceMean", (2, 4, 7), [I64(1, 2)], {}, 18),
    ("ReduceSum", (2, 4, 7), [I64(2)], {"keepdims": 0}, 17),
    ("ArgMax", (2, 4, 7), [], {"axis": 2, "keepdims": 0}, 17),
    ("ArgMax", (2, 9), [], {"axis": 1}, 17),
    ("Reshape", (2, 4, 6), [I64(0, -1, 8)], {}, 17),
    ("Flatten", (2, 4, 6), [], {}, 17),
    ("Squeeze", (2, 4, 1, 6), [I64(2)], {}, 17),
    ("Unsqueeze", (2, 4, 6), [I64(1, -1)], {}, 17),
    ("Transpose", (2, 4, 6, 3), [], {"perm": [0, 3, 1, 2]}, 17),
    ("Slice", (2, 8, 6), [I64(1, 0), I64(7, 2**62), I64(1, 2), I64(2, 1)], {}, 17),
    ("Gather", (2, 8, 6), [np.array(3)], {"axis": 1}, 17),
    ("Pad", (2, 3, 5, 6), [I64(0, 0, 1, 2, 0, 1, 0, 1)], {}, 17),
    ("Pad", (2, 3, 5, 6), [I64(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "reflect"}, 17),
    ("Pad", (2, 3, 5, 6), [I64(0, 0, 1, 2, 0, 0, 0, 1)], {"mode": "edge"}, 17),
    ("Resize", (2, 3, 5, 6), [F32(), F32(1, 1, 2, 3)],
     {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, 17),
    ("Pad", (2, 3, 5, 6), [I64(0, 1, 0, 0, 0, 2, 0, 0)], {"mode": "reflect"}, 17),
    ("Pad", (2, 7), [I64(0, 3, 0, 2)], {"mode": "edge"}, 17),
    ("Gather", (2, 3, 5, 6), [I64(4, 0, -2)], {"axis": 2}, 17),
    ("Slice", (2, 3, 5, 6), [I64(-1, 4), I64(-9, 0), I64(2, 3), I64(-1, -2)], {}, 17),
    ("Resize", (2, 3, 5, 6), [F32(), F32(1, 1, 2, 4)], {"mode": "nearest"}, 17),
    *(("Resize", (2, 3, 5, 6), [F32(), F32(1, 1, 1.7, 0.6)], {"mode": "nearest", "nearest_mode": rule,
       "coordinate_transformation_mode": place}, 17)
      for place in ("half_pixel", "asymmetric", "align_corners")
      for rule in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
    *(("Resize", (2, 3, 5, 6), [F32(), F32(1, 1, *scales)], {"mode": "linear",
       "coordinate_transformation_mode": place}, 17)
      for place in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
      for scales in ((2, 2), (1.7, 0.6), (3, 1), (0.2, 0.2))),
    *(("Resize", (2, 3, 5, 6), [F32(), F32(), I64(h, w)], {"mode": "linear", "axes": [2, 3],
       "coordinate_transformation_mode": place}, 18)
      for place in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
      for h, w in ((10, 12), (7, 4), (1, 1))),
    ("Resize", (2, 3, 5, 6), [F32(), F32(2, 1.5)], {"mode": "linear", "axes": [2, 3]}, 18),
    ("Resize", (2, 3, 5, 6), [F32(), F32(1, 1, 1.5, 2.1)],
     {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, 19),
    ("Resize", (2, 3, 7), [F32(), F32(1, 1, 2)], {"mode": "linear"}, 17),
    ("Resize", (2, 3, 5, 6), [F32(1, 1, 2, 3)], {"mode": "linear"}, 10),
    ("Upsample", (2, 3, 5, 6), [F32(1, 1, 2, 3)], {"mode": "linear"}, 9),
    ("Upsample", (2, 3, 5, 6), [F32(1, 1, 2, 3)], {"mode": "nearest"}, 9),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")
def test_single_operators(case: int, tmp_path: Path) -> None:
    op, shape, constants, attrs, opset = CASES[case]
    names = [f"c{i}" for i in range(len(constants))]
    node = onnx.helper.make_node(op, ["x", *names], ["y"], name="/block/op/Op", **attrs)
    path = model(tmp_path / "net.onnx", [node], {"x": shape}, ["y"], dict(zip(names, constants, strict=True)), opset)
    x = np.random.default_rng(case).normal(size=shape).astype(np.float32)
    compare(path, {"x": x})


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
def test_functions_of_positive_numbers(op: str, tmp_path: Path) -> None:
    path = model(tmp_path / "net.onnx", [onnx.helper.make_node(op, ["x"], ["y"])], {"x": (2, 7)}, ["y"], {})
    compare(path, {"x": np.random.default_rng(1).uniform(0.1, 4, (2, 7)).astype(np.float32)})


class Mixed(nn.Module):
    """Two inputs, two outputs: strided and depthwise convolutions, a residual, transposes, a flatten, a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.Hardswish()
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.side = nn.Linear(5, 8)
        self.head = nn.Linear(8 * 16, 6)

    def forward(self, x: Any, s: Any) -> Any:
        y = self.stem(x)
        y = self.act(self.norm(self.depthwise(y)) + y)
        side = torch.sigmoid(self.side(s)).reshape(s.shape[0], 8, 1, 1)
        y = y * side
        image = torch.tanh(self.up(y)).permute(0, 2, 3, 1)
        y = nn.functional.max_pool2d(torch.cat([y[:, :4], y[:, 4:] - 0.5], 1), 2)
        return torch.softmax(self.head(y.flatten(1)), 1), image


class Attention(nn.Module):
    """One head of attention over a sequence, matrix products of computed operands."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(12, 8) for _ in range(3))
        self.out = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        weights = torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) / 8**0.5, -1)
        return self.out(weights @ self.v(x)).mean(1)


def exported(net: Any, path: Path, x: tuple[Any, ...], names: list[str]) -> Path:
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_()
                m.running_var.uniform_(0.5, 2)
    axes = {n: {0: "n"} for n in names}
    torch.onnx.export(net.eval(), x, str(path), input_names=names, dynamic_axes=axes, opset_version=17, dynamo=False)
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    torch.manual_seed(3)
    x = (torch.randn(2, 3, 16, 16), torch.rand(2, 5))
    path = exported(Mixed(), tmp_path_factory.mktemp("onnx") / "mixed.onnx", x, ["x", "s"])
    rng = np.random.default_rng(2)
    data = {"x": rng.normal(size=(24, 3, 16, 16)), "s": rng.random((24, 5))}
    return path, {k: v.astype(np.float32) for k, v in data.items()}


@pytest.mark.filterwarnings("ignore")
def test_exported_networks(mixed: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    compare(*mixed)
    path = exported(Attention(), tmp_path / "attention.onnx", (torch.randn(2, 7, 12),), ["x"])
    compare(path, {"x": np.random.default_rng(4).normal(size=(3, 7, 12)).astype(np.float32)})


@pytest.mark.filterwarnings("ignore")
def test_layers_keep_the_names_of_the_source(mixed: tuple[Path, dict[str, np.ndarray]]) -> None:
    names = dict(float_module(mixed[0]).named_modules())
    assert {"stem.0", "depthwise", "up", "side", "head"} <= names.keys()


def test_calibrated_program_is_the_same_on_every_executor(mixed: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, data = mixed
    net = edgeq.load(path, calibrate=data)
    assert len(net.inputs) == 2
    assert len(net.outputs) == 2
    found = net.run(data)
    with torch.no_grad():
        wanted = float_module(path)(*(torch.from_numpy(data[n]) for n in net.inputs))
    for f, w in zip(found, wanted, strict=True):
        assert f.shape == tuple(w.shape)
        assert np.abs(f - w.numpy()).max() < 0.1
    # The one transpose that the file asks for at an output is the border's.
    assert not [n.name for n in net.nodes if n.op == "transpose"]
    result = edgeq.verify(net, "host", random=16)
    assert result.equal
    assert result.values > 1000


def test_a_module_can_be_fine_tuned(mixed: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, data = mixed
    example = tuple(torch.from_numpy(data[n][:4]) for n in ("x", "s"))
    prepared = edgeq.prepare(float_module(path), {"weights": 4}, example)
    before = prepared.stem.get_submodule("0").weight.detach().clone()
    prepared.train()
    optimiser = torch.optim.SGD(prepared.parameters(), 0.01)
    prepared(*example)[0].square().sum().backward()
    optimiser.step()
    assert not torch.equal(before, prepared.stem.get_submodule("0").weight)
    assert edgeq.export(prepared, example).outputs


@pytest.mark.parametrize("place", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_resizes_are_calibrated_and_run_in_c(mode: str, place: str, tmp_path: Path) -> None:
    attrs = {"mode": mode, "coordinate_transformation_mode": place}
    node = onnx.helper.make_node("Resize", ["x", "", "", "s"], ["y"], **attrs)
    path = model(tmp_path / "net.onnx", [node], {"x": (1, 3, 4, 5)}, ["y"], {"s": I64(1, 3, 9, 10)})
    x = np.random.default_rng(2).normal(size=(20, 3, 4, 5)).astype(np.float32).clip(-3, 3)
    net = edgeq.load(path, calibrate=x)
    assert [n.op for n in net.nodes] == ["resize_bilinear" if mode == "linear" else "gather"]
    with torch.no_grad():
        wanted = float_module(path)(torch.from_numpy(x)).numpy()
    # The input and the output are rounded to 2^-5, shares to 2^-8 (of neighbours up to 8 apart), for two axes.
    assert np.abs(net.run(x) - wanted).max() <= 2**-5 + 2 * 8 * 2**-9
    assert np.abs(net.run(x) - np.roll(wanted, 1, axis=0)).max() > 1
    assert edgeq.verify(net, "host", random=8).equal


@pytest.mark.parametrize(
    ("attrs", "fact"),
    [
        ({"mode": "cubic"}, "resize: Resize by cubic"),
        ({"mode": "linear", "antialias": 1}, "with antialias; export it with antialias 0"),
        ({"mode": "linear", "exclude_outside": 1}, "with exclude_outside"),
        ({"mode": "linear", "keep_aspect_ratio_policy": "not_larger"}, "linear, not_larger; nearest and linear"),
        ({"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}, "tf_crop_and_resize; align"),
    ],
)  # fmt: skip
def test_resizes_that_have_no_meaning_are_refused(attrs: dict[str, Any], fact: str, tmp_path: Path) -> None:
    node = onnx.helper.make_node("Resize", ["x", "", "", "s"], ["y"], **attrs)
    path = model(tmp_path / "net.onnx", [node], {"x": (1, 3, 4, 5)}, ["y"], {"s": I64(1, 3, 9, 10)}, 19)
    with pytest.raises(UnsupportedError, match=fact):
        float_module(path)


@pytest.mark.parametrize("name", ["0", "lambda", "input.1"])
def test_inputs_of_any_name(name: str, tmp_path: Path) -> None:
    """Exporters number them, and a module's arguments need names of Python's."""
    path = model(tmp_path / "net.onnx", [onnx.helper.make_node("Abs", [name], ["y"])], {name: (2, 7)}, ["y"], {})
    compare(path, {name: np.random.default_rng(4).normal(size=(2, 7)).astype(np.float32)})


def test_borders_that_no_memory_holds_are_refused(tmp_path: Path) -> None:
    for amount, fact in ((1 << 40, "up to 65536"), (8, "around 7 elements")):
        mode = {"mode": "edge" if amount > 8 else "reflect"}
        node = onnx.helper.make_node("Pad", ["x", "p"], ["y"], **mode)
        path = model(tmp_path / "net.onnx", [node], {"x": (2, 7)}, ["y"], {"p": I64(0, amount, 0, 0)})
        with pytest.raises(UnsupportedError, match=fact):
            float_module(path)


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="memory", hidden_size=2),
        onnx.helper.make_node("Einsum", ["x"], ["z"], name="product", equation="abc->acb"),
    ]
    constants = {"w": np.zeros((1, 8, 3), np.float32), "r": np.zeros((1, 8, 2), np.float32)}
    path = model(tmp_path / "net.onnx", nodes, {"x": (2, 4, 3)}, ["y", "z"], constants)
    with pytest.raises(UnsupportedError, match=r"net.onnx: .*Einsum \(1: product\); LSTM \(1: memory\)"):
        float_module(path)
    (tmp_path / "bad.onnx").write_bytes(b"\xff" * 50)
    with pytest.raises(FileError, match="not an ONNX model"):
        float_module(tmp_path / "bad.onnx")


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (5, "int is not data"),
        (np.zeros((0, 7)), "shape"),
        ([[1.0, 2.0]], "not 1 arrays"),
        ({"a": np.zeros((4, 7)), "b": np.zeros((4, 7))}, "the inputs are x"),
        (np.full((4, 7), np.nan), "NaN"),
        (np.zeros((4, 5)), "does not take"),
    ],
)
def test_bad_calibration_data(data: Any, fact: str, tmp_path: Path) -> None:
    node = onnx.helper.make_node("Gemm", ["x", "w"], ["y"])
    w = np.ones((7, 3), np.float32)
    path = model(tmp_path / "net.onnx", [node], {"x": (2, 7)}, ["y"], {"w": w})
    with pytest.raises(InputError, match=fact) as error:
        edgeq.load(path, calibrate=data)
    assert "\n" not in str(error.value)
