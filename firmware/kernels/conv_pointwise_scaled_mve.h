/* conv_pointwise_scaled_mve.h: convolution whose windows are runs of x as it lies, with scales, with Helium. */
#ifndef EDGEQ_KERNEL_CONV_POINTWISE_SCALED_MVE_H
#define EDGEQ_KERNEL_CONV_POINTWISE_SCALED_MVE_H

#include "edgeq_mve_pixels.h"

typedef struct {
    int32_t rows, count;    /* of pixels of y */
    int32_t row, step;      /* bytes from one row's first window to the next row's, and from window to window */
    eq_mve_layer_t layer;
} eq_conv_pointwise_scaled_mve_t;

/* rule: of edgeq_mve_stage.h. Windows are whole groups of 16 bytes, so nothing is read that is not x. */
EQ_KERNEL void eq_conv_pointwise_scaled_mve(const eq_conv_pointwise_scaled_mve_t *p, const void *const x[], void *y,
                                            int32_t rule)
{
    const uint8_t *from = x[0];
    uint8_t *to = y;
    for (int32_t i = 0; i < p->rows; i++) {
        eq_mve_pixels(&p->layer, from, p->step, to, p->count, rule);
        from += p->row;
        to += p->count * p->layer.out_c;
    }
}

#endif
