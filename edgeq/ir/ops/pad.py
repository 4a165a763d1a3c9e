"""pad: elements added around a tensor: one code, reflected, replicated or circular."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir.graph import Node, Shape, Value
from edgeq.ir.operator import Codes, Movement

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Pad(Movement):
    """x -> x with `padding` elements on each side of each axis."""

    name = "pad"
    operands = ("x",)
    attributes = {
        "padding": "elements added (begin, end) for each axis without the batch, flattened",
        "mode": f"one of {', '.join(MODES)}",
        "value": "grid integer that mode constant fills with",
    }

    def shapes(self, node: Node, ins: Sequence[Value]) -> tuple[Shape, ...]:
        shape, padding, mode = ins[0].shape, node.ints("padding"), node.text("mode")
        if mode not in MODES:
            raise self.fail(node, f"mode {mode!r} is not one of {', '.join(MODES)}")
        if len(padding) != 2 * len(shape) or any(p < 0 for p in padding):
            raise self.fail(node, f"padding {padding} must be two ints of at least 0 for each axis of {shape}")
        for i, n in enumerate(shape):
            most = n - 1 if mode == "reflect" else n if mode == "circular" else None
            if most is not None and max(padding[2 * i : 2 * i + 2]) > most:
                raise self.fail(node, f"{mode} padding {padding} is wider than axis {i} of {shape} allows")
        return (tuple(n + padding[2 * i] + padding[2 * i + 1] for i, n in enumerate(shape)),)

    def rule(self, node: Node, ins: Sequence[Value], outs: Sequence[Value]) -> None:
        super().rule(node, ins, outs)
        fmt, value = ins[0].format, node.integer("value", 0)
        lo, hi = fmt.grid_range
        if not lo <= value <= hi or int(fmt.to_grid(fmt.from_grid(np.array([value])))[0]) != value:
            raise self.fail(node, f"fill value {value} is not on the grid of {fmt}")

    def move(self, node: Node, value: Value, codes: Codes) -> Codes:
        padding, mode = node.ints("padding"), node.text("mode")
        width = [(0, 0)] + [(padding[i], padding[i + 1]) for i in range(0, len(padding), 2)]
        if mode != "constant":
            return np.pad(codes, width, mode=MODES[mode])  # type: ignore[call-overload, no-any-return]
        fill = int(value.format.from_grid(np.array([node.integer("value", 0)], dtype=np.int64))[0])
        return np.pad(codes, width, constant_values=fill)
