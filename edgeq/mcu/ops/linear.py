"""linear in C: rows times constant weights."""

from __future__ import annotations

from edgeq.mcu.ops import (
    _dsp,
    _dsp_fields,
    _dsp_narrow,
    _groups,
    _khot,
    _lanes,
    _mve_narrow,
    _mve_scaled,
    _packed,
    _scalar,
    _scalar_narrow,
)
from edgeq.mcu.ops._matrix import matrix_fixed, matrix_params, matrix_stage
from edgeq.mcu.select import PORTABLE, Call, Context, Variant


def _generic(ctx: Context) -> Call:
    ctx = _groups.expanded(ctx)
    made, x, weight = matrix_stage(ctx), ctx.ins[0], ctx.ins[1]
    outputs, inputs = weight.shape
    sizes = {"rows": x.size // inputs, "inputs": inputs, "outputs": outputs}
    return Call(matrix_fixed(ctx, made), {**sizes, **matrix_params(ctx, made)}, (x.name,))


#: convolutions of one tap that also run rows whose codes share bytes
_PACKED = (_dsp.CONV, _dsp_narrow.CONV, _scalar.CONV[1], _scalar_narrow.CONV)

VARIANTS = (
    _mve_scaled.LINEAR,
    _mve_scaled.ROWS,
    _mve_scaled.ANY_ROWS,
    _mve_narrow.CONV,
    _lanes.VECTOR_LINEAR,
    _dsp_fields.ROWS,
    *map(_packed.packed, (_mve_scaled.CONV, _mve_narrow.CONV)),
    _dsp.VECTOR,
    Variant(_dsp.DSP, "conv_dsp", "two rows by four outputs, SMLAD", _dsp.bytes_by_bytes, _dsp.rows),
    _dsp_narrow.LINEAR,
    *_scalar.LINEAR,
    _scalar_narrow.CONV,
    _packed.packed(_dsp.VECTOR, as_conv=False),
    *map(_packed.packed, _PACKED),
    _lanes.LINEAR,
    _khot.LINEAR,
    *_groups.CONV,
    Variant(PORTABLE, "linear", "four outputs at a time", _groups.in_words, _generic),
)
