"""Lowering that operators of two operands share."""

from __future__ import annotations

from edgeq.ir.graph import Value
from edgeq.ir.operator import frac_of
from edgeq.mcu.ops._names import identifier
from edgeq.mcu.ops._stage import most_left, stage
from edgeq.mcu.ops._strides import broadcast, join, padded
from edgeq.mcu.select import Call, Context
from edgeq.mcu.step import Blob, Param
from edgeq.mcu.storage import storage, to_memory


def plain_constant(ctx: Context, value: Value, field: str) -> Param:
    """A constant operand as a plain array; 0, a null pointer, for one that is computed."""
    if value.data is None:
        return 0
    place = storage(value.format)
    name = f"{identifier(ctx.node.name)}_{field}"
    data = to_memory(value.data.reshape(-1), value.format)
    return Blob(name, place.ctype, data, f"constant {value.name} {value.shape}, {value.format}")


def elementwise(ctx: Context, *, product: bool = False, frac: int | None = None) -> Call:
    """Parameters of `eq_elementwise_t`; a product lies on the sum of the grids, a sum on the finer of them.

    frac: binary point of the exact result where it is neither; the caller then sets the shifts of both operands.
    """
    ins = ctx.ins
    fracs = [frac_of(v) for v in ins]
    product = product or frac is not None
    if frac is None:
        frac = sum(fracs) if product else max(fracs)
    made = stage(ctx, (frac,))
    shape, (a, b) = join(ctx.out.shape, *(broadcast(v.shape, ctx.out.shape) for v in ins))
    most = most_left(made.wide)
    params: dict[str, Param] = {
        "rank": len(shape),
        "shape": padded(shape),
        "a_stride": padded(a),
        "b_stride": padded(b),
        "a_shift": 0 if product else min(frac - fracs[0], most),
        "b_shift": 0 if product else min(frac - fracs[1], most),
        "shift": made.shifts[0],
        "start": made.starts[0],
        "lo": made.lo,
        "hi": made.hi,
        "a": plain_constant(ctx, ins[0], "a"),
        "b": plain_constant(ctx, ins[1], "b"),
    }
    types = tuple(storage(v.format).eq_type for v in ins)
    return Call((*types, *made.fixed), params, tuple(v.name for v in ins if not v.constant))
