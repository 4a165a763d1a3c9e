/* linear_dsp.h: one vector of 8-bit codes times constant weights with DSP: four outputs at a time, no scratch. */
#ifndef EDGEQ_KERNEL_LINEAR_DSP_H
#define EDGEQ_KERNEL_LINEAR_DSP_H

#include "edgeq_dsp_gather.h"
#include "edgeq_dsp_row.h"

typedef struct {
    int32_t inputs, outputs;
    int32_t units;          /* of the vector */
    int32_t lo, hi;         /* bounds of a code, where saturation does not make them */
    const uint32_t *stream; /* weights, start values and shifts, as edgeq_dsp_block.h says; outputs rounded up to four */
} eq_linear_dsp_t;

/* xs: whether codes of x are signed; dual, sat: see edgeq_dsp_block.h; clamp: whether lo and hi are needed. */
EQ_KERNEL void eq_linear_dsp(const eq_linear_dsp_t *p, const void *const x[], void *y, bool xs, bool dual, int32_t sat,
                             bool clamp)
{
    const int32_t n = p->inputs, left = n % 4, fours = p->outputs / 4, words = 5 + 2 * p->units;
    const uint8_t *from = x[0];
    /* Units of one pixel lie two words apart in what the gatherer writes: the rest takes words 0 and 2. */
    uint32_t rest[4] = {0, 0, 0, 0};
    (void)eq_dsp_expand_rest(rest, eq_dsp_rest(from + (n - left), left), left, xs);
    rest[1] = rest[2];
    eq_dsp_row_t job = {from, from + (n - left), y, rest, rest + (left + 1) / 2, p->stream + fours * words, p->stream,
                        0, 0, 0};
    if (fours > 0) {
        eq_dsp_row(&job, xs, dual, sat, EQ_STAGE_SHIFT, false);
    }
    if (p->outputs % 4 > 0) {
        uint8_t last[4];
        job.w = job.w_end;
        job.w_end = job.w + words;
        job.y = last;
        eq_dsp_row(&job, xs, dual, sat, EQ_STAGE_SHIFT, false);
        for (int32_t i = 0; i < p->outputs % 4; i++) {
            ((uint8_t *)y)[4 * fours + i] = last[i];
        }
    }
    if (clamp) {
        eq_dsp_clamp(y, p->outputs, p->lo, p->hi, sat);
    }
}

#endif
