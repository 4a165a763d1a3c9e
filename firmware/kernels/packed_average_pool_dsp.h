/* packed_average_pool_dsp.h: mean of each window where codes share bytes:
 * average_pool_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_AVERAGE_POOL_DSP_H
#define EDGEQ_KERNEL_PACKED_AVERAGE_POOL_DSP_H

#include "average_pool_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_average_pool_dsp_t inner; /* the sizes of all rows */
} eq_packed_average_pool_dsp_t;

/* The arguments: of average_pool_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_average_pool_dsp(const eq_packed_average_pool_dsp_t *p, const void *const x[], void *y,
                                          void *scratch, bool xs, bool divide, int32_t rule, int32_t sat, bool clamp)
{
    eq_average_pool_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_ROWS(job, job, at);
        eq_average_pool_dsp(&job, at.x, at.y, xs, divide, rule, sat, clamp);
    }
}

#endif
