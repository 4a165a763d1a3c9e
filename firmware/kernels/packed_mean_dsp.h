/* packed_mean_dsp.h: mean over leading axes where codes share bytes: mean_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_MEAN_DSP_H
#define EDGEQ_KERNEL_PACKED_MEAN_DSP_H

#include "edgeq_strips.h"
#include "mean_dsp.h"

typedef struct {
    eq_strips_t strips;
    eq_mean_dsp_t inner; /* the sizes of all rows */
} eq_packed_mean_dsp_t;

/* The arguments: of mean_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_mean_dsp(const eq_packed_mean_dsp_t *p, const void *const x[], void *y, void *scratch,
                                  bool xs, bool divide, int32_t rule, int32_t sat, bool clamp)
{
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        eq_mean_dsp(&p->inner, at.x, at.y, xs, divide, rule, sat, clamp);
    }
}

#endif
