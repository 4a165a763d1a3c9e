"""Whole .onnx networks: onnxruntime's quantisation, Brevitas' exports, QONNX files; and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.errors import UnsupportedError
from edgeq.formats import Affine, FixedPoint, Minifloat
from edgeq.frontends.onnx import load, missing
from edgeq.frontends.onnx.file import read
from edgeq.frontends.survey import survey

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle, is not installed")
torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from frontends.onnx_models import Writer, calibrated, codes_out, onnxruntime_run  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402
from torch import nn  # noqa: E402


class Small(nn.Module):
    """Convolutions of every kind, a residual, pools and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.pointwise = nn.Conv2d(8, 16, 1)
        self.residual = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.depthwise(torch.relu(self.stem(x))))
        x = self.pointwise(x)
        x = torch.relu(x + self.residual(x))
        x = nn.functional.avg_pool2d(nn.functional.max_pool2d(x, 2), 2)
        return self.head(x.flatten(1))


@pytest.fixture(scope="module")
def float_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "float.onnx"
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Small().eval(), torch.zeros(1, 3, 16, 16), str(path), dynamo=False, input_names=["x"], output_names=["y"]
        )
    return path


def samples(count: int, seed: int = 0) -> np.ndarray:
    """Images of normal numbers."""
    return np.random.default_rng(seed).standard_normal((count, 3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("style", ["QDQ", "QOperator"])
@pytest.mark.parametrize(("activations", "per_channel"), [("QInt8", True), ("QUInt8", False)])
def test_onnxruntimes_quantisation(
    float_model: Path, tmp_path: Path, style: str, activations: str, per_channel: bool
) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    kind = QuantType[activations]
    path = calibrated(
        float_model, tmp_path / "q.onnx", samples(16), quant_format=QuantFormat[style], activation_type=kind,
        weight_type=kind, per_channel=per_channel,
    )  # fmt: skip
    net = load(path)
    assert net.inputs == ("x",)
    assert not [n for n in net.nodes if n.op == "transpose"]
    fmt = net.values[net.outputs[0]].format
    assert isinstance(fmt, Affine)
    x = samples(64, 1)
    (wanted,) = onnxruntime_run(path, x)
    # The rule is onnxruntime's but for the last bit of a float32 product, so hardly a code differs, and by one. Means
    # of four codes at one scale, as QDQ has them, are ties in one case of four, which float32 breaks by chance.
    apart = np.rint((net.run(x) - wanted) / fmt.scale)
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() <= (0.1 if style == "QDQ" else 0.005)
    assert {n.source.removesuffix("_quant") for n in net.nodes} >= {"/stem/Conv", "/head/Gemm"}


def brevitas_network(weights: int, activations: int, per_channel: bool) -> Any:
    """Power-of-two quantisers everywhere, biases too."""
    from brevitas import nn as qnn
    from brevitas.quant import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Int32Bias,
        Uint8ActPerTensorFixedPoint,
    )

    layer = {
        "weight_quant": Int8WeightPerTensorFixedPoint,
        "weight_bit_width": weights,
        "weight_scaling_per_output_channel": per_channel,
        "bias_quant": Int32Bias,
    }

    def identity(bits: int = activations) -> Any:
        return qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=bits, return_quant_tensor=True)

    def relu() -> Any:
        return qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=activations, return_quant_tensor=True)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.output = identity(8), identity(8)
            self.stem = qnn.QuantConv2d(3, 8, 3, stride=2, padding=1, **layer)
            self.depthwise = qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, **layer)
            self.pointwise = qnn.QuantConv2d(8, 16, 1, **layer)
            self.residual = qnn.QuantConv2d(16, 16, 3, padding=1, **layer)
            self.head = qnn.QuantLinear(64, 10, bias=True, **layer)
            self.relus = nn.ModuleList(relu() for _ in range(3))
            self.between = nn.ModuleList(identity() for _ in range(3))

        def forward(self, x: Any) -> Any:
            x = self.relus[1](self.depthwise(self.relus[0](self.stem(self.input(x)))))
            x = self.between[0](self.pointwise(x))
            x = self.relus[2](x.value + self.between[1](self.residual(x)).value)
            x = nn.functional.avg_pool2d(nn.functional.max_pool2d(x.value, 2), 2)
            return self.output(self.head(self.between[2](x.flatten(1)))).value

    torch.manual_seed(weights)
    model = Net().train()
    with torch.no_grad():
        for seed in range(12):
            model(torch.from_numpy(samples(4, seed)))
    return model.eval()


