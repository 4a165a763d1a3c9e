/* packed_conv_first_dsp.h: convolution of one to three channels where codes share bytes:
 * conv_first_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_FIRST_DSP_H
#define EDGEQ_KERNEL_PACKED_CONV_FIRST_DSP_H

#include "conv_first_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_first_dsp_t inner; /* the sizes of all rows */
} eq_packed_conv_first_dsp_t;

/* The arguments: of conv_first_dsp.h. scratch:
 * the rooms for rows, then what conv_first_dsp.h takes. */
EQ_KERNEL void eq_packed_conv_first_dsp(const eq_packed_conv_first_dsp_t *p, const void *const x[], void *y,
                                        void *scratch, bool xs, bool dual, int32_t sat, bool clamp, int32_t stage,
                                        int32_t pixel)
{
    eq_conv_first_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job, job, at);
        eq_conv_first_dsp(&job, at.x, at.y, at.scratch, xs, dual, sat, clamp, stage, pixel);
    }
}

#endif
