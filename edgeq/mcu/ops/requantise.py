"""requantise in C: one element after the other, in place where the output is no wider."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.ir.operator import frac_of
from edgeq.mcu.ops import _dsp_bytes, _mve_elements
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._inplace import elementwise_inplace
from edgeq.mcu.ops._packed import packed
from edgeq.mcu.ops._stage import stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.storage import storage


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over x where its elements are no wider."""
    return elementwise_inplace(graph, node)


def _generic(ctx: Context) -> Call:
    x = ctx.ins[0]
    made = stage(ctx, (frac_of(x),))
    params = {"count": x.size, "shift": made.shifts[0], "start": made.starts[0], "lo": made.lo, "hi": made.hi}
    return Call((storage(x.format).eq_type, *made.fixed), params, (x.name,))


_DSP = Variant(DSP, "requantise_dsp", "four elements at a time, SMLAD", _dsp_bytes.supports_sum, _dsp_bytes.requantise)

VARIANTS = (
    _mve_elements.LOOK_UP,
    _DSP,
    packed(_DSP),
    Variant(PORTABLE, "requantise", "one element at a time", always, _generic),
)
