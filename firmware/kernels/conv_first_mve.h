/* conv_first_mve.h: convolution of 1 to 3 channels with Helium: two rows of windows laid in scratch by scattering
 * stores; the two pixels of a pair are one above the other. For fixed point and for multipliers. */
#ifndef EDGEQ_KERNEL_CONV_FIRST_MVE_H
#define EDGEQ_KERNEL_CONV_FIRST_MVE_H

#include "edgeq_mve_pixels.h"
#include "edgeq_mve_short.h"
#include "edgeq_mve_spread.h"
#include "edgeq_mve_strip.h"

typedef struct {
    int32_t in_h, in_w, pixel;
    int32_t out_h, out_w;
    int32_t kernel_h, kernel_w, dilation_h;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; what is needed at the end follows from the sizes */
    int32_t x_zero;       /* code of x that stands for zero */
    int32_t chunk;        /* pixels of a row that are computed from one strip */
    eq_mve_layer_t layer;
} eq_conv_first_mve_t;

/* Pairs of pixels. */
typedef struct {
    const uint8_t *x0, *x1;
    uint8_t *y0, *y1;
    int32_t pairs, x_step, y_step;
} eq_conv_first_mve_line;

/* Channels of the blocks from w to w_end of pairs of pixels. */
EQ_INLINE void eq_conv_first_mve_blocks(const eq_mve_layer_t *p, const eq_conv_first_mve_line *line, const uint8_t *w,
                                        const uint8_t *w_end, int32_t written, int32_t rule, int32_t groups,
                                        int32_t codes)
{
    if (groups <= 3) {
        eq_mve_short_t job = {line->x0, line->x1, line->y0, line->y1, w, w_end, p->zero, line->pairs, line->x_step,
                              line->y_step - written, {0}, {0}};
        for (int32_t i = 0; i < 8; i++) {
            job.lo[i] = (int16_t)p->lo;
            job.hi[i] = (int16_t)p->hi;
        }
        eq_mve_short(&job, rule, groups, codes);
    } else {
        eq_mve_pairs_t job = {line->x0, line->x1, line->y0, line->y1, w, w_end, eq_mve_rounds(groups), 0, p->zero,
                              p->lo, p->hi, line->pairs, line->x_step, line->y_step - written,
                              eq_mve_skip(groups, 56), groups, NULL};
        eq_mve_pairs(&job, rule);
    }
}

/* All channels of pairs of pixels. */
EQ_INLINE void eq_conv_first_mve_pixels(const eq_mve_layer_t *p, const eq_conv_first_mve_line *line, int32_t rule,
                                        int32_t groups, int32_t codes)
{
    const int32_t fours = p->out_c / 4, rest = p->out_c % 4, bytes = 64 * groups + 36;
    const uint8_t *w = (const uint8_t *)p->stream, *end = w + fours * bytes;
    if (fours > 0) {
        eq_conv_first_mve_blocks(p, line, w, end, 4 * fours, rule, groups, codes);
    }
    for (int32_t i = 0; rest > 0 && i < line->pairs; i++) {
        uint8_t last[8];
        const int32_t x = i * line->x_step, y = i * line->y_step + 4 * fours;
        const eq_conv_first_mve_line one = {line->x0 + x, line->x1 + x, last, last + 4, 1, 0, 4};
        eq_conv_first_mve_blocks(p, &one, end, end + bytes, 4, rule, groups, codes);
        for (int32_t k = 0; k < rest; k++) {
            line->y0[y + k] = last[k];
            line->y1[y + k] = last[4 + k];
        }
    }
}

/* The pixels of a row alone: neighbours, and a last one twice. */
EQ_INLINE void eq_conv_first_mve_row(const eq_mve_layer_t *p, const uint8_t *strip, int32_t step, uint8_t *to,
                                     int32_t count, int32_t rule, int32_t groups, int32_t codes)
{
    const int32_t out_c = p->out_c;
    eq_conv_first_mve_line line = {strip, strip + step, to, to + out_c, count / 2, 2 * step, 2 * out_c};
    for (int32_t i = 0; i < 2; i++) {
        if (line.pairs > 0) {
            eq_conv_first_mve_pixels(p, &line, rule, groups, codes);
        }
        line.x0 = line.x1 = strip + (count - 1) * step;
        line.y0 = line.y1 = to + (count - 1) * out_c;
        line.pairs = count % 2;
    }
}

/* flip: whether codes of x are unsigned; rule: of edgeq_mve_stage.h; groups: of 16 elements of a window;
 * codes: of edgeq_mve_short.h. scratch: two
 * strips for `chunk` pixels, a row of their columns of x, and 16 bytes. Taps lie column by column in the stream. */
EQ_KERNEL void eq_conv_first_mve(const eq_conv_first_mve_t *p, const void *const x[], void *y, void *scratch, bool flip,
                                 int32_t rule, int32_t groups, int32_t codes)
{
    const int32_t column = p->kernel_h * p->pixel, step = p->stride_w * column, out_c = p->layer.out_c;
    const int32_t most = (p->chunk - 1) * p->stride_w + p->kernel_w, row = p->out_w * out_c;
    uint8_t *const strip = scratch, *const second = strip + most * column, *const blank = second + most * column;
    eq_mve_spread_t at = {x[0], blank, p->in_w * p->pixel, p->in_h, p->kernel_h, p->dilation_h, p->pixel, column, {0}};
    eq_mve_places(&at);
    eq_mve_fill(blank, most * p->pixel, p->x_zero);
    for (int32_t oy = 0; oy < p->out_h; oy += 2) {
        const bool two = oy + 1 < p->out_h;
        for (int32_t ox = 0; ox < p->out_w; ox += p->chunk) {
            const int32_t count = eq_min(p->chunk, p->out_w - ox), ix = ox * p->stride_w - p->pad_w;
            const int32_t columns = (count - 1) * p->stride_w + p->kernel_w, first = ix < 0 ? -ix : 0;
            const int32_t inside = eq_min(p->in_w - ix, columns) - first, iy = oy * p->stride_h - p->pad_h;
            uint8_t *const to = (uint8_t *)y + oy * row + ox * out_c;
            if (inside < columns && (oy == 0 || p->chunk < p->out_w)) {
                eq_mve_fill(strip, 2 * most * column, p->x_zero ^ (flip ? 0x80 : 0));
            }
            for (int32_t i = 0; i < 1 + (int32_t)two && inside > 0; i++) {
                eq_mve_spread(&at, (i == 0 ? strip : second) + first * column, iy + i * p->stride_h,
                              (ix + first) * p->pixel, inside, flip);
            }
            if (two) {
                const eq_conv_first_mve_line line = {strip, second, to, to + row, count, step, out_c};
                eq_conv_first_mve_pixels(&p->layer, &line, rule, groups, codes);
            } else {
                eq_conv_first_mve_row(&p->layer, strip, step, to, count, rule, groups, codes);
            }
        }
    }
}

#endif
