/* conv_depthwise_scaled_mve.h: depthwise convolution of bytes with scales and Helium: up to 16 taps in one VMLADAV. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_MVE_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_MVE_H

#include "edgeq_mve_scaled.h"
#include "edgeq_mve_strip.h"

typedef struct {
    eq_mve_image_t image;
    int32_t out_h, out_w;
    int32_t reach_h, reach_w; /* rows and columns from the first tap to the last */
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; what is needed at the end follows from the sizes */
    int32_t rows;         /* of y that are computed from one strip */
    int32_t height;       /* rows of a strip: (rows - 1) * stride_h + reach_h */
    int32_t apart;        /* bytes of a strip */
    int32_t zero, lo, hi; /* of a code of y */
    const uint32_t *stream; /* blocks of four channels, as edgeq_mve_scaled.h says; the last one may overlap another */
    const uint8_t *map;     /* codes of sums that are looked up, else null */
} eq_conv_depthwise_scaled_mve_t;

/* Channels c..c+3 of pixels of two rows, `y_row` bytes apart, or of a row's neighbours. strip: of row oy's windows. */
EQ_INLINE void eq_conv_depthwise_scaled_mve_rows(const eq_conv_depthwise_scaled_mve_t *p, eq_mve_taps_t *job,
                                                 const uint8_t *strip, uint8_t *y, int32_t rows, int32_t rule)
{
    const int32_t channels = p->image.pixel, step = 4 * p->stride_w * p->height, line = p->out_w * channels;
    if (p->rows > 1) {
        job->x_step = step;
        job->y_step = channels;
        for (int32_t r = 0; r < rows; r += 2) {
            const bool two = r + 1 < rows;
            job->x0 = strip + 4 * r * p->stride_h;
            job->x1 = two ? job->x0 + 4 * p->stride_h : job->x0;
            job->y0 = y + r * line;
            job->y1 = two ? job->y0 + line : job->y0;
            job->y_end = job->y0 + line;
            eq_mve_taps(job, rule);
        }
        return;
    }
    if (p->out_w > 1) {
        job->x0 = strip;
        job->x1 = strip + step;
        job->y0 = y;
        job->y1 = y + channels;
        job->x_step = 2 * step;
        job->y_step = 2 * channels;
        job->y_end = y + p->out_w / 2 * 2 * channels;
        eq_mve_taps(job, rule);
    }
    if (p->out_w % 2 != 0) {
        job->x0 = job->x1 = strip + (p->out_w - 1) * step;
        job->y0 = job->y1 = y + (p->out_w - 1) * channels;
        job->y_step = channels;
        job->y_end = y + p->out_w * channels;
        eq_mve_taps(job, rule);
    }
}

/* flip: whether codes of x are unsigned; rule: of edgeq_mve_stage.h. scratch: four strips and 64 bytes. */
EQ_KERNEL void eq_conv_depthwise_scaled_mve(const eq_conv_depthwise_scaled_mve_t *p, const void *const x[], void *y,
                                            void *scratch, bool flip, int32_t rule)
{
    const int32_t channels = p->image.pixel, columns = (p->out_w - 1) * p->stride_w + p->reach_w;
    const eq_mve_columns_t at = eq_mve_columns(&p->image, -p->pad_w, columns);
    uint8_t *strip = scratch;
    eq_mve_taps_t job;
    eq_mve_fill(strip, 4 * p->apart, p->image.code);
    job.zero = p->zero;
    job.x_step = 0;
    job.map = p->map;
    for (int32_t i = 0; i < 8; i++) {
        job.lo[i] = (int16_t)p->lo;
        job.hi[i] = (int16_t)p->hi;
    }
    for (int32_t oy = 0; oy < p->out_h; oy += p->rows) {
        const int32_t rows = eq_min(p->rows, p->out_h - oy), iy = oy * p->stride_h - p->pad_h;
        const int32_t height = (rows - 1) * p->stride_h + p->reach_h;
        int32_t lanes;
        job.w = (const uint8_t *)p->stream;
        for (int32_t c = 0; c < channels; c += lanes) {
            const int32_t left = channels - c, first = left < 4 ? channels - 4 : c;
            lanes = left < 4 ? 4 : eq_min(16, left - left % 4);
            for (int32_t h = 0; h < height; h++) {
                eq_mve_strip_row(&p->image, &at, x[0], iy + h, first, lanes, strip + 4 * h, 4 * p->height, p->apart,
                                 flip);
            }
            for (int32_t k = 0; k < lanes; k += 4, job.w += 64 + 36) {
                eq_conv_depthwise_scaled_mve_rows(p, &job, strip + k / 4 * p->apart,
                                                  (uint8_t *)y + oy * p->out_w * channels + first + k, rows, rule);
            }
        }
    }
}

#endif
