"""How far imported .onnx networks are from onnxruntime: codes that differ and by how much; results/onnx_distance.json.

    python benchmarks/onnx_distance.py             1,000 inputs for each network
    python benchmarks/onnx_distance.py --record    and keep the figures

Small networks, trained by nobody, are quantised by onnxruntime (QDQ and operators on codes; signed with scales per
channel, unsigned with one) and exported by Brevitas (QCDQ, powers of two). Each is compared with onnxruntime as it runs
by default, where it fuses quantised operators, and without its optimisations, where it computes in float32 between
QuantizeLinear and DequantizeLinear: two executions of one file by one program that differ from each other, too, which
the last column shows.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from frontends.onnx_models import calibrated, codes_out, onnxruntime_run  # noqa: E402
from frontends.test_onnx_models import Small, brevitas_network, exported  # noqa: E402
from torch import nn  # noqa: E402

from edgeq.formats import Affine  # noqa: E402
from edgeq.frontends.onnx import load  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "onnx_distance.json"


class Plain(nn.Module):
    """Convolutions, a residual and a head: nothing that makes ties."""

    def __init__(self, last: nn.Module | None = None) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.residual = nn.Conv2d(16, 16, 3, padding=1)
        self.head = nn.Linear(16 * 16, 10)
        self.last = last or nn.Identity()

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.stem(x))
        x = torch.relu(self.pointwise(torch.relu(self.depthwise(x))))
        x = torch.relu(x + self.residual(x))
        return self.last(self.head(nn.functional.max_pool2d(x, 2).flatten(1)))


NETWORKS = {"plain": Plain, "average pool": Small, "softmax": lambda: Plain(nn.Softmax(-1))}


def samples(count: int, seed: int) -> np.ndarray:
    """Images of normal numbers."""
    return np.random.default_rng(seed).standard_normal((count, 3, 16, 16)).astype(np.float32)


def files(folder: Path) -> dict[str, Path]:
    """Every network in every style."""
    from onnxruntime.quantization import QuantFormat, QuantType

    found = {}
    for name, make in NETWORKS.items():
        torch.manual_seed(0)
        source = folder / "float.onnx"
        torch.onnx.export(make().eval(), torch.zeros(1, 3, 16, 16), str(source), dynamo=False, input_names=["x"])
        for style in (QuantFormat.QDQ, QuantFormat.QOperator):
            for kind, channels in ((QuantType.QInt8, True), (QuantType.QUInt8, False)):
                label = f"{name}, {style.name}, {kind.name}"
                found[label] = calibrated(
                    source, folder / f"{len(found)}.onnx", samples(32, 1), quant_format=style, activation_type=kind,
                    weight_type=kind, per_channel=channels,
                )  # fmt: skip
    for weights, activations in ((8, 8), (4, 4), (2, 6)):
        label = f"Brevitas QCDQ, W{weights}A{activations}, powers of two"
        found[label] = exported(brevitas_network(weights, activations, True), folder / f"{len(found)}.onnx", "qcdq")
    return found


def distance(path: Path, count: int) -> dict[str, Any]:
    """Shares of output codes that differ from onnxruntime, and the greatest difference in codes."""
    net, x = load(path), samples(count, 2)
    fmt = net.values[net.outputs[0]].format
    ours = codes_out(net, x)[0].astype(np.int64)
    theirs = []
    for optimised in (True, False):
        real = onnxruntime_run(path, x, optimised=optimised)[0].astype(np.float64)
        step = fmt.scale if isinstance(fmt, Affine) else 2.0**-fmt.frac  # type: ignore[operator]
        theirs.append(np.rint(real / step).astype(np.int64) + getattr(fmt, "zero_point", 0))
    pairs = {"default": (ours, theirs[0]), "unoptimised": (ours, theirs[1]), "between": (theirs[0], theirs[1])}
    found: dict[str, Any] = {"codes": int(ours.size)}
    for label, (a, c) in pairs.items():
        found[label] = {"differ": int((a != c).sum()), "most": int(np.abs(a - c).max())}
    return found


def main() -> int:
    """Measure all networks and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--samples", type=int, default=1000)
    options.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    rows = {}
    print(f"{'network':44} {'codes':>7} {'default':>14} {'unoptimised':>14} {'their two':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for label, path in files(Path(folder)).items():
            row = rows[label] = distance(path, chosen.samples)
            shown = [
                f"{100 * row[k]['differ'] / row['codes']:.2f} % by {row[k]['most']}"
                for k in ("default", "unoptimised", "between")
            ]
            print(f"{label:44} {row['codes']:>7} {shown[0]:>14} {shown[1]:>14} {shown[2]:>14}")
    if chosen.record:
        found = {"onnxruntime": onnxruntime.__version__, "samples": chosen.samples, "networks": rows}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
