/* requantise_dsp.h: 8-bit codes on another 8-bit grid, clamped, four at a time with DSP. */
#ifndef EDGEQ_KERNEL_REQUANTISE_DSP_H
#define EDGEQ_KERNEL_REQUANTISE_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t count;  /* elements */
    int32_t factor; /* 2^n where the grid of y is finer */
    int32_t start;  /* rounding constant */
    int32_t lo, hi; /* bounds of a code, where saturation does not make them */
} eq_requantise_dsp_t;

/* xs: whether codes of x are signed; shift: to the right; sat, clamp: see edgeq_dsp.h. y may lie over x. */
EQ_KERNEL void eq_requantise_dsp(const eq_requantise_dsp_t *p, const void *const x[], void *y, bool xs, int32_t shift,
                                 int32_t sat, bool clamp)
{
    const uint8_t *from = x[0];
    uint8_t *to = y;
    const uint32_t low = (uint32_t)p->factor, high = low << 16;
    const int32_t start = p->start;
    int32_t n = p->count;
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        const uint32_t v = eq_word(from), even = eq_even(v, xs), odd = eq_odd(v, xs);
        to[0] = (uint8_t)eq_saturate_asr(eq_smlad(even, low, start), shift, sat);
        to[1] = (uint8_t)eq_saturate_asr(eq_smlad(odd, low, start), shift, sat);
        to[2] = (uint8_t)eq_saturate_asr(eq_smlad(even, high, start), shift, sat);
        to[3] = (uint8_t)eq_saturate_asr(eq_smlad(odd, high, start), shift, sat);
    }
    for (; n > 0; n--, from++, to++) {
        const uint32_t lane = eq_even(*from, xs);
        *to = (uint8_t)eq_saturate_asr(eq_smlad(lane, low, start), shift, sat);
    }
    if (clamp) {
        eq_dsp_clamp(y, p->count, p->lo, p->hi, sat);
    }
}

#endif
