/* edgeq_elementwise_scaled.h: add, sub, mul, maximum, minimum and prelu of two operands that broadcast, each with a scale of its own. */
#ifndef EDGEQ_ELEMENTWISE_SCALED_H
#define EDGEQ_ELEMENTWISE_SCALED_H

#include "edgeq_elementwise.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t rank;                                 /* axes after neighbours that walk alike are joined; 1 or more */
    int32_t shape[EQ_RANK];                       /* of the output */
    int32_t a_stride[EQ_RANK], b_stride[EQ_RANK]; /* elements; 0 where an operand repeats */
    int32_t a_zero, b_zero;                       /* zero points */
    int32_t left;                                 /* shift of both before their multipliers; negative: they have none */
    int32_t a_multiplier, b_multiplier, a_shift, b_shift;
    eq_scale_t scale;                             /* prelu: two entries, of the product and of a itself */
    const void *a, *b; /* a constant operand; null: the next of x[] */
} eq_elementwise_scaled_t;

/* An operand as a number of the scale in which both are joined. */
EQ_INLINE int64_t eq_scaled_operand(const void *x, int32_t i, int32_t zero, int32_t left, int32_t multiplier,
                                    int32_t shift, eq_type t, int32_t rule)
{
    const int64_t v = eq_load64(x, i, t) - zero;
    return left < 0 ? v : eq_scale(eq_shl64(v, left), multiplier, shift, rule);
}

/* Both operands joined. */
EQ_INLINE int64_t eq_scaled_join(int64_t v, int64_t w, int32_t op)
{
    switch (op) {
    case EQ_MUL:
        return v * w;
    case EQ_SUB:
        return v - w;
    case EQ_MAX:
        return v > w ? v : w;
    case EQ_MIN:
        return v < w ? v : w;
    case EQ_PRELU:
        return v < 0 ? v * w : v;
    default:
        return v + w;
    }
}

EQ_INLINE void eq_elementwise_scaled(const eq_elementwise_scaled_t *p, const void *const x[], void *y, int32_t op,
                                     eq_type at, eq_type bt, eq_type yt, int32_t rule)
{
    const void *a = p->a != NULL ? p->a : x[0];
    const void *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    const int32_t last = p->rank - 1, n = p->shape[last];
    const int32_t a_step = p->a_stride[last], b_step = p->b_stride[last];
    int32_t counter[EQ_RANK] = {0}, ai = 0, bi = 0, yi = 0;
    do {
        for (int32_t i = 0; i < n; i++, yi++) {
            const int64_t v = eq_scaled_operand(a, ai + i * a_step, p->a_zero, p->left, p->a_multiplier, p->a_shift,
                                                at, rule);
            const int64_t w = eq_scaled_operand(b, bi + i * b_step, p->b_zero, p->left, p->b_multiplier, p->b_shift,
                                                bt, rule);
            const eq_acc sum = eq_acc_of(eq_scaled_join(v, w, op), true);
            eq_put_scaled(y, yi, sum, &p->scale, op == EQ_PRELU && v >= 0 ? 1 : 0, yt, rule, true);
        }
    } while (eq_walk(p->rank, p->shape, counter, p->a_stride, &ai, p->b_stride, &bi));
}

#endif
