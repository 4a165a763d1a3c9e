"""Windows drawn at random for tests of kernels: sizes, kernels, strides, paddings, dilations that fit together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Window = tuple[list[int], list[int], dict[str, Any]]


def convolution(rng: np.random.Generator, kernels: Sequence[int], most: int, dilations: Sequence[int] = (1,)) -> Window:
    """Sizes up to `most`, a kernel of one or two axes, strides 1 and 2, paddings up to the kernel's reach."""
    while True:
        kernel = [int(k) for k in rng.choice(kernels, size=1 if rng.integers(4) == 0 else 2)]
        dilation = [int(d) for d in rng.choice(dilations, size=len(kernel))]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        size = [int(rng.integers(1, most + 1)) for _ in kernel]
        pad = [int(p) for k in reach for p in rng.integers(0, k, size=2)]
        if all(n + pad[2 * i] + pad[2 * i + 1] >= k for i, (n, k) in enumerate(zip(size, reach, strict=True))):
            stride = tuple(int(s) for s in rng.integers(1, 3, size=len(kernel)))
            return size, kernel, {"stride": stride, "padding": tuple(pad), "dilation": tuple(dilation)}


def first(rng: np.random.Generator) -> Window:
    """What first layers of few channels have: taller kernels, now and then wide rows that need several strips."""
    size, kernel, geometry = convolution(rng, [1, 2, 3, 4, 5, 10], 12)
    if rng.integers(8) == 0:
        size[-1] = int(rng.integers(150, 300))
        if len(size) > 1:
            size[0] = kernel[0] + int(rng.integers(0, 2))
    geometry["stride"] = tuple(int(s) for s in rng.integers(1, 4, size=len(kernel)))
    return size, kernel, geometry


def pool(rng: np.random.Generator) -> Window:
    """Windows of up to 3 by 3, now and then 16 by 16, that see an element wherever they lie."""
    kernel = [int(k) for k in (rng.integers(1, 4, size=int(rng.integers(1, 3))) if rng.integers(8) else (16, 16))]
    size = [k + int(rng.integers(0, 4)) for k in kernel]
    pad = tuple(int(p) for k in kernel for p in rng.integers(0, (k + 1) // 2, size=2))
    stride = tuple(int(s) for s in rng.integers(1, 3, size=len(kernel)))
    return size, kernel, {"kernel": tuple(kernel), "stride": stride, "padding": pad}
