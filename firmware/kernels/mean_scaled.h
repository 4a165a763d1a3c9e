/* mean_scaled.h: exact mean over some axes in one scale that is no power of two, rounded once. */
#ifndef EDGEQ_KERNEL_MEAN_SCALED_H
#define EDGEQ_KERNEL_MEAN_SCALED_H

#include "edgeq_reduce_scaled.h"

typedef struct {
    eq_reduce_scaled_t reduce;
    int32_t divisor; /* elements of a mean */
    int32_t zero;    /* code of y that stands for zero */
    int32_t lo, hi;  /* bounds of y, as codes */
} eq_mean_scaled_t;

EQ_KERNEL void eq_mean_scaled(const eq_mean_scaled_t *p, const void *const x[], void *y, eq_type xt, eq_type yt,
                              int32_t rule, bool wide)
{
    const eq_reduce_scaled_t *r = &p->reduce;
    const int32_t n = r->shape[r->rank - 1], step = r->stride[r->rank - 1];
    int32_t counter[EQ_RANK] = {0}, from = 0, yi = 0;
    do {
        for (int32_t i = 0; i < n; i++, yi++) {
            const eq_acc sum = eq_reduce_scaled(r, x[0], from + i * step, xt, wide);
            const int64_t v = wide ? eq_ratio64(sum.wide, p->divisor, rule) : eq_ratio32(sum.narrow, p->divisor, rule);
            eq_store_code(y, yi, (uint32_t)eq_clamp64(v + p->zero, p->lo, p->hi), yt);
        }
    } while (eq_walk(r->rank, r->shape, counter, r->stride, &from, NULL, NULL));
}

#endif
