"""Which kernels with DSP run operators whose scales are no power of two."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.mcu.ops import _dsp_first, _dsp_scaled, _dsp_scaled_bytes
from edgeq.mcu.ops._dsp import DSP
from edgeq.mcu.select import Call, Context, Variant


def _variant(
    kernel: str, gain: str, supports: Callable[[Context], str | None], call: Callable[[Context], Call]
) -> Variant:
    return Variant(DSP, kernel, gain, supports, call)


_SUM = (
    _variant(
        "add_scaled_dsp", "two SMLAW for each element", _dsp_scaled_bytes.supports_line, _dsp_scaled_bytes.by_line
    ),
    _variant(
        "add_table_dsp", "a table for each operand", _dsp_scaled_bytes.supports_tables, _dsp_scaled_bytes.by_tables
    ),
)

#: operator -> its kernels with DSP, best first
DSP_SCALED: dict[str, tuple[Variant, ...]] = {
    "add": _SUM,
    "average_pool": (
        _variant(
            "average_pool_scaled_dsp",
            "four channels at a time, SXTAB16",
            _dsp_scaled_bytes.supports_average_pool,
            _dsp_scaled_bytes.average_pool,
        ),
    ),
    "conv": (
        _variant(
            "conv_depthwise_scaled_dsp",
            "four channels, two taps in one SMLAD",
            _dsp_scaled.supports_depthwise,
            _dsp_scaled.depthwise,
        ),
        _dsp_first.CONV,
        _variant("conv_scaled_dsp", "two pixels by four channels, SMLAD", _dsp_scaled.supports_conv, _dsp_scaled.conv),
    ),
    "linear": (
        _variant("linear_scaled_dsp", "four outputs at a time, SMLAD", _dsp_scaled.supports_linear, _dsp_scaled.linear),
        _variant("conv_scaled_dsp", "two rows by four outputs, SMLAD", _dsp_scaled.byte_matrix, _dsp_scaled.rows),
    ),
    "mul": (
        _variant("mul_scaled_dsp", "four elements at a time", _dsp_scaled_bytes.supports_mul, _dsp_scaled_bytes.mul),
    ),
    "requantise": (
        _variant("table", "one look-up for each element", _dsp_scaled_bytes.supports_table, _dsp_scaled_bytes.table),
    ),
    "sub": _SUM,
}
