/* edgeq_reduce_scaled.h: sums over some axes of codes with a zero point: what sum and mean share. */
#ifndef EDGEQ_REDUCE_SCALED_H
#define EDGEQ_REDUCE_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t rank, shape[EQ_RANK], stride[EQ_RANK];             /* axes that stay, and their distance in x */
    int32_t sum_rank, sum_shape[EQ_RANK], sum_stride[EQ_RANK]; /* axes that are summed */
    int64_t start;                                             /* zero point of x, once for each term, negative */
} eq_reduce_scaled_t;

/* The sum that belongs to the output whose first term is element `from`. */
EQ_INLINE eq_acc eq_reduce_scaled(const eq_reduce_scaled_t *p, const void *x, int32_t from, eq_type xt, bool wide)
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

#endif