def exported(model: Any, path: Path, kind: str) -> Path:
    """Brevitas' export of a network."""
    from brevitas.export import export_onnx_qcdq, export_qonnx

    example = torch.from_numpy(samples(1))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model(example)
        export = {"qcdq": export_onnx_qcdq, "qonnx": export_qonnx}[kind]
        export(model, args=example, export_path=str(path), dynamo=False, input_names=["x"], output_names=["y"])
    return path


@pytest.mark.parametrize(("weights", "activations", "per_channel"), [(8, 8, False), (4, 6, True)])
def test_brevitas_networks_equal_onnxruntime_and_qonnx(
    tmp_path: Path, weights: int, activations: int, per_channel: bool
) -> None:
    pytest.importorskip("qonnx", reason="qonnx, an oracle, is not installed")
    pytest.importorskip("onnxscript", reason="Brevitas exports with onnxscript, which is not installed")
    pytest.importorskip("onnxoptimizer", reason="Brevitas exports with onnxoptimizer, which is not installed")
    model = brevitas_network(weights, activations, per_channel)
    x = samples(24, 7)
    with torch.no_grad():
        trained = model(torch.from_numpy(x)).numpy()

    path = exported(model, tmp_path / "qcdq.onnx", "qcdq")
    net = load(path)
    assert {v.format.bits for v in net.values.values() if v.name.endswith("weight")} == {weights}
    assert all(isinstance(v.format, FixedPoint) for v in net.values.values())
    (wanted,) = onnxruntime_run(path, x)
    assert len(np.unique(wanted)) > 10
    np.testing.assert_array_equal(net.run(x), wanted)
    np.testing.assert_array_equal(net.run(x), trained)

    path = exported(model, tmp_path / "qonnx.onnx", "qonnx")
    np.testing.assert_array_equal(load(path).run(x[:4]), executed(path, x[:4]))
    np.testing.assert_array_equal(load(path).run(x), trained)


