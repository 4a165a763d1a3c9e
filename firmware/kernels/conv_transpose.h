/* conv_transpose.h: transposed convolution over two spatial axes (one: a height of 1), channels last, with groups.
 *
 * Each output pixel gathers the inputs that reach it, so that its sum is whole before the one rounding.
 */
#ifndef EDGEQ_KERNEL_CONV_TRANSPOSE_H
#define EDGEQ_KERNEL_CONV_TRANSPOSE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, in_c;    /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* cut off at the beginning */
    int32_t dilation_h, dilation_w;
    int32_t groups;
    int32_t filter;       /* elements from one filter to the next */
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const void *weight;   /* (out_c, filter): each kernel_h, kernel_w, in_c / groups, and what fills the last byte */
    const void *bias;     /* (out_c) on the grid of the products, rounding constant folded in */
    const int8_t *shifts; /* (out_c), or null where all are `shift` */
} eq_conv_transpose_t;

/* Input row or column that reaches a place through a tap that lies `offset` behind it, or -1: none does. */
EQ_INLINE int32_t eq_conv_transpose_from(int32_t offset, int32_t stride, int32_t n)
{
    return offset >= 0 && offset % stride == 0 && offset / stride < n ? offset / stride : -1;
}

/* Adds to `count` (1 or 4) channels from o on what reaches output pixel (ty, tx), counted before the cut. */
EQ_INLINE void eq_conv_transpose_sum(const eq_conv_transpose_t *p, eq_acc *a, int32_t count, int32_t o, int32_t ty,
                                     int32_t tx, const void *x, eq_type xt, eq_type wt, int32_t wide)
{
    const int32_t channels = p->in_c / p->groups, filter = p->filter;
    const int32_t group = o / (p->out_c / p->groups) * channels;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = eq_conv_transpose_from(ty - ky * p->dilation_h, p->stride_h, p->in_h);
        for (int32_t kx = 0; iy >= 0 && kx < p->kernel_w; kx++) {
            const int32_t ix = eq_conv_transpose_from(tx - kx * p->dilation_w, p->stride_w, p->in_w);
            const int32_t xi = (iy * p->in_w + ix) * p->in_c + group;
            const int32_t wi = o * filter + (ky * p->kernel_w + kx) * channels;
            if (ix < 0) {
                continue;
            }
            if (count == 4) {
                eq_dot4(a, x, xi, xt, p->weight, wi, filter, wt, channels, wide);
            } else {
                eq_dot(&a[0], x, xi, xt, p->weight, wi, wt, channels, wide);
            }
        }
    }
}

/* One output pixel. */
EQ_INLINE void eq_conv_transpose_pixel(const eq_conv_transpose_t *p, int32_t oy, int32_t ox, const void *x, void *y,
                                       eq_type xt, eq_type wt, eq_type yt, int32_t rule, int32_t wide)
{
    const int32_t ty = oy + p->pad_h, tx = ox + p->pad_w, yi = (oy * p->out_w + ox) * p->out_c;
    const int32_t each = p->out_c / p->groups, shift = p->shift;
    const int8_t *shifts = p->shifts;
    const int64_t lo = p->lo, hi = p->hi;
    for (int32_t begin = 0; begin < p->out_c; begin += each) {
        const int32_t fours = begin + eq_fours(each, wt);
        for (int32_t o = begin; o < fours; o += 4) {
            eq_acc a[4];
            eq_acc_start4(a, p->bias, o, wide);
            eq_conv_transpose_sum(p, a, 4, o, ty, tx, x, xt, wt, wide);
            eq_put4(y, yi + o, a, shifts, shift, o, lo, hi, yt, rule, wide);
        }
        for (int32_t o = fours; o < begin + each; o++) {
            eq_acc a = eq_acc_start(p->bias, o, wide);
            eq_conv_transpose_sum(p, &a, 1, o, ty, tx, x, xt, wt, wide);
            eq_put(y, yi + o, a, eq_channel_shift(shifts, shift, o), lo, hi, yt, rule, wide);
        }
    }
}

EQ_KERNEL void eq_conv_transpose(const eq_conv_transpose_t *p, const void *const x[], void *y, eq_type xt, eq_type wt,
                                 eq_type yt, int32_t rule, int32_t wide)
{
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            eq_conv_transpose_pixel(p, oy, ox, x[0], y, xt, wt, yt, rule, wide);
        }
    }
}

#endif
