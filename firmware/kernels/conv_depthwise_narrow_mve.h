/* conv_depthwise_narrow_mve.h: conv_depthwise_scaled_mve.h for weights below 8 bits and for minifloats whose grid fits a
 * byte; see conv_narrow_mve.h. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_NARROW_MVE_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_NARROW_MVE_H

#include "conv_depthwise_scaled_mve.h"
#include "edgeq_mve_elements.h"
#include "edgeq_narrow.h"

typedef struct {
    eq_conv_depthwise_scaled_mve_t conv; /* its stream is empty */
    int32_t blocks;                      /* of four channels */
    const uint32_t *packed; /* each: codes of 16 words as edgeq_narrow.h says, then nine words of the stage */
    int32_t room;           /* bytes of scratch for x, a multiple of four */
} eq_conv_depthwise_narrow_mve_t;

/* xt, wt: types of x and the weights; flip, rule: of conv_depthwise_scaled_mve.h.
 * scratch: `room` bytes, the stream, seven words, and what conv_depthwise_scaled_mve.h takes. */
EQ_KERNEL void eq_conv_depthwise_narrow_mve(const eq_conv_depthwise_narrow_mve_t *p, const void *const x[], void *y,
                                            void *scratch, eq_type xt, eq_type wt, bool flip, int32_t rule)
{
    uint8_t *const decoded = scratch;
    eq_u32 *const stream = (eq_u32 *)(void *)(decoded + p->room);
    eq_conv_depthwise_scaled_mve_t job = p->conv;
    const void *from[1] = {x[0]};
    eq_narrow_table table;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_narrow_bytes(stream, p->packed, p->blocks, 16, 9, &table, wt);
    job.stream = (const uint32_t *)(const void *)stream;
    if (eq_is_float(xt)) {
        eq_narrow_fill(&table, xt);
        eq_mve_look_up((const uint8_t *)table.of, x[0], decoded, job.image.in_h * job.image.in_w * job.image.pixel);
        from[0] = decoded;
    }
    eq_conv_depthwise_scaled_mve(&job, from, y, stream + p->blocks * 25 + 7, flip, rule);
}

#endif
