/* sum_scaled.h: sum over some axes, with scales that are no power of two; with 1 / terms in its multiplier, a mean. */
#ifndef EDGEQ_KERNEL_SUM_SCALED_H
#define EDGEQ_KERNEL_SUM_SCALED_H

#include "edgeq_reduce_scaled.h"

typedef struct {
    eq_reduce_scaled_t reduce;
    eq_scale_t scale;
} eq_sum_scaled_t;

EQ_KERNEL void eq_sum_scaled(const eq_sum_scaled_t *p, const void *const x[], void *y, eq_type xt, eq_type yt,
                             int32_t rule, bool wide)
{
    const eq_reduce_scaled_t *r = &p->reduce;
    const int32_t n = r->shape[r->rank - 1], step = r->stride[r->rank - 1], channels = p->scale.channels;
    int32_t counter[EQ_RANK] = {0}, from = 0, yi = 0;
    do {
        for (int32_t i = 0; i < n; i++, yi++) {
            const eq_acc sum = eq_reduce_scaled(r, x[0], from + i * step, xt, wide);
            eq_put_scaled(y, yi, sum, &p->scale, channels == 1 ? 0 : yi % channels, yt, rule, wide);
        }
    } while (eq_walk(r->rank, r->shape, counter, r->stride, &from, NULL, NULL));
}

#endif
