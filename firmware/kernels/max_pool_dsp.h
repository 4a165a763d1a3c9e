/* max_pool_dsp.h: greatest element of each window of 8-bit codes, four channels at a time with DSP. */
#ifndef EDGEQ_KERNEL_MAX_POOL_DSP_H
#define EDGEQ_KERNEL_MAX_POOL_DSP_H

#include "edgeq_dsp.h"
#include "max_pool.h"

typedef eq_max_pool_t eq_max_pool_dsp_t;

/* One output pixel: taps `rows` by `columns`, the first on element x. */
EQ_INLINE void eq_max_pool_dsp_pixel(const eq_max_pool_dsp_t *p, const uint8_t *x, int32_t rows, int32_t columns,
                                     uint8_t *y, bool xs)
{
    const int32_t channels = p->channels;
    const int32_t row = p->dilation_h * p->in_w * channels, column = p->dilation_w * channels;
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        uint32_t most = eq_word(x + c);
        for (int32_t ky = 0; ky < rows; ky++) {
            const uint8_t *at = x + ky * row + c;
            for (int32_t kx = columns; kx > 0; kx--, at += column) {
                most = eq_max8(most, eq_word(at), xs);
            }
        }
        eq_put_word(y + c, most);
    }
    for (; c < channels; c++) {
        uint32_t most = x[c];
        for (int32_t ky = 0; ky < rows; ky++) {
            for (int32_t kx = 0; kx < columns; kx++) {
                most = eq_max8(most, x[ky * row + kx * column + c], xs);
            }
        }
        y[c] = (uint8_t)most;
    }
}

/* xs: whether codes of x are signed */
EQ_KERNEL void eq_max_pool_dsp(const eq_max_pool_dsp_t *p, const void *const x[], void *y, bool xs)
{
    const uint8_t *from = x[0];
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, ky = eq_first_tap(iy, p->dilation_h);
        const int32_t rows = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++, to += p->channels) {
            const int32_t ix = ox * p->stride_w - p->pad_w, kx = eq_first_tap(ix, p->dilation_w);
            const int32_t columns = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w) - kx;
            const int32_t at = ((iy + ky * p->dilation_h) * p->in_w + ix + kx * p->dilation_w) * p->channels;
            eq_max_pool_dsp_pixel(p, from + at, rows, columns, to, xs);
        }
    }
}

#endif
