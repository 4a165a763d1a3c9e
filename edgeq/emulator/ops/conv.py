"""Fast twin of conv: windows copied to matrix rows and multiplied by BLAS; depthwise by whole rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.emulator.carrier import Carried
from edgeq.emulator.kernel import Job, Kernel, Scratch, Twin, finished
from edgeq.emulator.ops._gemm import Geometry, add_bias, scaled_bias, scaled_weight, slices, spread
from edgeq.emulator.stage import Stage


def compile_conv(job: Job) -> Twin | None:
    """Dense, depthwise or grouped; None where a float type does not hold the sums."""
    stage = job.stage()
    if stage is None:
        return None
    groups = job.node.integer("groups")
    if groups == 1:
        kernel = _dense(job, stage)
    elif job.ins[1].shape[-1] == 1:
        kernel = _depthwise(job, stage)
    else:
        kernel = _grouped(job, stage)
    return finished(job, stage, kernel)


def _dense(job: Job, stage: Stage) -> Kernel:
    """Rows of k_h * k_w * c numbers times a matrix of as many rows."""
    geometry, key = Geometry.of(job), job.node.name
    weight = scaled_weight(job, stage)
    outputs = weight.shape[0]
    matrix = np.ascontiguousarray(weight.reshape(outputs, -1).T)
    bias = spread(scaled_bias(job, stage), job.out.shape)
    inner = matrix.shape[0]

    def pointwise(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        x = xs[0].astype(stage.dtype, copy=False)
        out: Carried = np.matmul(x.reshape(-1, inner), matrix)
        add_bias(out, bias)
        return out.reshape(x.shape[0], *job.out.shape)

    def windowed(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        x = xs[0].reshape(xs[0].shape[0], *geometry.sizes, -1)
        out = np.empty((x.shape[0], *geometry.out, outputs), stage.dtype)
        row_bytes = geometry.out[1] * inner * out.itemsize
        for part in slices(x.shape[0], geometry.out[0] * row_bytes):
            padded = geometry.pad(x[part], stage.dtype, scratch, key)
            windows = geometry.windows(padded)
            # More than one strip only ever of a single sample, so that the product below lands in place.
            for strip in geometry.strips(row_bytes * padded.shape[0]):
                seen, target = windows[:, strip], out[part, strip]
                rows = scratch.work("rows", seen.shape, stage.dtype)
                np.copyto(rows, seen)
                np.matmul(rows.reshape(-1, inner), matrix, out=target.reshape(-1, outputs))
                add_bias(target, bias)
        return out.reshape(x.shape[0], *job.out.shape)

    return pointwise if geometry.pointwise else windowed


def _grouped(job: Job, stage: Stage) -> Kernel:
    """One product of matrices for each group."""
    geometry, key, groups = Geometry.of(job), job.node.name, job.node.integer("groups")
    weight = scaled_weight(job, stage)
    each, channels = weight.shape[0] // groups, weight.shape[-1]
    matrices = np.ascontiguousarray(weight.reshape(groups, each, -1).transpose(0, 2, 1))
    bias, inner = spread(scaled_bias(job, stage), job.out.shape), matrices.shape[1]
    positions = geometry.out[0] * geometry.out[1]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        x = xs[0].reshape(xs[0].shape[0], *geometry.sizes, -1)
        out = np.empty((x.shape[0], positions, groups, each), stage.dtype)
        for part in slices(x.shape[0], positions * inner * groups * out.itemsize):
            padded = geometry.pad(x[part], stage.dtype, scratch, key)
            n = padded.shape[0]
            rows = scratch.work("rows", (groups, n, *geometry.out, *geometry.kernel, channels), stage.dtype)
            seen = _split(geometry.windows(padded), groups)
            np.copyto(rows, seen.transpose(5, 0, 1, 2, 3, 4, 6))
            product = np.matmul(rows.reshape(groups, n * positions, inner), matrices)
            out[part] = product.reshape(groups, n, positions, each).transpose(1, 2, 0, 3)
            add_bias(out[part], bias)
        return out.reshape(x.shape[0], *job.out.shape)

    return kernel


def _split(windows: Carried, groups: int) -> Carried:
    """View (…, c) of any strides as (…, groups, c / groups)."""
    channels, step = windows.shape[-1] // groups, windows.strides[-1]
    return np.lib.stride_tricks.as_strided(
        windows,
        (*windows.shape[:-1], groups, channels),
        (*windows.strides[:-1], step * channels, step),
        writeable=False,
    )


def _depthwise(job: Job, stage: Stage) -> Kernel:
    """Each tap multiplies whole rows: with the columns of one phase side by side, a row is contiguous."""
    geometry, key = Geometry.of(job), job.node.name
    weight = scaled_weight(job, stage)[..., 0]
    channels, multiple = weight.shape[0], weight.shape[0] // job.ins[0].shape[-1]
    (out_h, out_w), (k_h, k_w) = geometry.out, geometry.kernel
    (s_h, s_w), (d_h, d_w) = geometry.stride, geometry.dilation
    row = out_w * channels
    taps = np.stack([np.tile(weight.reshape(channels, -1)[:, t], out_w) for t in range(k_h * k_w)])
    bias = scaled_bias(job, stage)
    start = np.zeros(row, stage.dtype) if bias is None else np.tile(bias, out_w)
    width = geometry.padded[1]

    def kernel(xs: Sequence[Carried], scratch: Scratch) -> Carried:
        x = xs[0].reshape(xs[0].shape[0], *geometry.sizes, -1)
        out = np.empty((x.shape[0], out_h, row), stage.dtype)
        for part in slices(x.shape[0], 3 * geometry.padded[0] * width * channels * out.itemsize):
            wide = np.repeat(x[part], multiple, axis=-1) if multiple > 1 else x[part]
            padded = geometry.pad(wide, stage.dtype, scratch, key)
            phases = {p: _phase(padded, p, s_w) for p in {j * d_w % s_w for j in range(k_w)}}
            total = out[part]
            total[...] = start
            term = scratch.work("term", total.shape, stage.dtype)
            for t in range(k_h * k_w):
                i, j = divmod(t, k_w)
                rows = slice(i * d_h, i * d_h + s_h * (out_h - 1) + 1, s_h)
                begin = j * d_w // s_w * channels
                np.multiply(phases[j * d_w % s_w][:, rows, begin : begin + row], taps[t], out=term)
                np.add(total, term, out=total)
        return out.reshape(x.shape[0], *job.out.shape)

    return kernel


def _phase(padded: Carried, phase: int, stride: int) -> Carried:
    """Columns phase, phase + stride, … of every row, side by side: (n, h, columns * c)."""
    columns = np.ascontiguousarray(padded[:, :, phase::stride])
    return columns.reshape(*columns.shape[:2], -1)
