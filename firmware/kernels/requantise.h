/* requantise.h: the same numbers in another format, clamped. */
#ifndef EDGEQ_KERNEL_REQUANTISE_H
#define EDGEQ_KERNEL_REQUANTISE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t count;  /* elements */
    int32_t shift;  /* binary point of x less that of y */
    int64_t start;  /* rounding constant, where it is folded */
    int64_t lo, hi; /* bounds on the grid of y */
} eq_requantise_t;

/* y may lie over x where its elements are no wider. */
EQ_KERNEL void eq_requantise(const eq_requantise_t *p, const void *const x[], void *y, eq_type xt, eq_type yt,
                             int32_t rule, int32_t wide)
{
    const int32_t count = p->count, shift = p->shift;
    const int64_t lo = p->lo, hi = p->hi;
    const eq_acc start = eq_acc_of(p->start, wide);
    const void *from = x[0];
    for (int32_t i = 0; i < count; i++) {
        eq_acc a = start;
        eq_acc_add(&a, from, i, xt, 0, wide);
        eq_put(y, i, a, shift, lo, hi, yt, rule, wide);
    }
}

#endif
