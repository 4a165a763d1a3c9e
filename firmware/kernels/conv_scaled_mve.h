/* conv_scaled_mve.h: conv_scaled.h for bytes with Helium: windows laid in scratch, two pixels by four channels. */
#ifndef EDGEQ_KERNEL_CONV_SCALED_MVE_H
#define EDGEQ_KERNEL_CONV_SCALED_MVE_H

#include "edgeq_mve_pixels.h"
#include "edgeq_mve_strip.h"

typedef struct {
    eq_mve_image_t image;
    int32_t out_h, out_w;
    int32_t kernel_h, kernel_w, dilation_h;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; what is needed at the end follows from the sizes */
    int32_t chunk;        /* pixels of a row that are computed from one strip */
    eq_mve_layer_t layer;
} eq_conv_scaled_mve_t;

/* flip: whether codes of x are unsigned; rule: of edgeq_mve_stage.h. scratch: a strip for `chunk` pixels and 16 bytes.
 * Taps lie column by column in the stream, as in the strip. */
EQ_KERNEL void eq_conv_scaled_mve(const eq_conv_scaled_mve_t *p, const void *const x[], void *y, void *scratch,
                                  bool flip, int32_t rule)
{
    const int32_t pixel = p->image.pixel, column = p->kernel_h * pixel, step = p->stride_w * column;
    uint8_t *to = y, *strip = scratch;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox += p->chunk) {
            const int32_t count = eq_min(p->chunk, p->out_w - ox);
            const int32_t columns = (count - 1) * p->stride_w + p->kernel_w;
            const eq_mve_columns_t at = eq_mve_columns(&p->image, ox * p->stride_w - p->pad_w, columns);
            if (oy == 0 || p->chunk < p->out_w) {
                eq_mve_fill(strip, columns * column, p->image.code);
            }
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int32_t iy = oy * p->stride_h - p->pad_h + ky * p->dilation_h;
                for (int32_t c = 0; c < pixel; c += 16) {
                    eq_mve_strip_row(&p->image, &at, x[0], iy, c, eq_min(16, pixel - c), strip + ky * pixel + c, column,
                                     0, flip);
                }
            }
            eq_mve_pixels(&p->layer, strip, step, to, count, rule);
            to += count * p->layer.out_c;
        }
    }
}

#endif
