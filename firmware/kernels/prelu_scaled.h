/* prelu_scaled.h: numbers below zero times a slope, the others as they are, with scales that are no power of two. */
#ifndef EDGEQ_KERNEL_PRELU_SCALED_H
#define EDGEQ_KERNEL_PRELU_SCALED_H

#include "edgeq_elementwise_scaled.h"

typedef eq_elementwise_scaled_t eq_prelu_scaled_t;

/* y may lie over an operand of its own size whose elements are no narrower. */
EQ_KERNEL void eq_prelu_scaled(const eq_prelu_scaled_t *p, const void *const x[], void *y, eq_type at, eq_type bt,
                               eq_type yt, int32_t rule)
{
    eq_elementwise_scaled(p, x, y, EQ_PRELU, at, bt, yt, rule);
}

#endif
