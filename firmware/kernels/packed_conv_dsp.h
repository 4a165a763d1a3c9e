/* packed_conv_dsp.h: convolution where codes share bytes: conv_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_DSP_H
#define EDGEQ_KERNEL_PACKED_CONV_DSP_H

#include "conv_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_dsp_t inner; /* the sizes of all rows */
} eq_packed_conv_dsp_t;

/* The arguments: of conv_dsp.h. scratch: the rooms for rows, then what conv_dsp.h takes. */
EQ_KERNEL void eq_packed_conv_dsp(const eq_packed_conv_dsp_t *p, const void *const x[], void *y, void *scratch,
                                  bool xs, bool dual, int32_t sat, bool clamp)
{
    eq_conv_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job, job, at);
        eq_conv_dsp(&job, at.x, at.y, at.scratch, xs, dual, sat, clamp);
    }
}

#endif
