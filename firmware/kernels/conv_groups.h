/* conv_groups.h: convolution whose weights have a power-of-two scale for each group of input channels.
 *
 * Weights stay packed at their width, and a scale is a shift of four or eight bits. The products of a group are summed
 * as they are, and the sum is shifted once: exact in any order. Rows times weights are pixels under a filter of one tap.
 */
#ifndef EDGEQ_KERNEL_CONV_GROUPS_H
#define EDGEQ_KERNEL_CONV_GROUPS_H

#include "conv.h"

typedef struct {
    eq_conv_t conv;
    int32_t group;      /* input channels that share a scale; the last group of a tap may have fewer */
    int32_t scales;     /* groups of a tap */
    const void *scale;  /* (out_c, kernel_h, kernel_w, scales): shifts to the left, as the type `st` says */
} eq_conv_groups_t;

/* *a += s * 2^shift */
EQ_INLINE void eq_conv_groups_add(eq_acc *a, eq_acc s, int32_t shift, int32_t wide)
{
    if (wide == EQ_96) {
        eq_acc_add_wide(a, eq_wide_shl(eq_acc_wide(s), shift));
    } else if (wide) {
        a->wide += eq_shl64(s.wide, shift);
    } else {
        a->narrow += eq_shl32(s.narrow, shift);
    }
}

/* Adds to `count` (1 or 4) channels from o on the products of one tap: elements of x from xi on. */
EQ_INLINE void eq_conv_groups_tap(const eq_conv_groups_t *p, eq_acc *a, int32_t count, int32_t o, int32_t tap,
                                  const void *x, int32_t xi, eq_type xt, eq_type wt, eq_type st, int32_t wide)
{
    const int32_t channels = p->conv.in_c / p->conv.groups, filter = p->conv.filter, scales = p->scales;
    const int32_t row = p->conv.kernel_h * p->conv.kernel_w * scales;
    const int32_t wi = o * filter + tap * channels, si = o * row + tap * scales;
    for (int32_t g = 0, from = 0; g < scales; g++, from += p->group) {
        const int32_t n = eq_min(p->group, channels - from);
        eq_acc s[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
        if (count == 4) {
            eq_dot4(s, x, xi + from, xt, p->conv.weight, wi + from, filter, wt, n, wide);
        } else {
            eq_dot(s, x, xi + from, xt, p->conv.weight, wi + from, wt, n, wide);
        }
        for (int32_t k = 0; k < count; k++) {
            eq_conv_groups_add(&a[k], s[k], eq_load(p->scale, si + k * row + g, st), wide);
        }
    }
}

/* Adds to `count` channels from o on what the window of one output pixel sees. */
EQ_INLINE void eq_conv_groups_sum(const eq_conv_groups_t *p, const eq_conv_window *v, eq_acc *a, int32_t count,
                                  int32_t o, const void *x, eq_type xt, eq_type wt, eq_type st, int32_t wide)
{
    const int32_t channels = p->conv.in_c / p->conv.groups, group = o / (p->conv.out_c / p->conv.groups);
    const int32_t taps = v->runs * v->run / channels;
    for (int32_t ky = v->y0; ky < v->y1; ky++) {
        int32_t xi = v->from + ky * v->row + group * channels;
        for (int32_t kx = 0; kx < taps; kx++, xi += v->step) {
            const int32_t tap = ky * p->conv.kernel_w + v->tap + kx;
            eq_conv_groups_tap(p, a, count, o, tap, x, xi, xt, wt, st, wide);
        }
    }
}

/* One output pixel. */
EQ_INLINE void eq_conv_groups_pixel(const eq_conv_groups_t *p, const eq_conv_window *v, const void *x, void *y,
                                    int32_t yi, eq_type xt, eq_type wt, eq_type st, eq_type yt, int32_t rule, int32_t wide)
{
    const eq_conv_t *c = &p->conv;
    const int32_t each = c->out_c / c->groups;
    for (int32_t begin = 0; begin < c->out_c; begin += each) {
        const int32_t fours = begin + eq_fours(each, wt);
        for (int32_t o = begin; o < fours; o += 4) {
            eq_acc a[4];
            eq_acc_start4(a, c->bias, o, wide);
            eq_conv_groups_sum(p, v, a, 4, o, x, xt, wt, st, wide);
            eq_put4(y, yi + o, a, c->shifts, c->shift, o, c->lo, c->hi, yt, rule, wide);
        }
        for (int32_t o = fours; o < begin + each; o++) {
            eq_acc a = eq_acc_start(c->bias, o, wide);
            eq_conv_groups_sum(p, v, &a, 1, o, x, xt, wt, st, wide);
            eq_put(y, yi + o, a, eq_channel_shift(c->shifts, c->shift, o), c->lo, c->hi, yt, rule, wide);
        }
    }
}

EQ_KERNEL void eq_conv_groups(const eq_conv_groups_t *p, const void *const x[], void *y, eq_type xt, eq_type wt,
                              eq_type st, eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t out_h = p->conv.out_h, out_w = p->conv.out_w, out_c = p->conv.out_c;
    for (int32_t oy = 0; oy < out_h; oy++) {
        for (int32_t ox = 0; ox < out_w; ox++) {
            const eq_conv_window v = eq_conv_window_at(&p->conv, oy, ox);
            eq_conv_groups_pixel(p, &v, x[0], y, (oy * out_w + ox) * out_c, xt, wt, st, yt, rule, wide);
        }
    }
}

#endif
