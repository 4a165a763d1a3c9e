/* conv_dsp.h: convolution of 8-bit codes with DSP: two pixels gathered into scratch, four output channels at a time.
 *
 * Where y lies over x, the last `hold` pixels wait in scratch until no window needs the codes of x that they will
 * replace: y rolls over x.
 */
#ifndef EDGEQ_KERNEL_CONV_DSP_H
#define EDGEQ_KERNEL_CONV_DSP_H

#include "edgeq_dsp_block.h"
#include "edgeq_dsp_gather.h"

typedef struct {
    int32_t in_h, in_w;          /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;   /* at the beginning; what is needed at the end follows from the sizes */
    int32_t pixel, run;     /* bytes of a pixel of x, and of a row of the window */
    int32_t units;          /* of a window */
    int32_t lo, hi;         /* bounds of a code, where saturation does not make them */
    int32_t hold;           /* pixels that wait, an even number */
    const uint32_t *stream; /* weights, start values, then shifts or what edgeq_dsp_scale.h says, as edgeq_dsp_block.h
                             * says; out_c rounded up to four */
} eq_conv_dsp_t;

/* Where the window of an output pixel lies on x, and how many pixels its row still has. */
typedef struct {
    int32_t iy, ix, left;
} eq_conv_dsp_at;

EQ_INLINE void eq_conv_dsp_next(const eq_conv_dsp_t *p, eq_conv_dsp_at *a)
{
    a->ix += p->stride_w;
    if (--a->left == 0) {
        a->iy += p->stride_h;
        a->ix = -p->pad_w;
        a->left = p->out_w;
    }
}

/* Whether the window lies on x entirely. */
EQ_INLINE bool eq_conv_dsp_inside(const eq_conv_dsp_t *p, eq_conv_dsp_at a)
{
    return a.iy >= 0 && a.ix >= 0 && a.iy <= p->in_h - p->kernel_h && a.ix <= p->in_w - p->kernel_w;
}

/* The windows of two pixels as units. */
EQ_INLINE void eq_conv_dsp_gather(const eq_conv_dsp_t *p, const eq_dsp_plane *plane, eq_conv_dsp_at a,
                                  eq_conv_dsp_at b, eq_u32 *to, bool xs)
{
    const int32_t pixel = p->pixel;
    if (eq_conv_dsp_inside(p, a) && eq_conv_dsp_inside(p, b)) {
        const uint8_t *first = plane->x + a.iy * plane->size + a.ix * pixel;
        const uint8_t *second = plane->x + b.iy * plane->size + b.ix * pixel;
        if (xs) {
            eq_dsp_window2_s(to, first, second, plane);
        } else {
            eq_dsp_window2_u(to, first, second, plane);
        }
    } else if (xs) {
        eq_dsp_window1_s(plane, a.iy, a.ix * pixel, to);
        eq_dsp_window1_s(plane, b.iy, b.ix * pixel, to + 1);
    } else {
        eq_dsp_window1_u(plane, a.iy, a.ix * pixel, to);
        eq_dsp_window1_u(plane, b.iy, b.ix * pixel, to + 1);
    }
}

/* All output channels of the two gathered pixels; the second lies `step` bytes after the first. */
EQ_INLINE void eq_conv_dsp_pixels(const eq_conv_dsp_t *p, const eq_u32 *units, uint8_t *y, int32_t step, bool dual,
                                  int32_t sat, int32_t stage)
{
    const int32_t fours = p->out_c / 4, rest = p->out_c % 4;
    const int32_t words = 4 + 2 * p->units + eq_dsp_stage_words(stage);
    eq_dsp_block_t job = {units, units + 2 * p->units, y, step, p->stream + fours * words, p->stream};
    if (fours > 0) {
        eq_dsp_block(&job, dual, sat, stage);
    }
    if (rest > 0) {
        uint8_t last[8];
        job.w = job.w_end;
        job.w_end = job.w + words;
        job.y = last;
        job.step = 4;
        eq_dsp_block(&job, dual, sat, stage);
        for (int32_t i = 0; i < rest; i++) {
            y[4 * fours + i] = last[i];
            y[4 * fours + step + i] = last[4 + i];
        }
    }
}

/* Bring the pixels that still wait to y: the oldest is at `slot`, or at 0 where fewer wait than there is room for. */
EQ_INLINE void eq_conv_dsp_release(const eq_conv_dsp_t *p, const uint8_t *held, uint8_t *to, int32_t slot)
{
    const int32_t pixels = p->out_h * p->out_w, out_c = p->out_c;
    slot = pixels < p->hold ? 0 : slot;
    for (int32_t left = eq_min(pixels, p->hold - (pixels & 1)); left > 0; left -= 2, to += 2 * out_c) {
        eq_copy_bytes(to, held + slot * out_c, eq_min(left, 2) * out_c);
        slot = slot + 2 == p->hold ? 0 : slot + 2;
    }
}

/* All pixels, without bounds. fill: four codes of x that stand for zero. */
EQ_INLINE void eq_conv_dsp_all(const eq_conv_dsp_t *p, const void *x, void *y, void *scratch, uint32_t fill, bool xs,
                               bool dual, int32_t sat, int32_t stage)
{
    const int32_t pixels = p->out_h * p->out_w, out_c = p->out_c, hold = x == y ? p->hold : 0;
    const eq_dsp_plane plane = {x, p->in_w * p->pixel, p->in_h, p->run, p->kernel_h, fill};
    uint8_t *const held = (uint8_t *)scratch + 8 * p->units;
    uint8_t *to = y;
    eq_conv_dsp_at at = {-p->pad_h, -p->pad_w, p->out_w};
    int32_t slot = 0;
    for (int32_t i = 0; i < pixels; i += 2) {
        const eq_conv_dsp_at first = at;
        const bool alone = i + 1 == pixels;
        eq_conv_dsp_next(p, &at);
        eq_conv_dsp_gather(p, &plane, first, alone ? first : at, scratch, xs);
        eq_conv_dsp_next(p, &at);
        const int32_t step = alone ? 0 : out_c;
        if (hold == 0) {
            eq_conv_dsp_pixels(p, scratch, to, step, dual, sat, stage);
            to += 2 * out_c;
            continue;
        }
        if (i >= hold) {
            eq_copy_bytes(to, held + slot * out_c, 2 * out_c);
            to += 2 * out_c;
        }
        eq_conv_dsp_pixels(p, scratch, held + slot * out_c, step, dual, sat, stage);
        slot = slot + 2 == hold ? 0 : slot + 2;
    }
    if (hold > 0) {
        eq_conv_dsp_release(p, held, to, slot);
    }
}

/* xs: whether codes of x are signed; dual, sat: see edgeq_dsp_block.h; clamp: whether lo and hi are needed.
 * scratch: 8 bytes for each unit, then `hold` pixels of y. An odd pixel at the end is computed twice. */
EQ_KERNEL void eq_conv_dsp(const eq_conv_dsp_t *p, const void *const x[], void *y, void *scratch, bool xs, bool dual,
                           int32_t sat, bool clamp)
{
    eq_conv_dsp_all(p, x[0], y, scratch, 0, xs, dual, sat, EQ_STAGE_SHIFT);
    if (clamp) {
        eq_dsp_clamp(y, p->out_h * p->out_w * p->out_c, p->lo, p->hi, sat);
    }
}

#endif
