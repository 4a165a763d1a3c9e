/* linear_scaled_dsp.h: one vector of 8-bit codes times constant weights with DSP. */
#ifndef EDGEQ_KERNEL_LINEAR_SCALED_DSP_H
#define EDGEQ_KERNEL_LINEAR_SCALED_DSP_H

#include "edgeq_dsp_gather.h"
#include "edgeq_dsp_row.h"

typedef struct {
    int32_t inputs, outputs;
    int32_t units;          /* of the vector */
    int32_t lo, hi;         /* bounds of a code, where saturation does not make them */
    uint32_t m, c, shift;   /* where all outputs share a multiplier: M, c and e of edgeq_dsp_scale.h */
    const uint32_t *stream; /* weights, start values and constants, see edgeq_dsp_scale.h; outputs rounded up to four */
} eq_linear_scaled_dsp_t;

/* xs: whether codes of x are signed; dual: see edgeq_dsp_block.h; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi
 * are needed; stage: see edgeq_dsp_scale.h; one: whether all outputs share a multiplier. */
EQ_KERNEL void eq_linear_scaled_dsp(const eq_linear_scaled_dsp_t *p, const void *const x[], void *y, bool xs, bool dual,
                                    int32_t sat, bool clamp, int32_t stage, bool one)
{
    const int32_t n = p->inputs, left = n % 4, fours = p->outputs / 4;
    const int32_t words = 4 + 2 * p->units + (one ? 0 : eq_dsp_stage_words(stage));
    const uint8_t *from = x[0];
    /* Units of one pixel lie two words apart in what the gatherer writes: the rest takes words 0 and 2. */
    uint32_t rest[4] = {0, 0, 0, 0};
    (void)eq_dsp_expand_rest(rest, eq_dsp_rest(from + (n - left), left), left, xs);
    rest[1] = rest[2];
    eq_dsp_row_t job = {from, from + (n - left), y, rest, rest + (left + 1) / 2, p->stream + fours * words, p->stream,
                        p->m, p->c, p->shift};
    if (fours > 0) {
        eq_dsp_row(&job, xs, dual, sat, stage, one);
    }
    if (p->outputs % 4 > 0) {
        uint8_t last[4];
        job.w = job.w_end;
        job.w_end = job.w + words;
        job.y = last;
        eq_dsp_row(&job, xs, dual, sat, stage, one);
        for (int32_t i = 0; i < p->outputs % 4; i++) {
            ((uint8_t *)y)[4 * fours + i] = last[i];
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, p->outputs, p->lo, p->hi, sat == EQ_SAT_S8);
    }
}

#endif
