/* average_pool.h: exact mean of each window, channels last, rounded once. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_H
#define EDGEQ_KERNEL_AVERAGE_POOL_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t shift;        /* without division: of the sum to y; with it: of the sum to the left */
    int64_t divisor;      /* of the whole window, alignment included; 0: `unit` for each element that is seen */
    int64_t unit;
    int64_t start;        /* rounding constant, where it is folded */
    int64_t lo, hi;       /* bounds on the grid of y */
} eq_average_pool_t;

/* One output pixel: `rows` by `columns` elements of each channel, the first of them at `from`. */
EQ_INLINE void eq_average_pool_pixel(const eq_average_pool_t *p, const void *x, int32_t from, int32_t rows,
                                     int32_t columns, void *y, int32_t yi, eq_type xt, bool divide, eq_type yt,
                                     int32_t rule, int32_t wide)
{
    const int32_t channels = p->channels, row = p->in_w * channels, shift = p->shift;
    const int64_t divisor = p->divisor != 0 ? p->divisor : p->unit * (rows * columns);
    const int64_t lo = p->lo, hi = p->hi;
    const eq_acc start = eq_acc_of(p->start, wide);
    for (int32_t c = 0; c < channels; c++) {
        eq_acc sum = start;
        for (int32_t ky = 0; ky < rows; ky++) {
            int32_t xi = from + c + ky * row;
            for (int32_t kx = 0; kx < columns; kx++, xi += channels) {
                eq_acc_add(&sum, x, xi, xt, 0, wide);
            }
        }
        if (divide) {
            eq_put_ratio(y, yi + c, sum, shift, divisor, lo, hi, yt, rule, wide);
        } else {
            eq_put(y, yi + c, sum, shift, lo, hi, yt, rule, wide);
        }
    }
}

/* divide: false where every divisor is one power of two, which is then part of `shift`. */
EQ_KERNEL void eq_average_pool(const eq_average_pool_t *p, const void *const x[], void *y, eq_type xt, bool divide,
                               eq_type yt, int32_t rule, int32_t wide)
{
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h;
        const int32_t ky = eq_first_tap(iy, 1), rows = eq_end_tap(iy, p->in_h, p->kernel_h, 1) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w;
            const int32_t kx = eq_first_tap(ix, 1), columns = eq_end_tap(ix, p->in_w, p->kernel_w, 1) - kx;
            const int32_t from = ((iy + ky) * p->in_w + ix + kx) * p->channels;
            const int32_t yi = (oy * p->out_w + ox) * p->channels;
            eq_average_pool_pixel(p, x[0], from, rows, columns, y, yi, xt, divide, yt, rule, wide);
        }
    }
}

#endif
