/* conv_scaled.h: conv.h for scales that are no power of two: multipliers instead of shifts, zero points. */
#ifndef EDGEQ_KERNEL_CONV_SCALED_H
#define EDGEQ_KERNEL_CONV_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t in_h, in_w, in_c;    /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; padding is the number zero, so its taps are left out */
    int32_t dilation_h, dilation_w;
    int32_t groups;
    int32_t x_zero;     /* taken off each element of x: its zero point, or 0 where that is in the bias */
    const void *weight; /* (kernel_h, kernel_w, in_c / groups, out_c): neighbours belong to neighbouring channels */
    const void *bias;   /* (out_c) */
    eq_scale_t scale;
} eq_conv_scaled_t;

/* Taps y0..y1 by x0..x1 of the window, whose tap (0, 0) lies on row iy and column ix of x. */
typedef struct {
    int32_t iy, ix, y0, y1, x0, x1;
} eq_conv_scaled_window;

/* Four output channels from o on of one group of `channels` input channels that begins at `from`: n of them count. */
EQ_INLINE void eq_conv_scaled_four(const eq_conv_scaled_t *p, const eq_conv_scaled_window *v, const void *x,
                                   int32_t from, int32_t channels, int32_t o, int32_t n, void *y, int32_t yi,
                                   eq_type xt, eq_type wt, eq_type yt, int32_t rule, bool wide)
{
    const int32_t zero = p->x_zero, out_c = p->out_c;
    const void *weight = p->weight;
    eq_acc a[4];
    for (int32_t k = 0; k < 4; k++) {
        a[k] = eq_acc_start(p->bias, k < n ? o + k : o, wide);
    }
    for (int32_t ky = v->y0; ky < v->y1; ky++) {
        for (int32_t kx = v->x0; kx < v->x1; kx++) {
            const int32_t row = v->iy + ky * p->dilation_h, column = v->ix + kx * p->dilation_w;
            const int32_t xi = (row * p->in_w + column) * p->in_c + from;
            int32_t wi = (ky * p->kernel_w + kx) * channels * out_c + o;
            for (int32_t c = 0; c < channels; c++, wi += out_c) {
                const int32_t value = eq_load(x, xi + c, xt) - zero;
                for (int32_t k = 0; k < n; k++) {
                    eq_acc_product(&a[k], value, eq_load(weight, wi + k, wt), wide);
                }
            }
        }
    }
    for (int32_t k = 0; k < n; k++) {
        eq_put_scaled(y, yi + o + k, a[k], &p->scale, o + k, yt, rule, wide);
    }
}

EQ_KERNEL void eq_conv_scaled(const eq_conv_scaled_t *p, const void *const x[], void *y, eq_type xt, eq_type wt,
                              eq_type yt, int32_t rule, bool wide)
{
    const int32_t groups = p->groups, channels = p->in_c / groups, each = p->out_c / groups;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            eq_conv_scaled_window v;
            v.iy = oy * p->stride_h - p->pad_h;
            v.ix = ox * p->stride_w - p->pad_w;
            v.y0 = eq_first_tap(v.iy, p->dilation_h);
            v.y1 = eq_end_tap(v.iy, p->in_h, p->kernel_h, p->dilation_h);
            v.x0 = eq_first_tap(v.ix, p->dilation_w);
            v.x1 = eq_end_tap(v.ix, p->in_w, p->kernel_w, p->dilation_w);
            const int32_t yi = (oy * p->out_w + ox) * p->out_c;
            for (int32_t g = 0; g < groups; g++) {
                int32_t o = g * each;
                for (; o + 4 <= (g + 1) * each; o += 4) {
                    eq_conv_scaled_four(p, &v, x[0], g * channels, channels, o, 4, y, yi, xt, wt, yt, rule, wide);
                }
                if (o < (g + 1) * each) {
                    const int32_t n = (g + 1) * each - o;
                    eq_conv_scaled_four(p, &v, x[0], g * channels, channels, o, n, y, yi, xt, wt, yt, rule, wide);
                }
            }
        }
    }
}

#endif
