/* max_pool.h: greatest element of each window, channels last; padding never wins. */
#ifndef EDGEQ_KERNEL_MAX_POOL_H
#define EDGEQ_KERNEL_MAX_POOL_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t dilation_h, dilation_w;
} eq_max_pool_t;

/* One output pixel: taps ky0..ky1 by kx0..kx1 of the window, whose first one lies on element `from`. */
EQ_INLINE void eq_max_pool_pixel(const eq_max_pool_t *p, const void *x, int32_t from, int32_t rows, int32_t columns,
                                 void *y, int32_t yi, eq_type xt)
{
    const int32_t channels = p->channels;
    const int32_t row = p->dilation_h * p->in_w * channels, column = p->dilation_w * channels;
    for (int32_t c = 0; c < channels; c++) {
        int32_t most = eq_key(x, from + c, xt);
        for (int32_t ky = 0; ky < rows; ky++) {
            int32_t xi = from + c + ky * row;
            for (int32_t kx = 0; kx < columns; kx++, xi += column) {
                const int32_t key = eq_key(x, xi, xt);
                most = key > most ? key : most;
            }
        }
        eq_store_code(y, yi + c, eq_key_code(most, xt), xt);
    }
}

EQ_KERNEL void eq_max_pool(const eq_max_pool_t *p, const void *const x[], void *y, eq_type xt)
{
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h;
        const int32_t ky = eq_first_tap(iy, p->dilation_h);
        const int32_t rows = eq_end_tap(iy, p->in_h, p->kernel_h, p->dilation_h) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t ix = ox * p->stride_w - p->pad_w;
            const int32_t kx = eq_first_tap(ix, p->dilation_w);
            const int32_t columns = eq_end_tap(ix, p->in_w, p->kernel_w, p->dilation_w) - kx;
            const int32_t from = ((iy + ky * p->dilation_h) * p->in_w + ix + kx * p->dilation_w) * p->channels;
            eq_max_pool_pixel(p, x[0], from, rows, columns, y, (oy * p->out_w + ox) * p->channels, xt);
        }
    }
}

#endif
