/* linear.h: rows of x times constant weights (outputs, inputs). */
#ifndef EDGEQ_KERNEL_LINEAR_H
#define EDGEQ_KERNEL_LINEAR_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t rows, inputs, outputs; /* x (rows, inputs), y (rows, outputs) */
    int32_t filter;                /* elements from one row of weights to the next */
    int32_t shift;                 /* binary point of the products less that of y */
    int64_t lo, hi;                /* bounds on the grid of y */
    const void *weight;            /* (outputs, filter), of which `inputs` count */
    const void *bias;              /* (outputs) on the grid of the products, rounding constant folded in */
    const int8_t *shifts;          /* (outputs), or null where all are `shift` */
} eq_linear_t;

EQ_KERNEL void eq_linear(const eq_linear_t *p, const void *const x[], void *y, eq_type xt, eq_type wt, eq_type yt,
                         int32_t rule, int32_t wide)
{
    const int32_t n = p->inputs, filter = p->filter, outputs = p->outputs, fours = eq_fours(outputs, wt), shift = p->shift;
    const int64_t lo = p->lo, hi = p->hi;
    const void *weight = p->weight, *bias = p->bias, *from = x[0];
    const int8_t *shifts = p->shifts;
    for (int32_t row = 0; row < p->rows; row++) {
        for (int32_t o = 0; o < fours; o += 4) {
            eq_acc a[4];
            eq_acc_start4(a, bias, o, wide);
            eq_dot4(a, from, row * n, xt, weight, o * filter, filter, wt, n, wide);
            eq_put4(y, row * outputs + o, a, shifts, shift, o, lo, hi, yt, rule, wide);
        }
        for (int32_t o = fours; o < outputs; o++) {
            eq_acc a = eq_acc_start(bias, o, wide);
            eq_dot(&a, from, row * n, xt, weight, o * filter, wt, n, wide);
            eq_put(y, row * outputs + o, a, eq_channel_shift(shifts, shift, o), lo, hi, yt, rule, wide);
        }
    }
}

#endif
