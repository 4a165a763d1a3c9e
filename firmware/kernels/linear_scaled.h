/* linear_scaled.h: linear.h for scales that are no power of two: multipliers instead of shifts, zero points. */
#ifndef EDGEQ_KERNEL_LINEAR_SCALED_H
#define EDGEQ_KERNEL_LINEAR_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t rows, inputs, outputs; /* x (rows, inputs), y (rows, outputs) */
    const void *weight;            /* (outputs, inputs) */
    const void *bias;              /* (outputs): the zero point of x times the weights is in it */
    eq_scale_t scale;
} eq_linear_scaled_t;

EQ_KERNEL void eq_linear_scaled(const eq_linear_scaled_t *p, const void *const x[], void *y, eq_type xt, eq_type wt,
                                eq_type yt, int32_t rule, bool wide)
{
    const int32_t n = p->inputs, outputs = p->outputs, fours = outputs - outputs % 4;
    const void *weight = p->weight, *bias = p->bias, *from = x[0];
    const eq_scale_t scale = p->scale;
    for (int32_t row = 0; row < p->rows; row++) {
        const int32_t yi = row * outputs;
        for (int32_t o = 0; o < fours; o += 4) {
            eq_acc a[4];
            eq_acc_start4(a, bias, o, wide);
            eq_dot4(a, from, row * n, xt, weight, o * n, n, wt, n, wide);
            for (int32_t k = 0; k < 4; k++) {
                eq_put_scaled(y, yi + o + k, a[k], &scale, o + k, yt, rule, wide);
            }
        }
        for (int32_t o = fours; o < outputs; o++) {
            eq_acc a = eq_acc_start(bias, o, wide);
            eq_dot(&a, from, row * n, xt, weight, o * n, wt, n, wide);
            eq_put_scaled(y, yi + o, a, &scale, o, yt, rule, wide);
        }
    }
}

#endif
