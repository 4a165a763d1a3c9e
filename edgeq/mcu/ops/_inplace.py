"""Which inputs a kernel may overwrite while it reads them, first element first, and what then has to wait."""

from __future__ import annotations

from dataclasses import replace

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import Call, Context
from edgeq.mcu.storage import storage


def elementwise_inplace(graph: Graph, node: Node) -> tuple[int, ...]:
    """Inputs of the output's size whose elements are at least as wide: element i is read before i is written."""
    out = graph.outs(node)[0]
    width = storage(out.format).bits
    return tuple(
        i
        for i, value in enumerate(graph.ins(node))
        if not value.constant and value.size == out.size and storage(value.format).bits >= width
    )


def hold(ctx: Context, ahead: int) -> int | None:
    """Pixels of y that must wait until y may roll over x; None where y is larger or more than a quarter would wait.

    For convolutions whose pixels are whole bytes.

    ahead: the kernel computes as many pixels at a time, and has read all of x that they need before it writes
    (0: one pixel, whose window is still needed).
    """
    x, out = ctx.ins[0], ctx.out
    each, made = storage(x.format).bits, storage(out.format).bits
    if ctx.apart or x.constant or x.size * each < out.size * made:
        return None
    sizes = {key: int(value) for key, value in geometry(ctx, ctx.ins[1].shape[1:-1]).items()}  # type: ignore[arg-type]
    in_bits, out_bits, width = x.shape[-1] * each, out.shape[-1] * made, sizes["out_w"]
    pixels = sizes["out_h"] * width
    step = max(ahead, 1)
    least = 0
    for at in range(0, pixels, step):
        row, column = divmod(at + ahead, width)
        if row >= sizes["out_h"]:
            break
        # The windows from here on begin at this one's first element, or at the first of the next row of windows.
        iy, ix = row * sizes["stride_h"] - sizes["pad_h"], column * sizes["stride_w"] - sizes["pad_w"]
        here = max(iy, 0) * sizes["in_w"] + max(ix, 0)
        below = max(iy + sizes["stride_h"], 0) * sizes["in_w"]
        free = min(here, below) * in_bits
        # Before pixel `at` is computed, pixels up to at - hold + step - 1 are written.
        least = max(least, at + step - free // out_bits)
    found = -(-max(least, 0) // step) * step
    return found if 4 * found <= max(pixels, 4) else None


def rolling(call: Call, waits: int | None, channels: int, field: str) -> Call:
    """The call with room for the pixels that wait, so many in parameter `field`; None: y never lies over x."""
    made = replace(call, params={**call.params, field: waits or 0}, scratch=call.scratch + (waits or 0) * channels)
    return made if waits is None else replace(made, overwrites=call.inputs[:1])
