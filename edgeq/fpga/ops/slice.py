"""slice: a frame buffer read in another order."""

from edgeq.fpga.ops._movement import lower_movement as lower

__all__ = ["lower"]
