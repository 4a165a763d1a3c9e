"""conv_transpose in C: each output gathers the inputs that reach it."""

from __future__ import annotations

from edgeq.mcu.ops._groups import expanded
from edgeq.mcu.ops._matrix import matrix_fixed, matrix_params, matrix_stage
from edgeq.mcu.ops._window import geometry
from edgeq.mcu.select import PORTABLE, Call, Context, Variant, always


def _generic(ctx: Context) -> Call:
    ctx = expanded(ctx)
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    sizes = {"in_c": x.shape[-1], "out_c": weight.shape[0], "groups": ctx.node.integer("groups")}
    params = {**geometry(ctx, weight.shape[1:-1]), **sizes, **matrix_params(ctx, made)}
    return Call(matrix_fixed(ctx, made), params, (x.name,))


VARIANTS = (Variant(PORTABLE, "conv_transpose", "four output channels share each input", always, _generic),)
