"""add: two streams joined element by element, then the output stage."""

from edgeq.fpga.ops._join import lower_join as lower

__all__ = ["lower"]
