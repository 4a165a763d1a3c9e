/* mean_dsp.h: exact mean over leading axes of 8-bit codes, rounded once; four neighbouring outputs at a time with DSP. */
#ifndef EDGEQ_KERNEL_MEAN_DSP_H
#define EDGEQ_KERNEL_MEAN_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t terms, count; /* x (terms, count), y (count); up to 256 terms */
    int32_t shift;        /* without division: of the sum to y; with it: of the sum to the left */
    int32_t divisor;      /* alignment included */
    int32_t start;        /* rounding constant, where it is folded */
    int32_t lo, hi;       /* bounds on the grid of y */
} eq_mean_dsp_t;

EQ_INLINE void eq_mean_dsp_put(const eq_mean_dsp_t *p, void *y, int32_t i, int32_t sum, bool divide, eq_type yt,
                               int32_t rule)
{
    const eq_acc a = eq_acc_of(p->start + sum, false);
    if (divide) {
        eq_put_ratio(y, i, a, p->shift, p->divisor, p->lo, p->hi, yt, rule, false);
    } else {
        eq_put(y, i, a, p->shift, p->lo, p->hi, yt, rule, false);
    }
}

/* xs: whether codes of x are signed; divide: false where the divisor is a power of two, which is then part of `shift`. */
EQ_KERNEL void eq_mean_dsp(const eq_mean_dsp_t *p, const void *const x[], void *y, bool xs, bool divide, eq_type yt,
                           int32_t rule)
{
    const uint8_t *from = x[0];
    const int32_t count = p->count, terms = p->terms;
    int32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        eq_dsp_sums sums = {0, 0};
        eq_dsp_sum_run(&sums, from + i, count, terms, xs);
        for (int32_t k = 0; k < 4; k++) {
            eq_mean_dsp_put(p, y, i + k, eq_dsp_sum_of(&sums, k, xs), divide, yt, rule);
        }
    }
    for (; i < count; i++) {
        int32_t sum = 0;
        for (int32_t t = 0; t < terms; t++) {
            sum += eq_load(from, t * count + i, xs ? EQ_S(8) : EQ_U(8));
        }
        eq_mean_dsp_put(p, y, i, sum, divide, yt, rule);
    }
}

#endif
