/* packed_conv_depthwise_scalar.h: depthwise convolution where codes share bytes:
 * conv_depthwise_scalar.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_SCALAR_H
#define EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_SCALAR_H

#include "conv_depthwise_scalar.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_depthwise_scalar_t inner; /* the sizes of all rows */
} eq_packed_conv_depthwise_scalar_t;

/* The arguments: of conv_depthwise_scalar.h. scratch: the rooms for rows, then what conv_depthwise_scalar.h takes. */
EQ_KERNEL void eq_packed_conv_depthwise_scalar(const eq_packed_conv_depthwise_scalar_t *p, const void *const x[],
                                               void *y, void *scratch, int32_t rows, int32_t columns, bool scaled)
{
    eq_conv_depthwise_scalar_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_ROWS(job, job, at);
        eq_conv_depthwise_scalar(&job, at.x, at.y, at.scratch, rows, columns, scaled);
    }
}

#endif
