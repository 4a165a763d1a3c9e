/* matmul_scaled.h: matmul.h for scales that are no power of two: multipliers, zero points. */
#ifndef EDGEQ_KERNEL_MATMUL_SCALED_H
#define EDGEQ_KERNEL_MATMUL_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t batch, rows, terms, columns; /* a (batch, rows, terms), b (batch, terms, columns) */
    int32_t a_zero, b_zero;              /* zero points */
    eq_scale_t scale;
    const void *a, *b; /* a constant operand; null: the next of x[] */
} eq_matmul_scaled_t;

EQ_KERNEL void eq_matmul_scaled(const eq_matmul_scaled_t *p, const void *const x[], void *y, eq_type at, eq_type bt,
                                eq_type yt, int32_t rule, bool wide)
{
    const void *a = p->a != NULL ? p->a : x[0];
    const void *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    const int32_t terms = p->terms, columns = p->columns, a_zero = p->a_zero, b_zero = p->b_zero;
    int32_t yi = 0;
    for (int32_t row = 0; row < p->batch * p->rows; row++) {
        const int32_t ai = row * terms, from = row / p->rows * terms * columns;
        for (int32_t c = 0; c < columns; c++, yi++) {
            eq_acc sum = eq_acc_of(0, wide);
            for (int32_t k = 0, j = from + c; k < terms; k++, j += columns) {
                eq_acc_product(&sum, eq_load(a, ai + k, at) - a_zero, eq_load(b, j, bt) - b_zero, wide);
            }
            eq_put_scaled(y, yi, sum, &p->scale, c, yt, rule, wide);
        }
    }
}

#endif
