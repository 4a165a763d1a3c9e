/* packed_add_dsp.h: sum of two operands where codes share bytes: add_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_ADD_DSP_H
#define EDGEQ_KERNEL_PACKED_ADD_DSP_H

#include "add_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_add_dsp_t inner; /* the sizes of all rows */
} eq_packed_add_dsp_t;

/* The arguments: of add_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_add_dsp(const eq_packed_add_dsp_t *p, const void *const x[], void *y, void *scratch, bool as,
                                 bool bs, int32_t shift, int32_t sat, bool clamp)
{
    eq_add_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        job.count = at.out_h;
        eq_add_dsp(&job, at.x, at.y, as, bs, shift, sat, clamp);
    }
}

#endif
