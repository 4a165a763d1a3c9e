/* linear_mve.h: one vector of 8-bit codes times constant weights with Helium: four outputs at a time, no scratch. */
#ifndef EDGEQ_KERNEL_LINEAR_MVE_H
#define EDGEQ_KERNEL_LINEAR_MVE_H

#include "edgeq_mve_block.h"

typedef struct {
    int32_t inputs, outputs;
    int32_t bytes;         /* of a block of the stream */
    int32_t lo, hi;        /* bounds of a code, where saturation does not make them */
    const uint32_t *stream; /* weights, start values and shifts, as edgeq_mve_block.h says; outputs rounded up to four */
} eq_linear_mve_t;

/* xs: whether codes of x are signed; sat, clamp: see edgeq_dsp.h. */
EQ_KERNEL void eq_linear_mve(const eq_linear_mve_t *p, const void *const x[], void *y, bool xs, int32_t sat, bool clamp)
{
    const int32_t fours = p->outputs / 4, rest = p->outputs % 4;
    const uint8_t *stream = (const uint8_t *)p->stream;
    eq_mve_row_t job = {x[0], p->inputs, p->bytes, stream, stream + fours * p->bytes, y};
    if (fours > 0) {
        eq_mve_row(&job, xs, sat);
    }
    if (rest > 0) {
        uint8_t last[4], *to = (uint8_t *)y + 4 * fours;
        job.w = job.w_end;
        job.w_end = job.w + p->bytes;
        job.y = last;
        eq_mve_row(&job, xs, sat);
        for (int32_t i = 0; i < rest; i++) {
            to[i] = last[i];
        }
    }
    if (clamp) {
        eq_dsp_clamp(y, p->outputs, p->lo, p->hi, sat);
    }
}

#endif
