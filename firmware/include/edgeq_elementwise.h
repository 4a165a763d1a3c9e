/* edgeq_elementwise.h: what add, sub, mul, maximum, minimum and prelu share: two operands that broadcast, walked in the order of the output. */
#ifndef EDGEQ_ELEMENTWISE_H
#define EDGEQ_ELEMENTWISE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t rank;                                   /* axes after neighbours that walk alike are joined; 1 or more */
    int32_t shape[EQ_RANK];                         /* of the output */
    int32_t a_stride[EQ_RANK], b_stride[EQ_RANK];   /* elements; 0 where an operand repeats */
    int32_t a_shift, b_shift;                       /* to the left, to the finer of both grids; unused by mul; of prelu:
                                                       of a, and of the product */
    int32_t shift;                                  /* binary point of the exact result less that of y */
    int64_t start;                                  /* rounding constant, where it is folded */
    int64_t lo, hi;                                 /* bounds on the grid of y */
    const void *a, *b;                              /* a constant operand; null: the next of x[] */
} eq_elementwise_t;

enum { EQ_ADD, EQ_SUB, EQ_MUL, EQ_MAX, EQ_MIN, EQ_PRELU };

/* The greater or the lesser of two sums. */
EQ_INLINE eq_acc eq_acc_choose(eq_acc a, eq_acc b, bool greater, int32_t wide)
{
    const bool above = wide == EQ_96 ? eq_wide_less(eq_acc_wide(b), eq_acc_wide(a))
                       : wide        ? a.wide > b.wide
                                     : a.narrow > b.narrow;
    return above == greater ? a : b;
}

/* *sum += a where a is not negative, else a * b, each shifted to the left */
EQ_INLINE void eq_acc_prelu(eq_acc *sum, const void *a, int32_t ai, eq_type at, int32_t a_shift, const void *b,
                            int32_t bi, eq_type bt, int32_t b_shift, int32_t wide)
{
    if (wide == EQ_96) {
        const int64_t v = eq_load64(a, ai, at);
        const eq_wide product = eq_wide_shl(eq_wide_product(v, eq_load64(b, bi, bt)), b_shift);
        eq_acc_add_wide(sum, v < 0 ? product : eq_wide_shl(eq_wide_of(v), a_shift));
    } else if (wide) {
        const int64_t v = eq_load64(a, ai, at);
        sum->wide += v < 0 ? eq_shl64(v * eq_load64(b, bi, bt), b_shift) : eq_shl64(v, a_shift);
    } else {
        const int32_t v = eq_load(a, ai, at);
        sum->narrow += v < 0 ? eq_shl32(v * eq_load(b, bi, bt), b_shift) : eq_shl32(v, a_shift);
    }
}

/* The exact result, `start` added. */
EQ_INLINE eq_acc eq_elementwise_of(eq_acc start, const void *a, int32_t ai, eq_type at, int32_t a_shift, const void *b,
                                   int32_t bi, eq_type bt, int32_t b_shift, int32_t op, int32_t wide)
{
    eq_acc sum = start;
    if (op == EQ_MUL) {
        eq_mac(&sum, a, ai, at, b, bi, bt, wide);
    } else if (op == EQ_PRELU) {
        eq_acc_prelu(&sum, a, ai, at, a_shift, b, bi, bt, b_shift, wide);
    } else {
        eq_acc_add(&sum, a, ai, at, a_shift, wide);
        if (op == EQ_ADD) {
            eq_acc_add(&sum, b, bi, bt, b_shift, wide);
        } else if (op == EQ_SUB) {
            eq_acc_subtract(&sum, b, bi, bt, b_shift, wide);
        } else {
            eq_acc other = start;
            eq_acc_add(&other, b, bi, bt, b_shift, wide);
            sum = eq_acc_choose(sum, other, op == EQ_MAX, wide);
        }
    }
    return sum;
}

EQ_INLINE void eq_elementwise_run(eq_acc start, const eq_elementwise_t *p, const void *a, int32_t ai, const void *b,
                                  int32_t bi, void *y, int32_t yi, int32_t op, eq_type at, eq_type bt, eq_type yt,
                                  int32_t rule, int32_t wide)
{
    const int32_t last = p->rank - 1, n = p->shape[last], a_step = p->a_stride[last], b_step = p->b_stride[last];
    const int32_t a_shift = p->a_shift, b_shift = p->b_shift, shift = p->shift;
    const int64_t lo = p->lo, hi = p->hi;
    for (int32_t i = 0; i < n; i++, ai += a_step, bi += b_step) {
        const eq_acc sum = eq_elementwise_of(start, a, ai, at, a_shift, b, bi, bt, b_shift, op, wide);
        eq_put(y, yi + i, sum, shift, lo, hi, yt, rule, wide);
    }
}

EQ_INLINE void eq_elementwise(const eq_elementwise_t *p, const void *const x[], void *y, int32_t op, eq_type at,
                              eq_type bt, eq_type yt, int32_t rule, int32_t wide)
{
    const void *a = p->a != NULL ? p->a : x[0];
    const void *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    const eq_acc start = eq_acc_of(p->start, wide);
    const int32_t n = p->shape[p->rank - 1];
    int32_t counter[EQ_RANK] = {0}, ai = 0, bi = 0, yi = 0;
    do {
        eq_elementwise_run(start, p, a, ai, b, bi, y, yi, op, at, bt, yt, rule, wide);
        yi += n;
    } while (eq_walk(p->rank, p->shape, counter, p->a_stride, &ai, p->b_stride, &bi));
}

#endif
