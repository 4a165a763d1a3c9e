"""What the matrix twins share: weights and bias in units of the output, windows as matrix rows, work in slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from edgeq.emulator.carrier import Carried, FloatType
from edgeq.emulator.kernel import Job, Scratch
from edgeq.emulator.stage import Stage
from edgeq.ir.ops._matrix import aligned_bias

#: temporaries of one slice of a batch stay about this small, so that they live in the second-level cache
SLICE_BYTES = 512 * 1024


def scaled_weight(job: Job, stage: Stage) -> Carried:
    """Weights (O, …) times the scale of their output channel: exact, a power of two."""
    w = job.grid(1).astype(stage.dtype)
    return w * stage.scale.reshape(-1, *(1,) * (w.ndim - 1))


def scaled_bias(job: Job, stage: Stage) -> Carried | None:
    """Bias and rounding constant in units of the output, one for each channel; None where both are zero."""
    channels = job.ins[1].shape[0]
    bias = np.zeros(channels, np.int64)
    if len(job.ins) > 2:
        bias = np.broadcast_to(aligned_bias(*job.ins), (channels,))
    offset = bias.astype(stage.dtype) * stage.scale + stage.offset
    return offset if offset.any() else None


def add_bias(out: Carried, bias: Carried | None) -> None:
    """Add a vector to the last axis, in place."""
    if bias is not None:
        wide = out.reshape(-1, bias.size)
        wide += bias


def spread(bias: Carried | None, shape: tuple[int, ...]) -> Carried | None:
    """A bias repeated along the axis before the channels, which makes long inner loops."""
    return None if bias is None else np.tile(bias, shape[-2] if len(shape) > 1 else 1)


@dataclass(frozen=True)
class Geometry:
    """A window over two spatial axes; a signal of one axis gets a first axis of size one."""

    sizes: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    out: tuple[int, int]

    @classmethod
    def of(cls, job: Job) -> Geometry:
        """The geometry of a conv (or conv_transpose) node."""
        node, x, w = job.node, job.ins[0].shape, job.ins[1].shape
        stride, padding, dilation = node.ints("stride"), node.ints("padding"), node.ints("dilation")
        if len(x) == 3:
            return cls(x[:2], w[1:3], stride, padding, dilation, job.out.shape[:2])  # type: ignore[arg-type]
        return cls((1, x[0]), (1, w[1]), (1, *stride), (0, 0, *padding), (1, *dilation), (1, job.out.shape[0]))  # type: ignore[arg-type]

    @property
    def padded(self) -> tuple[int, int]:
        """Sizes with padding."""
        top, bottom, left, right = self.padding
        return self.sizes[0] + top + bottom, self.sizes[1] + left + right

    @property
    def pointwise(self) -> bool:
        """Whether each output position reads exactly its own input position."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and not any(self.padding)

    def pad(self, x: Carried, dtype: FloatType, scratch: Scratch, key: object) -> Carried:
        """x (n, h, w, c) inside its border of zeros, contiguous and in `dtype`."""
        if not any(self.padding):
            return np.ascontiguousarray(x, dtype)
        top, _, left, _ = self.padding
        # The border stays zero for ever: only the inside is written.
        padded = scratch.zeroed((key, "padded"), (x.shape[0], *self.padded, x.shape[3]), dtype)
        padded[:, top : top + self.sizes[0], left : left + self.sizes[1]] = x
        return padded

    def windows(self, padded: Carried) -> Carried:
        """View (n, out_h, out_w, k_h, k_w, c) of a padded array: overlapping, not to be written."""
        n, _, _, c = padded.shape
        sn, sh, sw, sc = padded.strides
        strides = (sn, sh * self.stride[0], sw * self.stride[1], sh * self.dilation[0], sw * self.dilation[1], sc)
        return as_strided(padded, (n, *self.out, *self.kernel, c), strides, writeable=False)

    def strips(self, bytes_each: int) -> list[slice]:
        """Rows of the output in parts whose temporaries stay small, for one sample with `bytes_each` for each row."""
        step = max(1, min(self.out[0], SLICE_BYTES // max(bytes_each, 1)))
        return [slice(i, min(i + step, self.out[0])) for i in range(0, self.out[0], step)]


def slices(count: int, bytes_each: int) -> list[slice]:
    """Parts of a batch whose temporaries stay small."""
    step = max(1, min(count, SLICE_BYTES // max(bytes_each, 1)))
    return [slice(i, min(i + step, count)) for i in range(0, count, step)]
