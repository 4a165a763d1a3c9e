/* mean.h: exact mean over some axes, rounded once. */
#ifndef EDGEQ_KERNEL_MEAN_H
#define EDGEQ_KERNEL_MEAN_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t rank, shape[EQ_RANK], stride[EQ_RANK];                /* axes that stay, and their distance in x */
    int32_t sum_rank, sum_shape[EQ_RANK], sum_stride[EQ_RANK];    /* axes that are averaged */
    int32_t shift;   /* without division: of the sum to y; with it: of the sum to the left */
    int64_t divisor; /* alignment included */
    int64_t start;   /* rounding constant, where it is folded */
    int64_t lo, hi;  /* bounds on the grid of y */
} eq_mean_t;

EQ_INLINE eq_acc eq_mean_sum(const eq_mean_t *p, const void *x, int32_t from, eq_type xt, int32_t wide)
{
    const int32_t n = p->sum_shape[p->sum_rank - 1], step = p->sum_stride[p->sum_rank - 1];
    int32_t counter[EQ_RANK] = {0};
    eq_acc sum = eq_acc_of(p->start, wide);
    do {
        for (int32_t i = 0; i < n; i++) {
            eq_acc_add(&sum, x, from + i * step, xt, 0, wide);
        }
    } while (eq_walk(p->sum_rank, p->sum_shape, counter, p->sum_stride, &from, NULL, NULL));
    return sum;
}

/* divide: false where the divisor is a power of two, which is then part of `shift`. */
EQ_KERNEL void eq_mean(const eq_mean_t *p, const void *const x[], void *y, eq_type xt, bool divide, eq_type yt,
                       int32_t rule, int32_t wide)
{
    const int32_t n = p->shape[p->rank - 1], step = p->stride[p->rank - 1], shift = p->shift;
    const int64_t lo = p->lo, hi = p->hi, divisor = p->divisor;
    int32_t counter[EQ_RANK] = {0}, from = 0, yi = 0;
    do {
        for (int32_t i = 0; i < n; i++, yi++) {
            const eq_acc sum = eq_mean_sum(p, x[0], from + i * step, xt, wide);
            if (divide) {
                eq_put_ratio(y, yi, sum, shift, divisor, lo, hi, yt, rule, wide);
            } else {
                eq_put(y, yi, sum, shift, lo, hi, yt, rule, wide);
            }
        }
    } while (eq_walk(p->rank, p->shape, counter, p->stride, &from, NULL, NULL));
}

#endif
