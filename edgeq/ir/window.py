"""Sliding windows: sizes and padded views shared by convolutions and pools, for one or two spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.ir.graph import Node
from edgeq.ir.operator import Operator

#: what every window attribute means, for the operators' documentation
WINDOW_ATTRIBUTES = {
    "stride": "step along each spatial axis",
    "padding": "rows or columns added (begin, end) for each spatial axis, flattened",
    "dilation": "distance between taps along each spatial axis",
}


#: no window attribute is larger; damaged files ask for more than memory holds
MAX_WINDOW = (1 << 16) - 1


def check_window(op: Operator, node: Node, rank: int, keys: Sequence[str]) -> None:
    """Raise GraphError unless the window attributes have `rank` (padding: twice) sensible entries."""
    for key in keys:
        values = node.ints(key)
        want = 2 * rank if key == "padding" else rank
        least = 0 if key in ("padding", "output_padding") else 1
        if len(values) != want or any(not least <= v <= MAX_WINDOW for v in values):
            raise op.fail(node, f"{key} {values} must be {want} ints of {least} to {MAX_WINDOW}")


def out_sizes(
    op: Operator,
    node: Node,
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """Output sizes; GraphError where the window is larger than the padded input."""
    out = []
    for i, (n, k, s, d) in enumerate(zip(sizes, kernel, stride, dilation, strict=True)):
        padded = n + padding[2 * i] + padding[2 * i + 1]
        reach = d * (k - 1) + 1
        if reach > padded:
            raise op.fail(node, f"window of {reach} is larger than the padded input of {padded} on axis {i}")
        out.append((padded - reach) // s + 1)
    return tuple(out)


def taps(
    x: npt.NDArray[Any],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    out: Sequence[int],
    fill: int,
) -> list[tuple[tuple[int, ...], npt.NDArray[Any]]]:
    """For each tap of the window its index and the view (N, *out, C) of x (N, *spatial, C) that it sees."""
    # Not np.pad, which puts integers of 64 bits among Python's.
    sizes = [n + padding[2 * i] + padding[2 * i + 1] for i, n in enumerate(x.shape[1:-1])]
    padded = np.full((x.shape[0], *sizes, x.shape[-1]), fill, x.dtype)
    padded[(slice(None), *(slice(padding[2 * i], padding[2 * i] + n) for i, n in enumerate(x.shape[1:-1])))] = x
    found = []
    for tap in product(*(range(k) for k in kernel)):
        index = tuple(
            slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in zip(tap, dilation, stride, out, strict=True)
        )
        found.append((tap, padded[(slice(None), *index)]))
    return found
