"""Fast twin of conv_transpose: one BLAS product for all taps, then each tap added at its place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Scratch, Twin, finished
from edgeq.emulator.ops._gemm import Geometry, add_bias, scaled_bias, scaled_weight, slices


def compile_conv_transpose(job: Job) -> Twin | None:
    """None where a float type does not hold the sums."""
    stage = job.stage()
    if stage is None:
        return None
    g, groups = Geometry.of(job), job.node.integer("groups")
    weight = scaled_weight(job, stage)
    outputs, channels = weight.shape[0], weight.shape[-1]
    k_h, k_w = g.kernel
    # (groups, c / groups, k_h * k_w * o / groups): the columns of all taps of a group.
    matrices = weight.reshape(groups, outputs // groups, k_h, k_w, channels).transpose(0, 4, 2, 3, 1)
    matrices = np.ascontiguousarray(matrices.reshape(groups, channels, -1))
    bias = scaled_bias(job, stage)
    top, left = g.padding[0], g.padding[2]
    full = [
        max((n - 1) * s + d * (k - 1) + 1, o + p)
        for n, s, d, k, o, p in zip(g.sizes, g.stride, g.dilation, g.kernel, g.out, (top, left), strict=True)
    ]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        count = xs[0].shape[0]
        out = np.empty((count, *g.out, outputs), stage.dtype)
        for part in slices(count, (full[0] * full[1] + matrices[0].shape[1]) * outputs * out.itemsize):
            x = xs[0][part].astype(stage.dtype, copy=False)
            n = x.shape[0]
            split = x.reshape(-1, groups, channels).transpose(1, 0, 2)
            product = np.matmul(split, matrices).reshape(groups, n, *g.sizes, k_h, k_w, -1)
            total = np.zeros((n, *full, groups, outputs // groups), stage.dtype)
            for i in range(k_h):
                for j in range(k_w):
                    rows = slice(i * g.dilation[0], i * g.dilation[0] + g.stride[0] * (g.sizes[0] - 1) + 1, g.stride[0])
                    cols = slice(j * g.dilation[1], j * g.dilation[1] + g.stride[1] * (g.sizes[1] - 1) + 1, g.stride[1])
                    total[:, rows, cols] += product[:, :, :, :, i, j].transpose(1, 2, 3, 0, 4)
            total = total.reshape(n, *full, outputs)
            out[part] = total[:, top : top + g.out[0], left : left + g.out[1]]
            add_bias(out[part], bias)
        return out.reshape(count, *job.out.shape)

    return finished(job, stage, kernel)
