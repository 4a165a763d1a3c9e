/* average_pool_scaled.h: mean of each window in one scale that is no power of two. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_SCALED_H
#define EDGEQ_KERNEL_AVERAGE_POOL_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;   /* at the beginning */
    int32_t x_zero, y_zero; /* zero points */
    int32_t divisor;        /* 0: the elements that a window sees */
    int32_t lo, hi;         /* bounds of y, as codes */
} eq_average_pool_scaled_t;

/* num / den to the nearest integer, a tie away from zero; den > 0 and twice the rest fits. */
EQ_INLINE int32_t eq_ratio_half_away(int32_t num, int32_t den)
{
    const int32_t q = num / den, r = num % den;
    if (2 * (r < 0 ? -r : r) < den) {
        return q;
    }
    return num < 0 ? q - 1 : q + 1;
}

/* The same for 64 bits. */
EQ_INLINE int64_t eq_ratio_half_away64(int64_t num, int64_t den)
{
    const int64_t q = num / den, r = num % den;
    if (2 * (r < 0 ? -r : r) < den) {
        return q;
    }
    return num < 0 ? q - 1 : q + 1;
}

/* y[i] = code of a sum over `divisor` elements, in which the zero point of y is where codes are rounded (away). */
EQ_INLINE void eq_average_pool_scaled_put(const eq_average_pool_scaled_t *p, void *y, int32_t i, eq_acc sum,
                                          int32_t divisor, eq_type yt, int32_t rule, bool away, bool wide)
{
    if (wide) {
        const int64_t v = away ? eq_ratio_half_away64(sum.wide, divisor) : eq_ratio64(sum.wide, divisor, rule) + p->y_zero;
        eq_store_code(y, i, (uint32_t)eq_clamp64(v, p->lo, p->hi), yt);
    } else {
        const int32_t v =
            away ? eq_ratio_half_away(sum.narrow, divisor) : eq_ratio32(sum.narrow, divisor, rule) + p->y_zero;
        eq_store_code(y, i, (uint32_t)eq_clamp32(v, p->lo, p->hi), yt);
    }
}

/* away: round the code half away from zero; else the number by `rule`. wide: sums need 64 bits. */
EQ_KERNEL void eq_average_pool_scaled(const eq_average_pool_scaled_t *p, const void *const x[], void *y, eq_type xt,
                                      eq_type yt, int32_t rule, bool away, bool wide)
{
    const int32_t channels = p->channels, y_zero = away ? p->y_zero : 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, y0 = eq_first_tap(iy, 1);
        const int32_t y1 = eq_end_tap(iy, p->in_h, p->kernel_h, 1);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w, x0 = eq_first_tap(ix, 1);
            const int32_t x1 = eq_end_tap(ix, p->in_w, p->kernel_w, 1), seen = (y1 - y0) * (x1 - x0);
            const int32_t divisor = p->divisor > 0 ? p->divisor : seen;
            /* Padding is the number zero: only what the window sees moves by the zero point of x. */
            const int64_t start = wide ? (int64_t)divisor * y_zero - (int64_t)seen * p->x_zero
                                       : divisor * y_zero - seen * p->x_zero;
            for (int32_t c = 0; c < channels; c++) {
                eq_acc sum = eq_acc_of(start, wide);
                for (int32_t ky = y0; ky < y1; ky++) {
                    int32_t xi = ((iy + ky) * p->in_w + ix + x0) * channels + c;
                    for (int32_t kx = x0; kx < x1; kx++, xi += channels) {
                        eq_acc_add(&sum, x[0], xi, xt, 0, wide);
                    }
                }
                eq_average_pool_scaled_put(p, y, (oy * p->out_w + ox) * channels + c, sum, divisor, yt, rule, away, wide);
            }
        }
    }
}

#endif
