/* packed_requantise_dsp.h: codes on another grid where codes share bytes:
 * requantise_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_REQUANTISE_DSP_H
#define EDGEQ_KERNEL_PACKED_REQUANTISE_DSP_H

#include "edgeq_strips.h"
#include "requantise_dsp.h"

typedef struct {
    eq_strips_t strips;
    eq_requantise_dsp_t inner; /* the sizes of all rows */
} eq_packed_requantise_dsp_t;

/* The arguments: of requantise_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_requantise_dsp(const eq_packed_requantise_dsp_t *p, const void *const x[], void *y,
                                        void *scratch, bool xs, int32_t shift, int32_t sat, bool clamp)
{
    eq_requantise_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        job.count = at.out_h;
        eq_requantise_dsp(&job, at.x, at.y, xs, shift, sat, clamp);
    }
}

#endif
