/* average_pool_dsp.h: exact mean of each window of 8-bit codes, four channels at a time with DSP. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_DSP_H
#define EDGEQ_KERNEL_AVERAGE_POOL_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w; /* up to 256 elements */
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t shift;        /* without division: of the sum to y; with it: of the sum to the left */
    int32_t divisor;      /* of the whole window, alignment included; 0: `unit` for each element that is seen */
    int32_t unit;
    int32_t start;        /* rounding constant, where it is folded */
    int32_t lo, hi;       /* bounds on the grid of y */
} eq_average_pool_dsp_t;

EQ_INLINE void eq_average_pool_dsp_put(const eq_average_pool_dsp_t *p, void *y, int32_t i, int32_t sum,
                                       int32_t divisor, bool divide, eq_type yt, int32_t rule)
{
    const eq_acc a = eq_acc_of(p->start + sum, false);
    if (divide) {
        eq_put_ratio(y, i, a, p->shift, divisor, p->lo, p->hi, yt, rule, false);
    } else {
        eq_put(y, i, a, p->shift, p->lo, p->hi, yt, rule, false);
    }
}

/* One output pixel: `rows` by `columns` elements of each channel, the first of them at x. */
EQ_INLINE void eq_average_pool_dsp_pixel(const eq_average_pool_dsp_t *p, const uint8_t *x, int32_t rows,
                                         int32_t columns, void *y, int32_t yi, bool xs, bool divide, eq_type yt,
                                         int32_t rule)
{
    const int32_t channels = p->channels, row = p->in_w * channels;
    const int32_t divisor = p->divisor != 0 ? p->divisor : p->unit * (rows * columns);
    int32_t c = 0;
    for (; c + 4 <= channels; c += 4) {
        eq_dsp_sums sums = {0, 0};
        for (int32_t ky = 0; ky < rows; ky++) {
            eq_dsp_sum_run(&sums, x + ky * row + c, channels, columns, xs);
        }
        for (int32_t k = 0; k < 4; k++) {
            eq_average_pool_dsp_put(p, y, yi + c + k, eq_dsp_sum_of(&sums, k, xs), divisor, divide, yt, rule);
        }
    }
    for (; c < channels; c++) {
        int32_t sum = 0;
        for (int32_t ky = 0; ky < rows; ky++) {
            for (int32_t kx = 0; kx < columns; kx++) {
                sum += eq_load(x, ky * row + kx * channels + c, xs ? EQ_S(8) : EQ_U(8));
            }
        }
        eq_average_pool_dsp_put(p, y, yi + c, sum, divisor, divide, yt, rule);
    }
}

/* xs: whether codes of x are signed; divide: false where every divisor is one power of two, then part of `shift`. */
EQ_KERNEL void eq_average_pool_dsp(const eq_average_pool_dsp_t *p, const void *const x[], void *y, bool xs, bool divide,
                                   eq_type yt, int32_t rule)
{
    const uint8_t *from = x[0];
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h;
        const int32_t ky = eq_first_tap(iy, 1), rows = eq_end_tap(iy, p->in_h, p->kernel_h, 1) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w;
            const int32_t kx = eq_first_tap(ix, 1), columns = eq_end_tap(ix, p->in_w, p->kernel_w, 1) - kx;
            const int32_t at = ((iy + ky) * p->in_w + ix + kx) * p->channels, yi = (oy * p->out_w + ox) * p->channels;
            eq_average_pool_dsp_pixel(p, from + at, rows, columns, y, yi, xs, divide, yt, rule);
        }
    }
}

#endif
