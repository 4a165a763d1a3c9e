/* add_dsp.h: element-wise sum or difference of two operands of one size, 8-bit codes, four at a time with DSP. */
#ifndef EDGEQ_KERNEL_ADD_DSP_H
#define EDGEQ_KERNEL_ADD_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t count;    /* elements */
    uint32_t factors; /* lanes: what takes a, and b, to the grid of the sum; negative for a difference */
    int32_t start;    /* rounding constant */
    int32_t lo, hi;   /* bounds of a code, where saturation does not make them */
    const void *a, *b; /* a constant operand; null: the next of x[] */
} eq_add_dsp_t;

/* lanes: an element of a and one of b */
EQ_INLINE uint8_t eq_add_dsp_one(uint32_t lanes, uint32_t factors, int32_t start, int32_t shift, int32_t sat)
{
    return (uint8_t)eq_saturate_asr(eq_smlad(lanes, factors, start), shift, sat);
}

/* as, bs: whether codes are signed; shift: of the sum to y; sat, clamp: see edgeq_dsp.h. y may lie over an operand. */
EQ_KERNEL void eq_add_dsp(const eq_add_dsp_t *p, const void *const x[], void *y, bool as, bool bs, int32_t shift,
                          int32_t sat, bool clamp)
{
    const uint8_t *a = p->a != NULL ? p->a : x[0];
    const uint8_t *b = p->b != NULL ? p->b : x[p->a != NULL ? 0 : 1];
    uint8_t *to = y;
    const uint32_t factors = p->factors;
    const int32_t start = p->start;
    int32_t n = p->count;
    for (; n >= 4; n -= 4, a += 4, b += 4, to += 4) {
        const uint32_t u = eq_word(a), v = eq_word(b);
        uint32_t l0, l1, l2, l3;
        if (as == bs) {
            /* Bytes side by side first: two elements of each operand are extended at once. */
            const uint32_t low = eq_pkhbt(u, v), high = eq_pkhtb(u, v);
            l0 = eq_even(low, as);
            l1 = eq_odd(low, as);
            l2 = eq_even(high, as);
            l3 = eq_odd(high, as);
        } else {
            const uint32_t ue = eq_even(u, as), uo = eq_odd(u, as), ve = eq_even(v, bs), vo = eq_odd(v, bs);
            l0 = eq_pkhbt(ue, ve);
            l1 = eq_pkhbt(uo, vo);
            l2 = eq_pkhtb(ue, ve);
            l3 = eq_pkhtb(uo, vo);
        }
        to[0] = eq_add_dsp_one(l0, factors, start, shift, sat);
        to[1] = eq_add_dsp_one(l1, factors, start, shift, sat);
        to[2] = eq_add_dsp_one(l2, factors, start, shift, sat);
        to[3] = eq_add_dsp_one(l3, factors, start, shift, sat);
    }
    for (; n > 0; n--, a++, b++, to++) {
        const int32_t u = as ? (int8_t)*a : *a, v = bs ? (int8_t)*b : *b;
        *to = eq_add_dsp_one(eq_lanes(u, v), factors, start, shift, sat);
    }
    if (clamp) {
        eq_dsp_clamp(y, p->count, p->lo, p->hi, sat);
    }
}

#endif
