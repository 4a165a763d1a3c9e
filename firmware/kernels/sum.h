/* sum.h: exact sum over some axes, rounded once: a mean that does not divide. */
#ifndef EDGEQ_KERNEL_SUM_H
#define EDGEQ_KERNEL_SUM_H

#include "mean.h"

typedef eq_mean_t eq_sum_t;

EQ_KERNEL void eq_sum(const eq_sum_t *p, const void *const x[], void *y, eq_type xt, eq_type yt, int32_t rule,
                      int32_t wide)
{
    eq_mean(p, x, y, xt, false, yt, rule, wide);
}

#endif
