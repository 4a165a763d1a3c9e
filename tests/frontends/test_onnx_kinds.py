"""Networks of many operators, quantised by onnxruntime: within one code of it, and the same as C on this machine."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.formats import Affine
from edgeq.frontends.onnx import load

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime, the oracle, is not installed")
torch = pytest.importorskip("torch", reason="the extra torch is not installed")

from frontends.onnx_models import calibrated, onnxruntime_run  # noqa: E402
from torch import nn  # noqa: E402


class Vision(nn.Module):
    """Functions by table, a transposed convolution, resizing, a join, a gate over channels."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)
        self.mix = nn.Conv2d(12, 6, 1)
        self.hidden, self.head = nn.Linear(6, 7), nn.Linear(7, 5)

    def forward(self, x: Any) -> Any:
        y = nn.functional.hardswish(self.conv(x))
        z = torch.cat([nn.functional.interpolate(y, scale_factor=2, mode="nearest"), torch.sigmoid(self.up(y))], 1)
        z = nn.functional.relu6(self.mix(z))
        z = z * torch.sigmoid(z.mean((2, 3), keepdim=True))
        z = nn.functional.adaptive_avg_pool2d(z, 1).flatten(1)
        return self.head(torch.tanh(self.hidden(z)))


class Attention(nn.Module):
    """A convolution over time, one head of attention with a residual, a mean."""

    shape = (4, 12)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 8, 3, padding=1)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.conv(x)).transpose(1, 2)
        scores = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) * 0.35, -1)
        return self.head((x + scores @ self.value(x)).mean(1))


@pytest.mark.heavy
@pytest.mark.parametrize("activations", ["QInt8", "QUInt8", "QInt16"])
@pytest.mark.parametrize("kind", [Vision, Attention])
def test_networks_of_many_kinds(tmp_path: Path, kind: Any, activations: str) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType

    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    source = tmp_path / "float.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            kind().eval(), torch.zeros(1, *kind.shape), str(source), dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    path = calibrated(
        source, tmp_path / "q.onnx", rng.standard_normal((24, *kind.shape)).astype(np.float32),
        quant_format=QuantFormat.QDQ, activation_type=QuantType[activations], weight_type=QuantType.QInt8,
        per_channel=True,
    )  # fmt: skip
    net = load(path)
    fmt = net.values[net.outputs[0]].format
    assert isinstance(fmt, Affine)
    x = rng.standard_normal((50, *kind.shape)).astype(np.float32)
    apart = np.rint((net.run(x) - onnxruntime_run(path, x, optimised=False)[0]) / fmt.scale)
    # Softmax of 16 bits is finer than its exponentials here; all else is one rounding.
    assert np.abs(apart).max() <= (1 if fmt.bits == 8 else 2)
    assert (apart != 0).mean() <= (0.05 if fmt.bits == 8 else 0.5)
    assert edgeq.verify(net, "host", random=3).equal
