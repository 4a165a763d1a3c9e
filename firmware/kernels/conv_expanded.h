/* conv_expanded.h: conv.h for weights with group scales, four output channels at a time brought out into scratch.
 *
 * Weights stay packed at their width in flash. Those of four output channels are decoded and shifted once for all pixels,
 * into integers on the grid of the channel, and the loops of conv.h run on them. Rows times weights are pixels under a
 * filter of one tap.
 */
#ifndef EDGEQ_KERNEL_CONV_EXPANDED_H
#define EDGEQ_KERNEL_CONV_EXPANDED_H

#include "conv_groups.h"

typedef eq_conv_groups_t eq_conv_expanded_t;

/* One filter, `o`, as integers of type `et`. */
EQ_INLINE void eq_conv_expand(const eq_conv_groups_t *p, void *to, int32_t at, int32_t o, eq_type wt, eq_type st,
                              eq_type et)
{
    const int32_t channels = p->conv.in_c / p->conv.groups, taps = p->conv.kernel_h * p->conv.kernel_w;
    int32_t wi = o * p->conv.filter, si = o * taps * p->scales;
    for (int32_t tap = 0; tap < taps; tap++) {
        for (int32_t from = 0; from < channels; from += p->group, si++) {
            const int32_t shift = eq_load(p->scale, si, st), n = eq_min(p->group, channels - from);
            for (int32_t i = 0; i < n; i++, wi++, at++) {
                eq_store(to, at, eq_shl32(eq_load(p->conv.weight, wi, wt), shift), et);
            }
        }
    }
}

/* Output channels o to o + n - 1, all of group `group`, of all pixels. */
EQ_INLINE void eq_conv_expanded_part(const eq_conv_groups_t *p, int32_t group, int32_t o, int32_t n, const void *x,
                                     void *y, void *scratch, eq_type xt, eq_type wt, eq_type st, eq_type et, eq_type yt,
                                     int32_t rule, int32_t wide)
{
    const int32_t out_h = p->conv.out_h, out_w = p->conv.out_w, out_c = p->conv.out_c;
    const int32_t channels = p->conv.in_c / p->conv.groups;
    eq_conv_t job = p->conv;
    job.in_c = channels;
    job.out_c = n;
    job.groups = 1;
    job.filter = p->conv.kernel_h * p->conv.kernel_w * channels;
    job.weight = scratch;
    job.bias = wide ? (const void *)((const eq_i64 *)p->conv.bias + wide * o) : (const void *)((const eq_i32 *)p->conv.bias + o);
    job.shifts = p->conv.shifts != NULL ? p->conv.shifts + o : NULL;
    for (int32_t k = 0; k < n; k++) {
        eq_conv_expand(p, scratch, k * job.filter, o + k, wt, st, et);
    }
    for (int32_t oy = 0; oy < out_h; oy++) {
        for (int32_t ox = 0; ox < out_w; ox++) {
            eq_conv_window v = eq_conv_window_at(&p->conv, oy, ox);
            v.from += group * channels;
            eq_conv_pixel(&job, &v, 0, x, y, (oy * out_w + ox) * out_c + o, xt, et, yt, rule, wide);
        }
    }
}

EQ_KERNEL void eq_conv_expanded(const eq_conv_groups_t *p, const void *const x[], void *y, void *scratch, eq_type xt,
                                eq_type wt, eq_type st, eq_type et, eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t each = p->conv.out_c / p->conv.groups;
    for (int32_t group = 0; group < p->conv.groups; group++) {
        for (int32_t o = 0; o < each; o += 4) {
            const int32_t n = eq_min(4, each - o);
            eq_conv_expanded_part(p, group, group * each + o, n, x[0], y, scratch, xt, wt, st, et, yt, rule, wide);
        }
    }
}

#endif
