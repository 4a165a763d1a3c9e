/* packed_linear_dsp.h: a vector times weights where codes share bytes: linear_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_LINEAR_DSP_H
#define EDGEQ_KERNEL_PACKED_LINEAR_DSP_H

#include "edgeq_strips.h"
#include "linear_dsp.h"

typedef struct {
    eq_strips_t strips;
    eq_linear_dsp_t inner; /* the sizes of all rows */
} eq_packed_linear_dsp_t;

/* The arguments: of linear_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_linear_dsp(const eq_packed_linear_dsp_t *p, const void *const x[], void *y, void *scratch,
                                    bool xs, bool dual, int32_t sat, bool clamp)
{
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        eq_linear_dsp(&p->inner, at.x, at.y, xs, dual, sat, clamp);
    }
}

#endif
