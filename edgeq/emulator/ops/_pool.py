"""Windows of pools, one axis after the other: sums and maxima are separable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried


def pool(
    x: Carried,
    ufunc: np.ufunc,
    fill: float,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
) -> Carried:
    """`ufunc` over the windows of x (N, *spatial, C), as a new array (N, *out, C)."""
    rank = len(kernel)
    if any(padding):
        width = [(0, 0), *((padding[2 * i], padding[2 * i + 1]) for i in range(rank)), (0, 0)]
        x = np.pad(x, width, constant_values=fill)
    for axis in range(rank):
        x = _along(x, ufunc, axis + 1, kernel[axis], stride[axis], dilation[axis], out[axis])
    return x


def _along(x: Carried, ufunc: np.ufunc, axis: int, kernel: int, stride: int, dilation: int, out: int) -> Carried:
    """Combine the taps of one axis."""

    def tap(t: int) -> Carried:
        begin = t * dilation
        index = (slice(None),) * axis + (slice(begin, begin + stride * (out - 1) + 1, stride),)
        return x[index]

    if kernel == 1:
        return tap(0).copy()
    result: Carried = ufunc(tap(0), tap(1))
    for t in range(2, kernel):
        ufunc(result, tap(t), out=result)
    return result
