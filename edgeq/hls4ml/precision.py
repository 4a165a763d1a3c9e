"""The types of the project: an ap_fixed for everything that hls4ml declares, none left to its own choice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeq.errors import UnsupportedError
from edgeq.formats import DEFAULT_RULE, FixedPoint
from edgeq.formats.overflow import DEFAULT_OVERFLOW
from edgeq.formats.rounding import AP_QUANTIZATION
from edgeq.ir import Node, Value
from edgeq.ir.operator import clamp_of, output_bounds
from edgeq.ir.ranges import signed_bits

#: rounding rule of the graph -> quantisation mode of ap_fixed
QUANTIZATION = {rule: mode for mode, rule in AP_QUANTIZATION.items()}
#: overflow mode of the graph -> that of ap_fixed
OVERFLOW = {"saturate": "AP_SAT", "wrap": "AP_WRAP", "zero": "AP_SAT_ZERO"}

#: least and greatest code
Clip = tuple[int, int]


@dataclass(frozen=True)
class ApType:
    """ap_fixed or ap_ufixed of `width` bits, `frac` of them behind the binary point (any integer)."""

    width: int
    frac: int
    sign: bool
    quantization: str = "AP_TRN"
    overflow: str = "AP_WRAP"

    def __str__(self) -> str:
        word = "ap_fixed" if self.sign else "ap_ufixed"
        return f"{word}<{self.width},{self.width - self.frac},{self.quantization},{self.overflow}>"

    @property
    def plain(self) -> ApType:
        """The same numbers, for what is only stored: no mode will ever act."""
        return replace(self, quantization="AP_TRN", overflow="AP_WRAP")


def holding(lo: int, hi: int, frac: int) -> ApType:
    """The least type that holds all of lo..hi on the grid 2^-frac, of two bits at least."""
    if lo < 0:
        return ApType(max(2, signed_bits(lo, hi)), frac, True)
    return ApType(max(2, hi.bit_length()), frac, False)


def type_of(value: Value) -> ApType:
    """The type that has exactly the codes of a fixed-point value; UnsupportedError for other formats."""
    fmt = value.format
    if not isinstance(fmt, FixedPoint) or not isinstance(fmt.point, int):
        why = "one scale that is a power of two" if fmt.kind == "affine" else "fixed point, one binary point a tensor"
        raise UnsupportedError(f"hls4ml: {value.name} is {fmt}; its types need {why}; build without --backend hls4ml")
    return ApType(fmt.width, fmt.point, fmt.sign)


def result_type(node: Node, out: Value) -> tuple[ApType, Clip | None]:
    """The type whose conversion is the output stage of a node, and the bounds that it does not clamp to (or None).

    Bounds that a narrower type has are that type's saturation: a fused ReLU is an unsigned type.
    """
    if "multiplier" in node.attrs:
        raise refusal(
            node, "it rescales by a multiplier, and a conversion of ap_fixed only shifts; export power-of-two"
        )
    own = type_of(out)
    mode = QUANTIZATION[node.text("rounding", DEFAULT_RULE)]
    overflow = node.text("overflow", DEFAULT_OVERFLOW)
    if overflow != DEFAULT_OVERFLOW:
        if clamp_of(node) != (None, None):
            raise refusal(node, f"it clamps and then overflows by {overflow!r}; one conversion of ap_fixed does one")
        return replace(own, quantization=mode, overflow=OVERFLOW[overflow]), None
    lo, hi = output_bounds(node, out.format)
    narrow = _saturating(lo, hi, own.frac, mode)
    if narrow is not None:
        return narrow, None
    return replace(own, quantization=mode, overflow="AP_SAT"), (lo, hi)


def clamping(own: ApType, clip: Clip) -> list[tuple[int, ApType]]:
    """Steps, each a number of grid steps to add and the type of the sum, that clamp numbers of `own` to any bounds.

    hls4ml has no layer for that, but every type saturates: the upper bound is moved to the end of a wider type and cut
    off there, then the lower bound to its other end, and then all is moved back.
    """
    (lo, hi), end = clip, 1 << own.width
    wide = ApType(own.width + 1, own.frac, True, overflow="AP_SAT")
    up, down, back = end - 1 - hi, hi - lo - 2 * end + 1, lo + end
    steps = [(up, wide), (down, wide), (back, holding(lo, hi, own.frac))]
    return [(add, kind) for add, kind in steps if add]


def product(a: ApType, b: ApType) -> ApType:
    """The type of a product, as ap_fixed has it."""
    return ApType(a.width + b.width, a.frac + b.frac, a.sign or b.sign)


def total(a: ApType, b: ApType) -> ApType:
    """A type no wider than that of a sum or difference."""
    frac = max(a.frac, b.frac)
    return ApType(max(a.width - a.frac, b.width - b.frac) + frac, frac, a.sign or b.sign)


def roundable(kind: ApType, result: ApType) -> ApType:
    """The type, so wide that it can be rounded to a result: ap_types asserts that no more bits go than there are."""
    dropped = kind.frac - result.frac
    return kind if result.quantization == "AP_TRN" else replace(kind, width=max(kind.width, dropped))


def expect_roundable(node: Node, kind: ApType, result: ApType) -> None:
    """UnsupportedError where a sum or product, whose type is not ours to choose, cannot be rounded to a result."""
    if roundable(kind, result) != kind:
        dropped = kind.frac - result.frac
        raise refusal(node, f"its result drops {dropped} bits of {kind.width}; hls4ml's ap_types asserts at that")


def _saturating(lo: int, hi: int, frac: int, mode: str) -> ApType | None:
    """The type that saturates to exactly lo..hi."""
    width = hi.bit_length()
    if hi + 1 != 1 << width or hi == 0:
        return None
    if lo == 0:
        return ApType(width, frac, False, mode, "AP_SAT")
    if lo == -hi - 1:
        return ApType(width + 1, frac, True, mode, "AP_SAT")
    return ApType(width + 1, frac, True, mode, "AP_SAT_SYM") if lo == -hi else None


def refusal(node: Node, reason: str) -> UnsupportedError:
    """One line about a layer that hls4ml cannot be given exactly."""
    return UnsupportedError(f"hls4ml: {node.label}: {reason}")
