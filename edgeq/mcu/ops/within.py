"""within in C: element after element, until one lies outside."""

from __future__ import annotations

import numpy as np

from edgeq.formats import Format, Minifloat
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always
from edgeq.mcu.step import Param
from edgeq.mcu.storage import storage


def _key(fmt: Format, grid: int) -> int:
    """`eq_key` of the code of a number."""
    code = int(fmt.from_grid(np.asarray(grid, dtype=np.int64)))
    if isinstance(fmt, Minifloat):
        sign = 1 << (fmt.bits - 1)
        return -(code - sign) if code >= sign else code
    return code - (1 << 31) if fmt.code_range[1] >= 1 << 31 else code


def _generic(ctx: Context) -> Call:
    x, node = ctx.ins[0], ctx.node
    params: dict[str, Param] = {
        "count": x.size,
        "least": _key(x.format, node.integer("least")),
        "most": _key(x.format, node.integer("most")),
    }
    return Call((storage(x.format).eq_type, storage(ctx.out.format).eq_type), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "within", "stops at the first number outside", always, _generic),)
