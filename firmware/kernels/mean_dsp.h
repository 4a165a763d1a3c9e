/* mean_dsp.h: exact mean over leading axes of 8-bit codes, rounded once; four neighbouring outputs at a time with DSP. */
#ifndef EDGEQ_KERNEL_MEAN_DSP_H
#define EDGEQ_KERNEL_MEAN_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t terms, count; /* x (terms, count), y (count); up to 256 terms */
    int32_t shift;        /* without division: of the sum to y; with it: of the sum to the left */
    int32_t divisor;      /* alignment included */
    int32_t start;        /* rounding constant, where it is folded */
    int32_t lo, hi;       /* bounds of a code, where saturation does not make them */
} eq_mean_dsp_t;

/* xs: whether codes of x are signed; divide: false where the divisor is a power of two, which is then part of `shift`;
 * sat, clamp: see edgeq_dsp.h. */
EQ_KERNEL void eq_mean_dsp(const eq_mean_dsp_t *p, const void *const x[], void *y, bool xs, bool divide, int32_t rule,
                           int32_t sat, bool clamp)
{
    const uint8_t *from = x[0];
    uint8_t *to = y;
    const int32_t count = p->count, terms = p->terms, start = p->start, shift = p->shift, divisor = p->divisor;
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        eq_dsp_sums sums = {0, 0};
        eq_dsp_sum_run(&sums, from + i, count, terms, xs);
        for (int32_t k = 0; k < 4; k++) {
            const int32_t sum = start + eq_dsp_sum_of(&sums, k, xs);
            to[i + k] = eq_dsp_mean_code(sum, shift, divisor, divide, rule, sat);
        }
    }
    for (; i < count; i++) {
        int32_t sum = start;
        for (int32_t t = 0; t < terms; t++) {
            sum += eq_load(from, t * count + i, xs ? EQ_S(8) : EQ_U(8));
        }
        to[i] = eq_dsp_mean_code(sum, shift, divisor, divide, rule, sat);
    }
    if (clamp) {
        eq_dsp_clamp(y, count, p->lo, p->hi, sat);
    }
}

#endif
