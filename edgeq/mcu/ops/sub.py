"""sub in C: element-wise difference with broadcasting, in place where an operand has the output's size."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.mcu.ops import _dsp_bytes, _mve_elements, _sum_map
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.ops._elementwise import elementwise
from edgeq.mcu.ops._inplace import elementwise_inplace
from edgeq.mcu.ops._packed import packed
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always


def inplace_candidates(graph: Graph, node: Node) -> tuple[int, ...]:
    """y may lie over an operand of its own size whose elements are no narrower."""
    return elementwise_inplace(graph, node)


def _generic(ctx: Context) -> Call:
    return elementwise(ctx, product=False)


_DSP = Variant(DSP, "add_dsp", "four elements at a time, SMLAD", _dsp_bytes.supports_sum, _dsp_bytes.sub)

VARIANTS = (
    _mve_elements.LINE,
    _DSP,
    packed(_DSP),
    _sum_map.SUM,
    Variant(PORTABLE, "sub", "one element at a time", always, _generic),
)
