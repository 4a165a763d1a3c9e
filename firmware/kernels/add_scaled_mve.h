/* add_scaled_mve.h: sum or difference of two byte tensors of one size with scales, as one line, with Helium. */
#ifndef EDGEQ_KERNEL_ADD_SCALED_MVE_H
#define EDGEQ_KERNEL_ADD_SCALED_MVE_H

#include "edgeq_mve_elements.h"

typedef struct {
    int32_t count;                     /* elements */
    int32_t factor_a, factor_b, start; /* y = (factor_a * a + factor_b * b + start) >> shift, saturated */
    int32_t lo, hi;                    /* bounds of a code, where saturation does not make them */
    const void *a, *b;                 /* a constant operand; null: the next of x[] */
} eq_add_scaled_mve_t;

/* shift: 20 to 23; is_signed: codes of a, b and y. The lowering proved for all pairs of codes that this is the sum with
 * its multipliers and roundings. y may lie over an operand. */
EQ_KERNEL void eq_add_scaled_mve(const eq_add_scaled_mve_t *p, const void *const x[], void *y, int32_t shift,
                                 bool is_signed, bool clamp)
{
    const uint8_t *a = p->a != NULL ? p->a : x[0];
    const uint8_t *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    uint8_t *to = y;
    const int32_t whole = p->count - p->count % 8;
    const eq_mve_elements_t job = {a, b, to, whole};
    eq_mve_line(&job, p->factor_a, p->factor_b, p->start, shift, is_signed);
    for (int32_t i = whole; i < p->count; i++) {
        to[i] = eq_mve_line_code(a[i], b[i], p->factor_a, p->factor_b, p->start, shift, is_signed);
    }
    if (clamp) {
        eq_mve_clamp(to, p->count, p->lo, p->hi, is_signed);
    }
}

#endif
