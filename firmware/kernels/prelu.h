/* prelu.h: numbers below zero times a slope that broadcasts, the others as they are. */
#ifndef EDGEQ_KERNEL_PRELU_H
#define EDGEQ_KERNEL_PRELU_H

#include "edgeq_elementwise.h"

typedef eq_elementwise_t eq_prelu_t;

/* y may lie over an operand of its own size whose elements are no narrower. */
EQ_KERNEL void eq_prelu(const eq_prelu_t *p, const void *const x[], void *y, eq_type at, eq_type bt, eq_type yt,
                        int32_t rule, int32_t wide)
{
    eq_elementwise(p, x, y, EQ_PRELU, at, bt, yt, rule, wide);
}

#endif
