"""What fixed point and affine have in common: codes are integers of some width, in two's complement or unsigned."""

from __future__ import annotations

from abc import ABC

from edgeq.formats.format import Format


class IntegerFormat(Format, ABC):
    """A format whose codes are all integers of `width` bits; `sign` says whether they are in two's complement."""

    width: int
    sign: bool
    axis: int | None

    @property
    def bits(self) -> int:
        return self.width

    @property
    def channel_axis(self) -> int | None:
        return self.axis

    @property
    def signed(self) -> bool:
        return self.sign

    @property
    def code_range(self) -> tuple[int, int]:
        if self.sign:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1
