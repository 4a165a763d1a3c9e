/* conv_depthwise.h: convolution where each output channel sees the input channel of its own number. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t dilation_h, dilation_w;
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const void *weight;   /* (kernel_h, kernel_w, channels): neighbours belong to neighbouring channels */
    const void *bias;     /* (channels) on the grid of the products, rounding constant folded in */
    const int8_t *shifts; /* (channels), or null where all are `shift` */
} eq_conv_depthwise_t;

/* The part of the window that falls on elements: taps rows x columns, the first at element xi and weight wi. */
typedef struct {
    int32_t xi, wi, rows, columns;
} eq_conv_depthwise_window;

EQ_INLINE void eq_conv_depthwise_pixel(const eq_conv_depthwise_t *p, eq_conv_depthwise_window v, const void *x,
                                       void *y, int32_t yi, eq_type xt, eq_type wt, eq_type yt, int32_t rule,
                                       int32_t wide)
{
    const int32_t channels = p->channels, fours = channels - channels % 4, shift = p->shift;
    const int32_t x_row = p->dilation_h * p->in_w * channels, x_column = p->dilation_w * channels;
    const int32_t w_row = p->kernel_w * channels;
    const void *weight = p->weight, *bias = p->bias;
    const int8_t *shifts = p->shifts;
    const int64_t lo = p->lo, hi = p->hi;
    for (int32_t c = 0; c < fours; c += 4) {
        eq_acc a[4];
        eq_acc_start4(a, bias, c, wide);
        for (int32_t ky = 0; ky < v.rows; ky++) {
            int32_t xi = v.xi + c + ky * x_row, wi = v.wi + c + ky * w_row;
            for (int32_t kx = 0; kx < v.columns; kx++, xi += x_column, wi += channels) {
                eq_mac(&a[0], x, xi, xt, weight, wi, wt, wide);
                eq_mac(&a[1], x, xi + 1, xt, weight, wi + 1, wt, wide);
                eq_mac(&a[2], x, xi + 2, xt, weight, wi + 2, wt, wide);
                eq_mac(&a[3], x, xi + 3, xt, weight, wi + 3, wt, wide);
            }
        }
        eq_put4(y, yi + c, a, shifts, shift, c, lo, hi, yt, rule, wide);
    }
    for (int32_t c = fours; c < channels; c++) {
        eq_acc a = eq_acc_start(bias, c, wide);
        for (int32_t ky = 0; ky < v.rows; ky++) {
            int32_t xi = v.xi + c + ky * x_row, wi = v.wi + c + ky * w_row;
            for (int32_t kx = 0; kx < v.columns; kx++, xi += x_column, wi += channels) {
                eq_mac(&a, x, xi, xt, weight, wi, wt, wide);
            }
        }
        eq_put(y, yi + c, a, eq_channel_shift(shifts, shift, c), lo, hi, yt, rule, wide);
    }
}

EQ_KERNEL void eq_conv_depthwise(const eq_conv_depthwise_t *p, const void *const x[], void *y, eq_type xt, eq_type wt,
                                 eq_type yt, int32_t rule, int32_t wide)
{
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, ky = eq_first_tap(iy, p->dilation_h);
        eq_conv_depthwise_window v;
        v.rows = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w, kx = eq_first_tap(ix, p->dilation_w);
            v.columns = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w) - kx;
            v.xi = ((iy + ky * p->dilation_h) * p->in_w + ix + kx * p->dilation_w) * p->channels;
            v.wi = (ky * p->kernel_w + kx) * p->channels;
            eq_conv_depthwise_pixel(p, v, x[0], y, (oy * p->out_w + ox) * p->channels, xt, wt, yt, rule, wide);
        }
    }
}

#endif
