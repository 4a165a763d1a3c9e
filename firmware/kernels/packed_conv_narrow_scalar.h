/* packed_conv_narrow_scalar.h: convolution with weights below 8 bits where codes share bytes: those of
 * conv_narrow_scalar.h brought out once, conv_scalar.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_NARROW_SCALAR_H
#define EDGEQ_KERNEL_PACKED_CONV_NARROW_SCALAR_H

#include "conv_narrow_scalar.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_narrow_scalar_t inner; /* the sizes of all rows */
} eq_packed_conv_narrow_scalar_t;

/* The arguments: of conv_narrow_scalar.h; y is fixed point. scratch: the rooms for rows, then what that one takes. */
EQ_KERNEL void eq_packed_conv_narrow_scalar(const eq_packed_conv_narrow_scalar_t *p, const void *const x[], void *y,
                                            void *scratch, eq_type xt, eq_type wt, int32_t form,
                                            bool words, bool direct, bool xs, int32_t stage)
{
    eq_conv_scalar_t job = p->inner.conv;
    eq_strip_t at;
    eq_narrow_table table;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    eq_u32 *const weight = at.scratch;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_narrow_bytes(weight, p->inner.packed, 1, p->inner.words, 0, &table, wt);
    job.weight = weight;
    (void)xt;
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job, job, at);
        eq_conv_scalar(&job, at.x, at.y, weight + p->inner.words + 7, form, words, direct, xs, stage);
    }
}

#endif
