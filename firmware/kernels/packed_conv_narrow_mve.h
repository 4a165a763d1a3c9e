/* packed_conv_narrow_mve.h: convolution with weights below 8 bits where codes share bytes: those of
 * conv_narrow_mve.h brought out once, conv_scaled_mve.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_NARROW_MVE_H
#define EDGEQ_KERNEL_PACKED_CONV_NARROW_MVE_H

#include "conv_narrow_mve.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_narrow_mve_t inner; /* the sizes of all rows */
} eq_packed_conv_narrow_mve_t;

/* The arguments: of conv_narrow_mve.h; y is fixed point. scratch: the rooms for rows, then what that one takes. */
EQ_KERNEL void eq_packed_conv_narrow_mve(const eq_packed_conv_narrow_mve_t *p, const void *const x[], void *y,
                                         void *scratch, eq_type xt, eq_type wt, bool flip,
                                         int32_t rule)
{
    const int32_t words = 16 * p->inner.conv.layer.groups;
    eq_conv_scaled_mve_t job = p->inner.conv;
    eq_strip_t at;
    eq_narrow_table table;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    eq_u32 *const stream = at.scratch;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_narrow_bytes(stream, p->inner.packed, p->inner.blocks, words, 9, &table, wt);
    job.layer.stream = (const uint32_t *)(const void *)stream;
    (void)xt;
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job.image, job, at);
        eq_conv_scaled_mve(&job, at.x, at.y, stream + p->inner.blocks * (words + 9) + 7, flip, rule);
    }
}

#endif
