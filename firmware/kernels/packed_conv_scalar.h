/* packed_conv_scalar.h: convolution where codes share bytes: conv_scalar.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_SCALAR_H
#define EDGEQ_KERNEL_PACKED_CONV_SCALAR_H

#include "conv_scalar.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_scalar_t inner; /* the sizes of all rows */
} eq_packed_conv_scalar_t;

/* The arguments: of conv_scalar.h. scratch:
 * the rooms for rows, then what conv_scalar.h takes. */
EQ_KERNEL void eq_packed_conv_scalar(const eq_packed_conv_scalar_t *p, const void *const x[], void *y, void *scratch,
                                     int32_t form, bool words, bool direct, bool xs, int32_t stage)
{
    eq_conv_scalar_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job, job, at);
        eq_conv_scalar(&job, at.x, at.y, at.scratch, form, words, direct, xs, stage);
    }
}

#endif
