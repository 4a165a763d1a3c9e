"""Small random networks for the FPGA, each with a way to fold it: what an estimate was not fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.networks import ACTIVATION, Maker, maker
from edgeq.formats import FixedPoint
from edgeq.ir import Graph

#: every so many networks have multipliers for each channel, as .tflite files do
SCALED = 3


def random_network(seed: int) -> Graph:
    """A first convolution, one or two layers of any kind, a mean or the whole map, a linear layer; always the same."""
    rng, scaled = np.random.default_rng(seed), seed % SCALED == 0
    bits = 8 if scaled else int(rng.choice([2, 4, 5, 8]))
    width = int(rng.choice([4, 8]))
    activation = None if scaled else ACTIVATION if width == 8 else FixedPoint(4, 4)
    m: Maker = maker(f"random{seed}", bits, activation)
    size, depth, channels = int(rng.integers(8, 13)), int(rng.integers(1, 4)), int(rng.choice([4, 6, 8, 12, 16]))
    x = m.conv(m.input(size, size, depth), depth, channels, int(rng.choice([1, 3])), name="conv0")
    for layer in range(1, int(rng.integers(2, 4))):
        x, channels = _layer(m, rng, x, channels, layer)
    if rng.integers(2):
        x = m.node("mean", "pool", [x], axes=(0, 1), keep_axes=0)
        count = channels
    else:
        value = m.builder.values[x]
        count = value.size
        x = m.builder.node("reshape", "flat", [x], value.format, shape=(count,))
    return m.graph(m.linear(x, count, int(rng.integers(2, 11)), name="fc"))


def _layer(m: Maker, rng: np.random.Generator, x: str, channels: int, number: int) -> tuple[str, int]:
    """One more layer: a convolution, perhaps with a stride; a depthwise and a pointwise one; one beside a shortcut."""
    kind, name = int(rng.integers(4)), f"conv{number}"
    if kind == 1:
        x = m.conv(x, channels, channels, 3, name=f"{name}.depthwise", groups=channels)
    if kind == 3:
        y = m.conv(x, channels, channels, 3, name=name, relu=False)
        return m.node("add", f"sum{number}", [x, y], lo=0), channels
    more = int(rng.choice([4, 8, 16]))
    if kind == 2 and m.builder.values[x].shape[0] % 2 == 0:
        return m.conv(x, channels, more, 3, 2, (0, 1, 0, 1), name=name), more
    return m.conv(x, channels, more, 1 if kind == 1 else 3, name=name), more


def random_options(seed: int) -> dict[str, Any]:
    """How `edgeq.fpga.lower.lower` folds it: products in multiplier blocks, of every other network in logic."""
    rng = np.random.default_rng(1000 + seed)
    blocks = int(rng.choice([6, 8, 12, 20]))
    return {"dsps": max(6, blocks // 2), "style": "lut"} if seed % 2 else {"dsps": blocks}
