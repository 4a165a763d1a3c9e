/* mul_scaled_mve.h: product of two byte tensors of one size with scales and Helium: eight elements at a time. */
#ifndef EDGEQ_KERNEL_MUL_SCALED_MVE_H
#define EDGEQ_KERNEL_MUL_SCALED_MVE_H

#include "edgeq_mve_elements.h"

typedef struct {
    int32_t count; /* elements */
    int32_t a_zero, b_zero, zero;
    int32_t multiplier, shift; /* the shift without the 31 of the first step, negated */
    int32_t lo, hi;
    const void *a, *b; /* a constant operand; null: the next of x[] */
} eq_mul_scaled_mve_t;

/* is_signed: codes of a, b and y; rule: of edgeq_mve_stage.h. y may lie over an operand. */
EQ_KERNEL void eq_mul_scaled_mve(const eq_mul_scaled_mve_t *p, const void *const x[], void *y, bool is_signed,
                                 int32_t rule)
{
    const uint8_t *a = p->a != NULL ? p->a : x[0];
    const uint8_t *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    uint8_t *to = y;
    const int32_t whole = p->count - p->count % 8;
    const eq_mve_elements_t job = {a, b, to, whole};
    eq_mve_product_t product = {p->a_zero, p->b_zero, p->multiplier, p->shift, p->zero, 0, {0}, {0}};
    for (int32_t i = 0; i < 8; i++) {
        product.lo[i] = (int16_t)p->lo;
        product.hi[i] = (int16_t)p->hi;
    }
    eq_mve_product(&job, &product, rule, is_signed);
    for (int32_t i = whole; i < p->count; i++) {
        to[i] = eq_mve_product_code(a[i], b[i], &product, rule, is_signed);
    }
}

#endif
