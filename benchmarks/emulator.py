"""Speed of the emulator beside the Brevitas eval forward of the same network: one thread, one run, interleaved.

    python benchmarks/emulator.py [--seconds 5] [--batch 1 16 128] [--only resnet8] [--json]

Every row first checks that both give the same numbers. Times are the best of many turns, taken in turn so that the
noise of a busy machine meets both; CPU time of the process and wall-clock time are both reported. Exit 1 where the
emulator is slower than the forward.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import edgeq
from edgeq.emulator import executor


class ResNet8(nn.Module):
    """The residual network of MLPerf Tiny, for 32x32 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList([Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)])
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(x))) + self.shortcut(x))


def mobilenet() -> nn.Module:
    """Depthwise-separable layers for 32x32 images."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU()]
    channels = 16
    for outputs, stride in ((32, 1), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        layers += [nn.Conv2d(channels, channels, 3, stride, 1, groups=channels), nn.ReLU6()]
        layers += [nn.Conv2d(channels, outputs, 1), nn.ReLU6()]
        channels = outputs
    return nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(channels, 10))


def digits() -> nn.Module:
    """A small convolutional network for 8x8 images."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def wrist() -> nn.Module:
    """1-D convolutions over three axes of an accelerometer."""
    return nn.Sequential(
        nn.Conv1d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv1d(16, 32, 5, 2, 2), nn.ReLU(), nn.Conv1d(32, 32, 3, padding=1),
        nn.ReLU(), nn.AvgPool1d(4), nn.Flatten(), nn.Linear(32 * 8, 6),
    )  # fmt: skip


#: BLAS libraries read their number of threads from the environment, when they are loaded
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

#: name -> (float network, shape of a sample, recipe)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, Any]]] = {
    "resnet8 w8a8": (ResNet8, (3, 32, 32), {"weights": 8, "activations": 8}),
    "resnet8 w4a4": (ResNet8, (3, 32, 32), {"weights": 4, "activations": 4}),
    "mobilenet w8a8": (mobilenet, (3, 32, 32), {"weights": 8, "activations": 8}),
    "digits w8a8": (digits, (1, 8, 8), {"weights": 8, "activations": 8}),
    "digits e4m3": (digits, (1, 8, 8), {"weights": "e4m3", "activations": "e4m3"}),
    "digits e2m1": (digits, (1, 8, 8), {"weights": "e2m1", "activations": "e2m1"}),
    "wrist w8a8": (wrist, (3, 128), {"weights": 8, "activations": 8}),
}


def prepared(name: str) -> tuple[nn.Module, edgeq.Graph, tuple[int, ...]]:
    """The calibrated Brevitas module, its graph, and the shape of a sample."""
    make, shape, recipe = NETWORKS[name]
    torch.manual_seed(0)
    module = edgeq.prepare(make().eval(), recipe)
    edgeq.calibrate(module, [torch.randn(64, *shape)])
    return module.eval(), edgeq.export(module, torch.randn(1, *shape)), shape


def measure(name: str, batch: int, seconds: float) -> dict[str, Any]:
    """One row of the table."""
    module, graph, shape = prepared(name)
    x = torch.randn(batch, *shape)
    array = x.numpy()
    with torch.inference_mode():
        equal = bool(np.array_equal(np.asarray(_plain(module(x)), np.float64), graph.run(array)))
        best = race({"brevitas": lambda: module(x), "emulator": lambda: graph.run(array)}, seconds)
    wall, cpu = ({k: v[i] for k, v in best.items()} for i in (0, 1))
    return {
        "network": name,
        "batch": batch,
        "equal": equal,
        "brevitas_ms": wall["brevitas"],
        "emulator_ms": wall["emulator"],
        "brevitas_cpu_ms": cpu["brevitas"],
        "emulator_cpu_ms": cpu["emulator"],
        "speedup": cpu["brevitas"] / cpu["emulator"],
        "arithmetic": dict(Counter(executor(graph).arithmetic.values())),
    }


def _plain(out: Any) -> Tensor:
    """The tensor of a Brevitas output."""
    value: Tensor = getattr(out, "value", out)
    return value


def race(contenders: dict[str, Callable[[], object]], seconds: float) -> dict[str, tuple[float, float]]:
    """Best wall and CPU milliseconds of each contender, taken in turn for `seconds`."""
    best = {name: (float("inf"), float("inf")) for name in contenders}
    for run in contenders.values():
        run()
    end, turns = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or turns < 5:
        for name, run in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            took = (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3
            best[name] = min(best[name][0], took[0]), min(best[name][1], took[1])
        turns += 1
    return best


def main() -> int:
    """Measure and print; 1 where a row is not equal or the emulator is slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each row")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16, 128])
    parser.add_argument("--only", default="", help="part of the names of the networks to measure")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    args = parser.parse_args()
    if any(os.environ.get(k) != v for k, v in _ONE_THREAD.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_ONE_THREAD})
    torch.set_num_threads(1)
    rows = []
    say = print if not args.json else lambda *a: print(*a, file=sys.stderr)
    say(f"{'network':16} {'batch':>5} {'equal':>5} {'brevitas':>9} {'emulator':>9} {'brevitas':>9} {'emulator':>9}")
    say(f"{'':28} {'wall ms':>9} {'wall ms':>9} {'CPU ms':>9} {'CPU ms':>9} {'faster':>7}")
    for name in (n for n in NETWORKS if args.only in n):
        for batch in args.batch:
            r = measure(name, batch, args.seconds)
            rows.append(r)
            say(
                f"{name:16} {batch:5} {r['equal']!s:>5} {r['brevitas_ms']:9.2f} {r['emulator_ms']:9.2f} "
                f"{r['brevitas_cpu_ms']:9.2f} {r['emulator_cpu_ms']:9.2f} {r['speedup']:6.2f}x"
            )
    if args.json:
        print(json.dumps({"torch": torch.__version__, "numpy": np.__version__, "rows": rows}))
    return 0 if all(r["equal"] and r["speedup"] >= 1 for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
