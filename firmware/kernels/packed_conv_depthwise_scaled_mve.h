/* packed_conv_depthwise_scaled_mve.h: depthwise convolution where codes share bytes: conv_depthwise_scaled_mve.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_SCALED_MVE_H
#define EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_SCALED_MVE_H

#include "conv_depthwise_scaled_mve.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_depthwise_scaled_mve_t inner; /* the sizes of all rows */
} eq_packed_conv_depthwise_scaled_mve_t;

/* The arguments: of conv_depthwise_scaled_mve.h. scratch: the rooms for rows, then what conv_depthwise_scaled_mve.h takes. */
EQ_KERNEL void eq_packed_conv_depthwise_scaled_mve(const eq_packed_conv_depthwise_scaled_mve_t *p, const void *const x[], void *y,
                                                   void *scratch, bool flip, int32_t rule)
{
    eq_conv_depthwise_scaled_mve_t job = p->inner;
    eq_strip_t at;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    while (eq_strips_next(&at)) {
        EQ_STRIP_ROWS(job.image, job, at);
        eq_conv_depthwise_scaled_mve(&job, at.x, at.y, at.scratch, flip, rule);
    }
}

#endif
