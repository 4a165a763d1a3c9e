/* add_scaled_scalar.h: sums and differences of 8-bit codes of two scales as one line through both, on cores that make
 * one product at a time.
 *
 * code = (A a / 2^8 + B b / 2^8 + C) >> shift, each quotient rounded down, clamped. When the parameters are made, all
 * 65536 pairs of codes are compared with the meaning of the operator; where one differs this kernel is not used.
 */
#ifndef EDGEQ_KERNEL_ADD_SCALED_SCALAR_H
#define EDGEQ_KERNEL_ADD_SCALED_SCALAR_H

#include "edgeq_scalar.h"

/* y and a: rows of n elements, one after the other; b: one such row for all, or as many. */
typedef struct {
    int32_t rows, n;
    int32_t b_step;    /* bytes from one row of b to the next: n, or 0 where it repeats */
    bool swapped;      /* whether a is the second of x[] */
    int32_t lo, hi;    /* bounds of y as codes */
    const void *b;     /* a constant operand; null: the other of x[] */
} eq_scalar_pairs_t;

typedef struct {
    eq_scalar_pairs_t pairs;
    int32_t a_factor, b_factor, start; /* A, B, C; unsigned codes are read less 128 */
} eq_add_scaled_scalar_t;

/* v * factor / 2^8, rounded down; -128 <= v < 128 */
EQ_INLINE int32_t eq_add_scaled_scalar_part(int32_t v, int32_t factor)
{
#if EQ_SCALAR_THUMB1
    return v * eq_asr32(factor, 8) + eq_asr32(v * (factor & 255), 8);
#else
    return (int32_t)eq_asr64((int64_t)factor * eq_shl32(v, 24), 32);
#endif
}

EQ_INLINE int32_t eq_add_scaled_scalar_load(const uint8_t *x, bool is_signed)
{
    return is_signed ? *(const eq_i8 *)x : *x - 128;
}

/* as, bs: whether codes of a and b are signed; shift. y may lie over a, and over b where it does not repeat. */
EQ_KERNEL void eq_add_scaled_scalar(const eq_add_scaled_scalar_t *p, const void *const x[], void *y, bool as, bool bs,
                                    int32_t shift)
{
    const eq_scalar_pairs_t pairs = p->pairs;
    const int32_t af = p->a_factor, bf = p->b_factor, start = p->start;
    const uint8_t *a = x[pairs.b == NULL && pairs.swapped ? 1 : 0];
    const uint8_t *row = pairs.b != NULL ? pairs.b : x[pairs.swapped ? 0 : 1];
    uint8_t *to = y;
    for (int32_t i = 0; i < pairs.rows; i++, row += pairs.b_step) {
        const uint8_t *b = row;
        for (const uint8_t *const end = a + pairs.n; a != end; a++, b++, to++) {
            const int32_t v = eq_add_scaled_scalar_part(eq_add_scaled_scalar_load(a, as), af);
            const int32_t w = eq_add_scaled_scalar_part(eq_add_scaled_scalar_load(b, bs), bf);
            *to = (uint8_t)eq_clamp32(eq_asr32(v + w + start, shift), pairs.lo, pairs.hi);
        }
    }
}

#endif
