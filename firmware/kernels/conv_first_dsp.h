/* conv_first_dsp.h: convolution of 1 to 3 channels with DSP: two rows of windows laid in scratch, then blocks of four
 * output channels by two pixels read them where they lie. For fixed point and for multipliers.
 *
 * The two pixels are one above the other; in a last odd row they are neighbours, and where their number is odd too,
 * the first is computed with one that is not there.
 */
#ifndef EDGEQ_KERNEL_CONV_FIRST_DSP_H
#define EDGEQ_KERNEL_CONV_FIRST_DSP_H

#include "edgeq_dsp_block.h"
#include "edgeq_dsp_columns.h"

typedef struct {
    int32_t in_h, in_w;          /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;   /* at the beginning; what is needed at the end follows from the sizes */
    int32_t chunk;          /* pixels of a row whose windows lie in scratch at a time */
    int32_t units;          /* of a column of a window */
    int32_t lo, hi;         /* bounds of a code, where saturation does not make them */
    int32_t x_zero;         /* code of x that stands for zero */
    const uint32_t *stream; /* weights and what follows them, as edgeq_dsp_block.h says; out_c rounded up to four */
} eq_conv_first_dsp_t;

/* Two rows of pixels, or one, from one strip. */
typedef struct {
    int32_t iy, ix, iy2, ix2; /* windows of the first two pixels */
    int32_t pairs, across;    /* pairs of pixels, and columns from one to the next */
    uint8_t *y;
    int32_t step, advance; /* bytes from a pixel to the other of its pair, and from pair to pair */
    bool alone;            /* whether only the second pixel of the first pair is there */
} eq_conv_first_dsp_line;

/* One window of each pair. Columns that lie beside the image stay as they are. */
EQ_INLINE void eq_conv_first_dsp_lay(const eq_dsp_columns_t *at, const eq_conv_first_dsp_t *p, eq_u32 *strip,
                                     int32_t iy, int32_t ix, int32_t columns, int32_t pixel, bool xs)
{
    const int32_t first = ix < 0 ? -ix : 0, count = eq_min(p->in_w - ix, columns) - first;
    if (count > 0) {
        eq_dsp_columns(at, strip + first * at->pitch, iy, (ix + first) * pixel, count, pixel, xs);
    }
}

/* All output channels of the pairs of a line. */
EQ_INLINE void eq_conv_first_dsp_pixels(const eq_conv_first_dsp_t *p, const eq_conv_first_dsp_line *line,
                                        const eq_u32 *strip, bool dual, int32_t sat, int32_t stage)
{
    const int32_t fours = p->out_c / 4, rest = p->out_c % 4, span = 2 * p->units * p->kernel_w;
    const int32_t words = 4 + span + eq_dsp_stage_words(stage), across = line->across * 2 * p->units;
    eq_dsp_block_t job = {strip, strip + span, line->y, line->step, p->stream + fours * words, p->stream};
    uint8_t *y = line->y;
    for (int32_t i = 0; i < line->pairs; i++) {
        /* Blocks write the second pixel after the first: over it where that is none. */
        const bool alone = i == 0 && line->alone;
        job.step = alone ? 0 : line->step;
        if (fours > 0) {
            job.y = y;
            eq_dsp_block(&job, dual, sat, stage);
        }
        if (rest > 0) {
            uint8_t last[8];
            eq_dsp_block_t end = {job.x, job.x_end, last, 4, job.w_end + words, job.w_end};
            eq_dsp_block(&end, dual, sat, stage);
            for (int32_t k = 0; k < rest; k++) {
                y[4 * fours + k] = last[k];
                y[4 * fours + job.step + k] = last[4 + k];
            }
        }
        job.x += across;
        job.x_end += across;
        y += alone ? p->out_c : line->advance;
    }
}

/* xs: whether codes of x are signed; dual, sat: see edgeq_dsp_block.h; clamp: whether lo and hi are needed; stage: see
 * edgeq_dsp_scale.h; pixel: channels of x. scratch: a strip for `chunk` pixels, and a row of its columns of x. */
EQ_KERNEL void eq_conv_first_dsp(const eq_conv_first_dsp_t *p, const void *const x[], void *y, void *scratch, bool xs,
                                 bool dual, int32_t sat, bool clamp, int32_t stage, int32_t pixel)
{
    const int32_t pitch = 2 * p->units, out_c = p->out_c, row = p->out_w * out_c;
    const int32_t most = (p->chunk - 1) * p->stride_w + p->kernel_w;
    eq_u32 *const strip = scratch;
    uint8_t *const blank = (uint8_t *)scratch + 4 * most * pitch;
    const eq_dsp_columns_t at = {x[0], blank, p->in_w * pixel, p->in_h, p->kernel_h, pitch};
    const uint32_t zero = eq_dsp_column_code((uint8_t)p->x_zero, xs);
    for (int32_t i = 0; i < most * pixel; i++) {
        blank[i] = (uint8_t)p->x_zero;
    }
    for (int32_t oy = 0; oy < p->out_h; oy += 2) {
        const bool two = oy + 1 < p->out_h;
        for (int32_t ox = 0; ox < p->out_w; ox += p->chunk) {
            const int32_t count = eq_min(p->chunk, p->out_w - ox), stride = p->stride_w;
            const int32_t iy = oy * p->stride_h - p->pad_h, ix = ox * stride - p->pad_w;
            uint8_t *const to = (uint8_t *)y + oy * row + ox * out_c;
            const bool alone = !two && count % 2 != 0;
            const eq_conv_first_dsp_line line = {
                iy, alone ? ix - stride : ix, two ? iy + p->stride_h : iy, two || alone ? ix : ix + stride,
                two ? count : (count + 1) / 2, two ? stride : 2 * stride,
                to, two ? row : out_c, two ? out_c : 2 * out_c, alone};
            const int32_t columns = (line.pairs - 1) * line.across + p->kernel_w;
            if (oy == 0 || !two || p->chunk < p->out_w) {
                for (int32_t i = 0; i < columns * pitch; i++) {
                    strip[i] = eq_pkhbt(zero, zero);
                }
            }
            eq_conv_first_dsp_lay(&at, p, strip, line.iy, line.ix, columns, pixel, xs);
            eq_conv_first_dsp_lay(&at, p, strip + 1, line.iy2, line.ix2, columns, pixel, xs);
            eq_conv_first_dsp_pixels(p, &line, strip, dual, sat, stage);
        }
    }
    if (clamp && stage == EQ_STAGE_SHIFT) {
        eq_dsp_clamp(y, p->out_h * row, p->lo, p->hi, sat);
    } else if (clamp) {
        eq_dsp_clamp_codes(y, p->out_h * row, p->lo, p->hi, sat == EQ_SAT_S8);
    }
}

#endif
