/* packed_conv_depthwise_narrow_dsp.h: depthwise convolution with weights below 8 bits where codes share bytes: those of
 * conv_depthwise_narrow_dsp.h brought out once, conv_depthwise_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_NARROW_DSP_H
#define EDGEQ_KERNEL_PACKED_CONV_DEPTHWISE_NARROW_DSP_H

#include "conv_depthwise_narrow_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_depthwise_narrow_dsp_t inner; /* the sizes of all rows */
} eq_packed_conv_depthwise_narrow_dsp_t;

/* The arguments: of conv_depthwise_narrow_dsp.h; stage: EQ_STAGE_SHIFT, y is fixed point. scratch: the rooms for rows,
 * then what that one takes. */
EQ_KERNEL void eq_packed_conv_depthwise_narrow_dsp(const eq_packed_conv_depthwise_narrow_dsp_t *p,
                                                   const void *const x[], void *y, void *scratch, eq_type xt,
                                                   eq_type wt, int32_t stage, bool xs, int32_t sat, bool clamp)
{
    eq_conv_depthwise_dsp_t job = p->inner.conv;
    eq_strip_t at;
    eq_narrow_table table;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    eq_u32 *const stream = at.scratch;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_conv_depthwise_narrow_stream(stream, p->inner.packed, p->inner.blocks, job.taps, &table, wt);
    job.stream = (const uint32_t *)(const void *)stream;
    at.scratch = stream + p->inner.blocks * (2 * job.taps + 5) + 7;
    (void)xt;
    (void)stage;
    while (eq_strips_next(&at)) {
        EQ_STRIP_ROWS(job, job, at);
        eq_conv_depthwise_dsp(&job, at.x, at.y, at.scratch, xs, sat, clamp);
    }
}

#endif
