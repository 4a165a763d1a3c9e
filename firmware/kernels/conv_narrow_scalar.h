/* conv_narrow_scalar.h: conv_scalar.h for weights below 8 bits and for minifloats whose grid fits a byte.
 *
 * Weights stay packed in flash; all of them are expanded into scratch, and codes of a minifloat x beside them. A
 * minifloat y is looked up by its sums in halves of its grid, exact ones apart: EQ_SCALAR_EXACT.
 */
#ifndef EDGEQ_KERNEL_CONV_NARROW_SCALAR_H
#define EDGEQ_KERNEL_CONV_NARROW_SCALAR_H

#include "conv_scalar.h"
#include "edgeq_narrow.h"

typedef struct {
    eq_conv_scalar_t conv;  /* its weights are null */
    int32_t words;          /* of codes, and of the weights */
    const uint32_t *packed; /* as edgeq_narrow.h says */
    int32_t room;           /* bytes of scratch for x, a multiple of four */
} eq_conv_narrow_scalar_t;

/* xt, wt: types of x and the weights; the rest: of conv_scalar.h.
 * scratch: `room` bytes, the weights, seven words, and what conv_scalar.h takes. */
EQ_KERNEL void eq_conv_narrow_scalar(const eq_conv_narrow_scalar_t *p, const void *const x[], void *y, void *scratch,
                                     eq_type xt, eq_type wt, int32_t form, bool words, bool direct,
                                     bool xs, int32_t stage)
{
    uint8_t *const decoded = scratch;
    eq_u32 *const weight = (eq_u32 *)(void *)(decoded + p->room);
    eq_conv_scalar_t job = p->conv;
    const void *from[1] = {x[0]};
    eq_narrow_table table;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_narrow_bytes(weight, p->packed, 1, p->words, 0, &table, wt);
    job.weight = weight;
    if (eq_is_float(xt)) {
        eq_narrow_fill(&table, xt);
        eq_narrow_look_up(decoded, x[0], job.in_h * job.in_w * job.pixel, (const uint8_t *)table.of);
        from[0] = decoded;
    }
    eq_conv_scalar(&job, from, y, weight + p->words + 7, form, words, direct, xs, stage);
}

#endif
