/* conv.h: convolution over two spatial axes (one: a height of 1), channels last, with groups. */
#ifndef EDGEQ_KERNEL_CONV_H
#define EDGEQ_KERNEL_CONV_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, in_c;    /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; what is needed at the end follows from the sizes */
    int32_t dilation_h, dilation_w;
    int32_t groups;
    int32_t filter;       /* elements from one filter to the next */
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const void *weight;   /* (out_c, filter): each kernel_h, kernel_w, in_c / groups, and what fills the last byte */
    const void *bias;     /* (out_c) on the grid of the products, rounding constant folded in */
    const int8_t *shifts; /* (out_c), or null where all are `shift` */
} eq_conv_t;

/* The part of the window of one output pixel that falls on elements of x, as runs that are contiguous in x and in
 * the weights: a row of the window is one run, or one run for each tap where taps or groups lie apart. */
typedef struct {
    int32_t y0, y1;    /* first tap, and tap after the last, along the height */
    int32_t from, row; /* element of x under tap (0, first), and the distance of two rows of taps */
    int32_t tap;       /* first tap along the width */
    int32_t runs, run; /* runs in a row of taps, elements of a run */
    int32_t step;      /* distance of two runs in x; in the weights it is `run` */
} eq_conv_window;

EQ_INLINE eq_conv_window eq_conv_window_at(const eq_conv_t *p, int32_t oy, int32_t ox)
{
    const int32_t iy = oy * p->stride_h - p->pad_h, ix = ox * p->stride_w - p->pad_w;
    const int32_t x0 = eq_first_tap(ix, p->dilation_w), x1 = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w);
    const bool together = p->groups == 1 && p->dilation_w == 1;
    eq_conv_window v;
    v.y0 = eq_first_tap(iy, p->dilation_h);
    v.y1 = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h);
    v.from = (iy * p->in_w + ix + x0 * p->dilation_w) * p->in_c;
    v.row = p->dilation_h * p->in_w * p->in_c;
    v.tap = x0;
    v.runs = x1 <= x0 ? 0 : together ? 1 : x1 - x0;
    v.run = (together ? x1 - x0 : 1) * (p->in_c / p->groups);
    v.step = p->dilation_w * p->in_c;
    return v;
}

/* One output pixel, output channels `from` to `end` of group `group`. */
EQ_INLINE void eq_conv_pixel(const eq_conv_t *p, const eq_conv_window *v, int32_t group, const void *x, void *y,
                             int32_t yi, eq_type xt, eq_type wt, eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t channels = p->in_c / p->groups, each = p->out_c / p->groups;
    const int32_t kernel_w = p->kernel_w, filter = p->filter;
    const int32_t y0 = v->y0, y1 = v->y1, runs = v->runs, run = v->run, shift = p->shift;
    const int32_t begin = group * each, fours = begin + eq_fours(each, wt), end = begin + each;
    const void *weight = p->weight, *bias = p->bias;
    const int8_t *shifts = p->shifts;
    const int64_t lo = p->lo, hi = p->hi;
    for (int32_t o = begin; o < fours; o += 4) {
        eq_acc a[4];
        eq_acc_start4(a, bias, o, wide);
        for (int32_t ky = y0; ky < y1; ky++) {
            int32_t xi = v->from + ky * v->row + group * channels;
            int32_t wi = o * filter + (ky * kernel_w + v->tap) * channels;
            for (int32_t r = 0; r < runs; r++, xi += v->step, wi += run) {
                eq_dot4(a, x, xi, xt, weight, wi, filter, wt, run, wide);
            }
        }
        eq_put4(y, yi + o, a, shifts, shift, o, lo, hi, yt, rule, wide);
    }
    for (int32_t o = fours; o < end; o++) {
        eq_acc a = eq_acc_start(bias, o, wide);
        for (int32_t ky = y0; ky < y1; ky++) {
            int32_t xi = v->from + ky * v->row + group * channels;
            int32_t wi = o * filter + (ky * kernel_w + v->tap) * channels;
            for (int32_t r = 0; r < runs; r++, xi += v->step, wi += run) {
                eq_dot(&a, x, xi, xt, weight, wi, wt, run, wide);
            }
        }
        eq_put(y, yi + o, a, eq_channel_shift(shifts, shift, o), lo, hi, yt, rule, wide);
    }
}

EQ_KERNEL void eq_conv(const eq_conv_t *p, const void *const x[], void *y, eq_type xt, eq_type wt, eq_type yt,
                       int32_t rule, int32_t wide)
{
    const int32_t out_h = p->out_h, out_w = p->out_w, out_c = p->out_c, groups = p->groups;
    for (int32_t oy = 0; oy < out_h; oy++) {
        for (int32_t ox = 0; ox < out_w; ox++) {
            const eq_conv_window v = eq_conv_window_at(p, oy, ox);
            for (int32_t g = 0; g < groups; g++) {
                eq_conv_pixel(p, &v, g, x[0], y, (oy * out_w + ox) * out_c, xt, wt, yt, rule, wide);
            }
        }
    }
}

#endif
