/* conv_transpose_scaled.h: conv_transpose.h for scales that are no power of two: multipliers, zero points. */
#ifndef EDGEQ_KERNEL_CONV_TRANSPOSE_SCALED_H
#define EDGEQ_KERNEL_CONV_TRANSPOSE_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t in_h, in_w, in_c;    /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* cut off at the beginning */
    int32_t dilation_h, dilation_w;
    int32_t groups;
    int32_t x_zero;     /* zero point of x */
    const void *weight; /* (out_c, kernel_h, kernel_w, in_c / groups) */
    const void *bias;   /* (out_c) */
    eq_scale_t scale;
} eq_conv_transpose_scaled_t;

/* Input row or column that reaches a place through a tap that lies `offset` behind it, or -1: none does. */
EQ_INLINE int32_t eq_conv_transpose_scaled_from(int32_t offset, int32_t stride, int32_t n)
{
    return offset >= 0 && offset % stride == 0 && offset / stride < n ? offset / stride : -1;
}

/* What reaches channel o of output pixel (ty, tx), counted before the cut. */
EQ_INLINE eq_acc eq_conv_transpose_scaled_sum(const eq_conv_transpose_scaled_t *p, int32_t o, int32_t ty, int32_t tx,
                                              const void *x, eq_type xt, eq_type wt, bool wide)
{
    const int32_t channels = p->in_c / p->groups, zero = p->x_zero;
    const int32_t from = o / (p->out_c / p->groups) * channels;
    eq_acc a = eq_acc_start(p->bias, o, wide);
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t iy = eq_conv_transpose_scaled_from(ty - ky * p->dilation_h, p->stride_h, p->in_h);
        for (int32_t kx = 0; iy >= 0 && kx < p->kernel_w; kx++) {
            const int32_t ix = eq_conv_transpose_scaled_from(tx - kx * p->dilation_w, p->stride_w, p->in_w);
            const int32_t xi = (iy * p->in_w + ix) * p->in_c + from;
            const int32_t wi = ((o * p->kernel_h + ky) * p->kernel_w + kx) * channels;
            for (int32_t c = 0; ix >= 0 && c < channels; c++) {
                eq_acc_product(&a, eq_load(x, xi + c, xt) - zero, eq_load(p->weight, wi + c, wt), wide);
            }
        }
    }
    return a;
}

EQ_KERNEL void eq_conv_transpose_scaled(const eq_conv_transpose_scaled_t *p, const void *const x[], void *y,
                                        eq_type xt, eq_type wt, eq_type yt, int32_t rule, bool wide)
{
    int32_t yi = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            for (int32_t o = 0; o < p->out_c; o++, yi++) {
                const eq_acc a =
                    eq_conv_transpose_scaled_sum(p, o, oy + p->pad_h, ox + p->pad_w, x[0], xt, wt, wide);
                eq_put_scaled(y, yi, a, &p->scale, o, yt, rule, wide);
            }
        }
    }
}

#endif
