"""Kernels for scales that are no power of two: bilinear resizing."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.mcu.ops import resize_bilinear
from edgeq.mcu.select import Variant

#: operator -> its kernels for scales that are no power of two, best first
OTHERS: dict[str, Sequence[Variant]] = {
    "resize_bilinear": resize_bilinear.SCALED,
}