def executed(path: Path, x: np.ndarray) -> np.ndarray:
    """What qonnx's own executor gives."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(str(path)).transform(InferShapes())
    name, out = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {name: x[i : i + 1]})[out] for i in range(len(x))])


def qonnx_file(path: Path, w: Writer, shape: tuple[int, ...]) -> Path:
    """A model with nodes of QONNX's domain."""
    ins = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)]
    outs = [helper.make_tensor_value_info(w.nodes[-1].output[0], onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph(w.nodes, "made", ins, outs, w.constants)
    domains = [helper.make_opsetid("", 13), helper.make_opsetid("qonnx.custom_op.general", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=domains, ir_version=9).SerializeToString())
    return path


QONNX = "qonnx.custom_op.general"


def quant(w: Writer, x: str, name: str, scale: Any, bits: float, **attrs: Any) -> str:
    """A Quant node."""
    ins = [x, *(w.constant(np.asarray(v, np.float32)) for v in (scale, 0.0, bits))]
    return w.node("Quant", ins, name, QONNX, **{"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **attrs})


def test_qonnx_operators(tmp_path: Path) -> None:
    """Quant in its options, BipolarQuant of weights and of a tensor, Trunc behind a pool, against qonnx's executor."""
    pytest.importorskip("qonnx", reason="qonnx, the oracle, is not installed")
    rng, w = np.random.default_rng(0), Writer()
    x = quant(w, "x", "in", 0.125, 6)
    weight = w.constant(rng.standard_normal((4, 3, 3, 3)).astype(np.float32))
    signs = w.node("BipolarQuant", [weight, w.constant(np.float32(0.5))], "signs", QONNX)
    w.node("Conv", [x, signs], "conv", pads=[1, 1, 1, 1])
    w.node("Relu", ["conv"], "relu")
    u = quant(w, "relu", "u", 0.25, 5, signed=0, rounding_mode="FLOOR")
    w.node("AveragePool", [u], "pool", kernel_shape=[2, 2], strides=[2, 2])
    w.node("Mul", ["pool", w.constant(np.float32(4.0))], "sum")
    narrow = quant(w, "sum", "narrow", 0.5, 5, narrow=1)
    w.node("BipolarQuant", [narrow, w.constant(np.float32(0.25))], "y", QONNX)
    path = qonnx_file(tmp_path / "a.onnx", w, (1, 3, 6, 6))
    sample = rng.standard_normal((8, 3, 6, 6)).astype(np.float32)
    net = load(path)
    np.testing.assert_array_equal(net.run(sample), executed(path, sample))

    w = Writer()
    quant(w, "x", "in", 0.125, 8, signed=0)
    w.node("Trunc", ["in", *(w.constant(np.float32(v)) for v in (0.125, 0, 8, 5))], "y", QONNX, rounding_mode="FLOOR")
    path = qonnx_file(tmp_path / "b.onnx", w, (1, 40))
    sample = (np.arange(40, dtype=np.float32) / 1.3)[None]
    assert isinstance(load(path).values[load(path).outputs[0]].format, FixedPoint)
    shrunk = np.floor(np.clip(np.rint(sample / 0.125), 0, 255) / 8) * 0.125
    np.testing.assert_array_equal(load(path).run(sample), shrunk)


def float_quant(w: Writer, x: str, name: str, numbers: tuple[float, ...], **attrs: Any) -> str:
    """A FloatQuant node: scale, exponent and mantissa bits, bias, greatest number."""
    more = {"has_inf": 0, "has_nan": 0, "has_subnormal": 1, "saturation": 1, "rounding_mode": "ROUND", **attrs}
    return w.node("FloatQuant", [x, *(w.constant(np.float32(v)) for v in numbers)], name, QONNX, **more)


def test_float_quant_is_a_minifloat(tmp_path: Path) -> None:
    rng, w = np.random.default_rng(1), Writer()
    x = float_quant(w, "x", "in", (0.5, 4, 3, 7, 480))
    weight = w.constant(rng.standard_normal((5, 6)).astype(np.float32))
    weight = float_quant(w, weight, "w", (0.25, 2, 1, 1, 6))
    w.node("Gemm", [x, weight], "gemm", transB=1)
    float_quant(w, "gemm", "y", (1.0, 3, 2, 3, 28))
    net = load(qonnx_file(tmp_path / "a.onnx", w, (1, 6)))
    (node,) = net.nodes
    formats = [net.values[n].format for n in (*node.inputs, *node.outputs)]
    assert formats == [Minifloat(4, 3, scale=-1), Minifloat(2, 1, scale=-2), Minifloat(3, 2)]
    sample = rng.standard_normal((20, 6)).astype(np.float32)
    real = net.values[net.inputs[0]].format.decode(codes := np.asarray(net.trace(sample)[net.inputs[0]]))
    weights = formats[1].decode(net.values[node.inputs[1]].data)
    wanted = formats[2].quantize(real @ weights.T, "half_even")
    assert codes.shape == (20, 6)
    np.testing.assert_array_equal(codes_out(net, sample)[0], wanted)

    w = Writer()
    float_quant(w, "x", "y", (1.0, 4, 3, 7, 300))
    with pytest.raises(UnsupportedError, match=r"FloatQuant y: E4M3 with bias 7: its greatest number is 300"):
        load(qonnx_file(tmp_path / "b.onnx", w, (1, 6)))


def test_brevitas_fp8_networks_equal_their_module(tmp_path: Path) -> None:
    """FloatQuant as Brevitas exports it; sums of products of E4M3 are exact here and in float64."""
    pytest.importorskip("onnxscript", reason="Brevitas exports with onnxscript, which is not installed")
    pytest.importorskip("onnxoptimizer", reason="Brevitas exports with onnxoptimizer, which is not installed")
    from brevitas import nn as qnn
    from brevitas.inject.enum import RestrictValueType
    from brevitas.quant.float_quant_ocp import Fp8e4m3OCPActPerTensorFloat, Fp8e4m3OCPWeightPerTensorFloat

    power = RestrictValueType.POWER_OF_TWO

    def identity() -> Any:
        return qnn.QuantIdentity(act_quant=Fp8e4m3OCPActPerTensorFloat, restrict_scaling_type=power)

    torch.manual_seed(0)
    weight = {"weight_quant": Fp8e4m3OCPWeightPerTensorFloat, "weight_restrict_scaling_type": power}
    convolution = qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, **weight)
    model = nn.Sequential(identity(), convolution, nn.ReLU(), identity()).train()
    with torch.no_grad():
        for seed in range(8):
            model(torch.from_numpy(samples(4, seed)))
    model.eval()
    net = load(exported(model, tmp_path / "fp8.onnx", "qonnx"))
    assert {str(v.format).partition("*")[0] for v in net.values.values()} == {"e4m3-ocp"}
    x = samples(8, 20)
    with torch.no_grad():
        wanted = model.double()(torch.from_numpy(x).double()).numpy()
    assert len(np.unique(wanted)) > 20
    np.testing.assert_array_equal(net.run(x), wanted)


def test_float_networks_are_told_what_to_do(float_model: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"float\.onnx: is a float network.*calibrate=data"):
        edgeq.load(float_model)


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    w = Writer()
    w.quantised("x", 0.5, 0)
    w.node("LSTM", ["x_dq", "x_dq", "x_dq"], "cell", hidden_size=3)
    w.node("NonZero", ["x_dq"], "where")
    w.node("Strange", ["x_dq"], "odd", "my.domain")
    path = w.save(tmp_path / "a.onnx", {"x": (np.float32, (1, 4))}, {"odd": np.float32})
    with pytest.raises(
        UnsupportedError, match=r"LSTM \(1: cell\); NonZero \(1: where\); my\.domain\.Strange \(1: odd\)"
    ):
        load(path)
    assert [m.op for m in missing(read(path))] == ["LSTM", "NonZero", "my.domain.Strange"]


def test_what_is_not_quantised_is_named(tmp_path: Path) -> None:
    w = Writer()
    x = w.quantised("x", 0.037, 3)
    weight = w.dequantised(np.arange(-30, 30, dtype=np.int8).reshape(5, 12), np.full(5, 0.1) * [1, 2, 3, 4, 5], 0)
    w.node("Gemm", [x, weight], "gemm", transB=1)
    w.node("Sigmoid", ["gemm"], "s")
    path = w.save(tmp_path / "a.onnx", {"x": (np.float32, (1, 12))}, {"s": np.float32})
    with pytest.raises(UnsupportedError, match=r"Sigmoid s: reads gemm, which is not quantised in between"):
        load(path)


def test_a_survey_names_every_node_that_is_in_the_way(tmp_path: Path, float_model: Path) -> None:
    """Two layers that are not read, independent of each other, are both named; a float file is to be calibrated."""
    w = Writer()
    x = w.quantised("x", 0.5, 0)
    w.node("Cast", [x], "cast", to=onnx.TensorProto.INT32)
    w.node("Softmax", [x], "soft", axis=0)
    w.node("Relu", ["soft"], "behind")
    w.node("Relu", [x], "fine")
    path = w.save(tmp_path / "a.onnx", {"x": (np.float32, (1, 4))}, {"fine": np.float32})
    found = survey(path)
    assert found is not None
    assert {h.tensor for use in found.operators for h in use.hindrances} == {"cast", "soft"}
    assert found.missing == 2
    other = survey(float_model)
    assert other is not None
    assert (other.missing, other.floats) == (0, len(read(float_model).operations))


def test_shape_arithmetic_of_exporters_is_folded(tmp_path: Path) -> None:
    """Shape, Gather, Concat and a Reshape by what they make, with an open batch."""
    w = Writer()
    x = w.quantised("x", 0.0625, 0)
    w.node("Shape", [x], "shape")
    w.node("Gather", ["shape", w.constant(np.array([0]))], "batch", axis=0)
    w.node("Concat", ["batch", w.constant(np.array([-1]))], "wanted", axis=0)
    w.node("Reshape", [x, "wanted"], "flat")
    w.quantised("flat", 0.125, 0)
    path = w.save(tmp_path / "a.onnx", {"x": (np.float32, ("N", 2, 3, 4))}, {"flat_dq": np.float32})
    net = load(path)
    x = np.random.default_rng(0).standard_normal((5, 2, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(net.run(x), onnxruntime_run(path, x)[0])


def test_a_network_becomes_firmware(float_model: Path, tmp_path: Path) -> None:
    """Quantised by onnxruntime, as C on this machine: every tensor equals the emulator's."""
    from onnxruntime.quantization import QuantFormat, QuantType

    path = calibrated(
        float_model, tmp_path / "q.onnx", samples(16), quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8, per_channel=True,
    )  # fmt: skip
    net = load(path)
    assert edgeq.verify(net, "host", random=8).equal


def test_batch_normalisation_is_a_factor_and_a_bias(tmp_path: Path) -> None:
    rng, w = np.random.default_rng(2), Writer()
    x = w.quantised("x", 0.0625, 0)
    scale, shift, mean = (rng.standard_normal(4).astype(np.float32) for _ in range(3))
    variance = rng.uniform(0.5, 2, 4).astype(np.float32)
    w.node("BatchNormalization", [x, *(w.constant(v) for v in (scale, shift, mean, variance))], "bn")
    w.quantised("bn", 0.125, 0)
    path = w.save(tmp_path / "a.onnx", {"x": (np.float32, (1, 4, 5, 5))}, {"bn_dq": np.float32})
    sample = (rng.integers(-100, 100, (16, 4, 5, 5)) / 16).astype(np.float32)
    apart = (load(path).run(sample) - onnxruntime_run(path, sample)[0]) / 0.125
    assert np.abs(apart).max() <= 1
    assert (apart != 0).mean() < 0.01
    assert numpy_helper.to_array(onnx.load(path).graph.initializer[0]).size == 1
