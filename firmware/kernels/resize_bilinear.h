/* resize_bilinear.h: spatial axes resampled by linear interpolation, channels last. */
#ifndef EDGEQ_KERNEL_RESIZE_BILINEAR_H
#define EDGEQ_KERNEL_RESIZE_BILINEAR_H

#include "edgeq_bilinear.h"

typedef struct {
    int32_t out_h, out_w, channels;
    const int32_t *rows, *columns; /* for each: two offsets in x and their weights */
    int32_t shift;                 /* binary point of the sums less that of y */
    int64_t start;                 /* rounding constant, where it is folded */
    int64_t lo, hi;                /* bounds on the grid of y */
} eq_resize_bilinear_t;

EQ_KERNEL void eq_resize_bilinear(const eq_resize_bilinear_t *p, const void *const x[], void *y, eq_type xt,
                                  eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t channels = p->channels;
    int32_t yi = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const eq_bilinear near = eq_bilinear_of(p->rows + 4 * oy, p->columns + 4 * ox);
            for (int32_t c = 0; c < channels; c++, yi++) {
                eq_acc a = eq_acc_of(p->start, wide);
                eq_bilinear_sum(&a, &near, x[0], c, 0, xt, wide);
                eq_put(y, yi, a, p->shift, p->lo, p->hi, yt, rule, wide);
            }
        }
    }
}

#endif
