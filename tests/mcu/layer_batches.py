"""Batches of convolutions, depthwise ones and linear layers of every size, by what adds one layer to a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.mcu import windows
from tests.mcu.dsp_cases import CHANNELS, Batch

#: adds a node: batch, operator, shape of x, shape of the weights, attributes; what is no legal node it leaves out
Add = Callable[..., None]
#: operator -> the batch of a seed with so many nodes
Batches = dict[str, Callable[[int, int], Batch]]


def layer_batches(name: str, add: Add, kernels: Sequence[int], depthwise_channels: Sequence[int], rows: int) -> Batches:
    """Kernels of 1 to 5, strides, paddings up to the kernel, every rest of channels and pixels; up to `rows` rows."""

    def conv(seed: int, count: int) -> Batch:
        batch = Batch(f"{name}_convs", seed)
        rng = batch.rng
        while len(batch.outputs) < count:
            channels, filters = int(rng.choice(CHANNELS)), int(rng.choice(CHANNELS))
            size, kernel, geometry = windows.convolution(rng, kernels, 7)
            add(batch, "conv", [*size, channels], [filters, *kernel, channels], groups=1, **geometry)
        return batch

    def depthwise(seed: int, count: int) -> Batch:
        batch = Batch(f"{name}_depthwise", seed)
        rng = batch.rng
        while len(batch.outputs) < count:
            channels = int(rng.choice(depthwise_channels))
            size, kernel, geometry = windows.convolution(rng, [1, 2, 3, 3, 5], 7, [1, 1, 2])
            add(batch, "conv", [*size, channels], [channels, *kernel, 1], groups=channels, **geometry)
        return batch

    def linear(seed: int, count: int) -> Batch:
        batch = Batch(f"{name}_linears", seed)
        rng = batch.rng
        while len(batch.outputs) < count:
            inputs, outputs = int(rng.choice((*CHANNELS, 33, 70))), int(rng.choice(CHANNELS))
            shape = ([inputs], [1, inputs], [int(rng.integers(2, rows + 1)), inputs])[int(rng.integers(3))]
            add(batch, "linear", shape, [outputs, inputs])
        return batch

    return {"conv": conv, "depthwise": depthwise, "linear": linear}
