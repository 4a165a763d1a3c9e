/* packed_conv_narrow_dsp.h: convolution with weights below 8 bits where codes share bytes: those of conv_narrow_dsp.h
 * brought out once, conv_dsp.h in strips (edgeq_strips.h). */
#ifndef EDGEQ_KERNEL_PACKED_CONV_NARROW_DSP_H
#define EDGEQ_KERNEL_PACKED_CONV_NARROW_DSP_H

#include "conv_narrow_dsp.h"
#include "edgeq_strips.h"

typedef struct {
    eq_strips_t strips;
    eq_conv_narrow_dsp_t inner; /* the sizes of all rows */
} eq_packed_conv_narrow_dsp_t;

/* Strips of `chunk` channels after `chunk` channels. */
EQ_INLINE void eq_packed_conv_narrow_chunks(const eq_packed_conv_narrow_dsp_t *p, eq_strip_t *at, eq_type xt,
                                            eq_type wt, int32_t sat, bool clamp, int32_t stage)
{
    eq_conv_narrow_dsp_t job = p->inner;
    while (eq_strips_next(at)) {
        EQ_STRIP_SIZES(job.conv, job.conv, *at);
        eq_conv_narrow_dsp(&job, at->x, at->y, at->scratch, xt, wt, sat, clamp, stage, false);
    }
}

/* The arguments: of conv_narrow_dsp.h; y is fixed point. scratch: the rooms for rows, then what that one takes. */
EQ_KERNEL void eq_packed_conv_narrow_dsp(const eq_packed_conv_narrow_dsp_t *p, const void *const x[], void *y,
                                         void *scratch, eq_type xt, eq_type wt, int32_t sat, bool clamp, int32_t stage,
                                         bool whole)
{
    eq_conv_dsp_t job = p->inner.conv;
    eq_strip_t at;
    eq_narrow_table table;
    eq_strips_begin(&at, &p->strips, x, y, scratch);
    if (!whole) {
        eq_packed_conv_narrow_chunks(p, &at, xt, wt, sat, clamp, stage);
        return;
    }
    eq_u32 *const stream = (eq_u32 *)at.scratch + 2 * job.units;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    (void)eq_narrow_expand(stream, job.stream, (job.out_c + 3) / 4, job.units, &table, wt);
    job.stream = stream;
    while (eq_strips_next(&at)) {
        EQ_STRIP_SIZES(job, job, at);
        eq_conv_dsp(&job, at.x, at.y, at.scratch, eq_is_signed(xt), true, sat, clamp);
    }
}

#endif
