/* max_pool_mve.h: greatest element of each window of 8-bit codes, sixteen channels at a time with Helium. */
#ifndef EDGEQ_KERNEL_MAX_POOL_MVE_H
#define EDGEQ_KERNEL_MAX_POOL_MVE_H

#include "edgeq_mve_elements.h"
#include "max_pool.h"

typedef eq_max_pool_t eq_max_pool_mve_t;

/* is_signed: codes of x and y */
EQ_KERNEL void eq_max_pool_mve(const eq_max_pool_mve_t *p, const void *const x[], void *y, bool is_signed)
{
    const int32_t channels = p->channels, line = p->in_w * channels;
    const int32_t row = p->dilation_h * line, column = p->dilation_w * channels;
    const uint8_t *from = x[0];
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, ky = eq_first_tap(iy, p->dilation_h);
        const int32_t rows = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++, to += channels) {
            const int32_t ix = ox * p->stride_w - p->pad_w, kx = eq_first_tap(ix, p->dilation_w);
            const int32_t columns = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w) - kx;
            const uint8_t *at = from + (iy + ky * p->dilation_h) * line + (ix + kx * p->dilation_w) * channels;
            for (int32_t c = 0; c < channels; c += 16) {
                eq_mve_most(to + c, at + c, rows, columns, row, column, eq_min(16, channels - c), is_signed);
            }
        }
    }
}

#endif
