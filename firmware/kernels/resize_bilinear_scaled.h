/* resize_bilinear_scaled.h: resize_bilinear.h in one scale that is no power of two, rounded as a number or as a code. */
#ifndef EDGEQ_KERNEL_RESIZE_BILINEAR_SCALED_H
#define EDGEQ_KERNEL_RESIZE_BILINEAR_SCALED_H

#include "edgeq_bilinear.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t out_h, out_w, channels;
    const int32_t *rows, *columns; /* for each: two offsets in x and their weights */
    int32_t x_zero, y_zero;        /* zero points */
    int32_t shift;                 /* places that the weights of a pixel have behind the point */
    int32_t lo, hi;                /* bounds of y, as codes */
} eq_resize_bilinear_scaled_t;

/* away: round the code half away from zero; else the number by `rule`. */
EQ_KERNEL void eq_resize_bilinear_scaled(const eq_resize_bilinear_scaled_t *p, const void *const x[], void *y,
                                         eq_type xt, eq_type yt, int32_t rule, bool away, bool wide)
{
    const int32_t channels = p->channels, shift = p->shift;
    const int64_t zero = p->y_zero, start = away ? zero * (int64_t)(1ull << shift) : 0;
    int32_t yi = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const eq_bilinear near = eq_bilinear_of(p->rows + 4 * oy, p->columns + 4 * ox);
            for (int32_t c = 0; c < channels; c++, yi++) {
                eq_acc a = eq_acc_of(start, wide);
                eq_bilinear_sum(&a, &near, x[0], c, p->x_zero, xt, wide);
                const int64_t v = wide ? a.wide : a.narrow;
                const int64_t code = away ? eq_half_away64(v, shift) : eq_round64(v, shift, rule) + zero;
                eq_store_code(y, yi, (uint32_t)eq_clamp64(code, p->lo, p->hi), yt);
            }
        }
    }
}

#endif
