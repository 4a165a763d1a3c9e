/* matmul.h: matrix product of two operands, either of which may be constant. */
#ifndef EDGEQ_KERNEL_MATMUL_H
#define EDGEQ_KERNEL_MATMUL_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t batch, rows, terms, columns; /* a (batch, rows, terms), b (batch, terms, columns) */
    int32_t shift;                       /* binary point of the products less that of y */
    int64_t start;                       /* rounding constant, where it is folded */
    int64_t lo, hi;                      /* bounds on the grid of y */
    const void *a, *b;                   /* a constant operand; null: the next of x[] */
} eq_matmul_t;

/* One row of y: a from element ai, b from element bi. */
EQ_INLINE void eq_matmul_row(const eq_matmul_t *p, const void *a, int32_t ai, const void *b, int32_t bi, void *y,
                             int32_t yi, eq_type at, eq_type bt, eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t terms = p->terms, columns = p->columns, fours = columns - columns % 4, shift = p->shift;
    const int64_t lo = p->lo, hi = p->hi;
    const eq_acc start = eq_acc_of(p->start, wide);
    for (int32_t c = 0; c < fours; c += 4) {
        eq_acc sum[4];
        sum[0] = sum[1] = sum[2] = sum[3] = start;
        for (int32_t k = 0, j = bi + c; k < terms; k++, j += columns) {
            eq_mac(&sum[0], a, ai + k, at, b, j, bt, wide);
            eq_mac(&sum[1], a, ai + k, at, b, j + 1, bt, wide);
            eq_mac(&sum[2], a, ai + k, at, b, j + 2, bt, wide);
            eq_mac(&sum[3], a, ai + k, at, b, j + 3, bt, wide);
        }
        eq_put4(y, yi + c, sum, NULL, shift, 0, lo, hi, yt, rule, wide);
    }
    for (int32_t c = fours; c < columns; c++) {
        eq_acc sum = start;
        for (int32_t k = 0, j = bi + c; k < terms; k++, j += columns) {
            eq_mac(&sum, a, ai + k, at, b, j, bt, wide);
        }
        eq_put(y, yi + c, sum, shift, lo, hi, yt, rule, wide);
    }
}

EQ_KERNEL void eq_matmul(const eq_matmul_t *p, const void *const x[], void *y, eq_type at, eq_type bt, eq_type yt,
                         int32_t rule, int32_t wide)
{
    const void *a = p->a != NULL ? p->a : x[0];
    const void *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    for (int32_t i = 0; i < p->batch; i++) {
        for (int32_t row = 0; row < p->rows; row++) {
            const int32_t at_row = i * p->rows + row;
            eq_matmul_row(p, a, at_row * p->terms, b, i * p->terms * p->columns, y, at_row * p->columns, at, bt, yt,
                          rule, wide);
        }
    }
}

#endif
