/* mul.h: element-wise product of two operands that broadcast. */
#ifndef EDGEQ_KERNEL_MUL_H
#define EDGEQ_KERNEL_MUL_H

#include "edgeq_elementwise.h"

typedef eq_elementwise_t eq_mul_t;

/* y may lie over an operand of its own size whose elements are no narrower. */
EQ_KERNEL void eq_mul(const eq_mul_t *p, const void *const x[], void *y, eq_type at, eq_type bt, eq_type yt,
                      int32_t rule, int32_t wide)
{
    eq_elementwise(p, x, y, EQ_MUL, at, bt, yt, rule, wide);
}

#endif
