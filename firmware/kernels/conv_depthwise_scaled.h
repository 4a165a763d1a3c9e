/* conv_depthwise_scaled.h: conv_depthwise.h for scales that are no power of two: multipliers, zero points. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; padding is the number zero, so its taps are left out */
    int32_t dilation_h, dilation_w;
    int32_t x_zero;     /* taken off each element of x: its zero point, or 0 where that is in the bias */
    const void *weight; /* (kernel_h, kernel_w, channels) */
    const void *bias;   /* (channels) */
    eq_scale_t scale;
} eq_conv_depthwise_scaled_t;

EQ_KERNEL void eq_conv_depthwise_scaled(const eq_conv_depthwise_scaled_t *p, const void *const x[], void *y,
                                        eq_type xt, eq_type wt, eq_type yt, int32_t rule, bool wide)
{
    const int32_t channels = p->channels, zero = p->x_zero;
    const int32_t row = p->dilation_h * p->in_w * channels, column = p->dilation_w * channels;
    const void *weight = p->weight, *bias = p->bias, *from = x[0];
    const eq_scale_t scale = p->scale;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, y0 = eq_first_tap(iy, p->dilation_h);
        const int32_t y1 = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w, x0 = eq_first_tap(ix, p->dilation_w);
            const int32_t x1 = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w);
            const int32_t at = (iy * p->in_w + ix) * channels, yi = (oy * p->out_w + ox) * channels;
            for (int32_t c = 0; c < channels; c++) {
                eq_acc a = eq_acc_start(bias, c, wide);
                for (int32_t ky = y0; ky < y1; ky++) {
                    int32_t xi = at + ky * row + x0 * column + c, wi = (ky * p->kernel_w + x0) * channels + c;
                    for (int32_t kx = x0; kx < x1; kx++, xi += column, wi += channels) {
                        eq_acc_product(&a, eq_load(from, xi, xt) - zero, eq_load(weight, wi, wt), wide);
                    }
                }
                eq_put_scaled(y, yi + c, a, &scale, c, yt, rule, wide);
            }
        }
    }
}

#endif
