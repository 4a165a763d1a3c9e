/* packed_max_pool_dsp.h: greatest element of each window where codes share bytes:
 * max_pool_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_MAX_POOL_DSP_H
#define EDGEQ_KERNEL_PACKED_MAX_POOL_DSP_H

#include "edgeq_strips.h"
#include "max_pool_dsp.h"

typedef struct {
    eq_strips_t strips;
    eq_max_pool_dsp_t inner; /* the sizes of all rows */
} eq_packed_max_pool_dsp_t;

/* The arguments: of max_pool_dsp.h. scratch: the rooms for rows. */
EQ_KERNEL void eq_packed_max_pool_dsp(const eq_packed_max_pool_dsp_t *p, const void *const x[], void *y,
                                      void *scratch, bool xs)
{
    eq_max_pool_dsp_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_ROWS(job, job, at);
        eq_max_pool_dsp(&job, at.x, at.y, xs);
    }
}

#endif
