/* conv_scaled_dsp.h: convolution of 8-bit codes with DSP; y may roll over x.
 *
 * As conv_dsp.h. Where y lies over x, the last `hold` pixels wait in scratch until no window needs the codes of x that
 * they will replace.
 */
#ifndef EDGEQ_KERNEL_CONV_SCALED_DSP_H
#define EDGEQ_KERNEL_CONV_SCALED_DSP_H

#include "conv_dsp.h"

typedef struct {
    eq_conv_dsp_t conv; /* bounds are codes; constants follow the weights in the stream: edgeq_dsp_scale.h */
    int32_t x_zero;     /* code of x that stands for zero */
    int32_t hold;       /* pixels that wait, an even number */
} eq_conv_scaled_dsp_t;

/* All output channels of the two gathered pixels; the second lies `step` bytes after the first. */
EQ_INLINE void eq_conv_scaled_dsp_pixels(const eq_conv_dsp_t *p, const eq_u32 *units, uint8_t *y, int32_t step,
                                         bool dual, int32_t sat, int32_t stage)
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

/* xs: whether codes of x are signed; dual: see edgeq_dsp_block.h; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi
 * are needed; stage: see edgeq_dsp_scale.h. scratch: 8 bytes for each unit, then `hold` pixels of y.
 * An odd pixel at the end is computed twice. */
EQ_KERNEL void eq_conv_scaled_dsp(const eq_conv_scaled_dsp_t *p, const void *const x[], void *y, void *scratch, bool xs,
                                  bool dual, int32_t sat, bool clamp, int32_t stage)
{
    const eq_conv_dsp_t *c = &p->conv;
    const int32_t pixels = c->out_h * c->out_w, out_c = c->out_c;
    const int32_t hold = x[0] == y ? p->hold : 0;
    const eq_dsp_plane plane = {x[0], c->in_w * c->pixel, c->in_h, c->run, c->kernel_h,
                                0x01010101u * ((uint32_t)p->x_zero & 0xFFu)};
    uint8_t *const held = (uint8_t *)scratch + 8 * c->units;
    uint8_t *to = y;
    eq_conv_dsp_at at = {-c->pad_h, -c->pad_w, c->out_w};
    int32_t slot = 0;
    for (int32_t i = 0; i < pixels; i += 2) {
        const eq_conv_dsp_at first = at;
        const bool alone = i + 1 == pixels;
        eq_conv_dsp_next(c, &at);
        eq_conv_dsp_gather(c, &plane, first, alone ? first : at, scratch, xs);
        eq_conv_dsp_next(c, &at);
        const int32_t step = alone ? 0 : out_c;
        if (hold == 0) {
            eq_conv_scaled_dsp_pixels(c, scratch, to, step, dual, sat, stage);
            to += 2 * out_c;
            continue;
        }
        if (i >= hold) {
            eq_dsp_copy(to, held + slot * out_c, 2 * out_c);
            to += 2 * out_c;
        }
        eq_conv_scaled_dsp_pixels(c, scratch, held + slot * out_c, step, dual, sat, stage);
        slot = slot + 2 == hold ? 0 : slot + 2;
    }
    if (hold > 0) {
        /* The oldest that waits is at `slot`, or at 0 where fewer wait than there is room for. */
        int32_t left = eq_min(pixels, hold - (pixels & 1));
        slot = pixels < hold ? 0 : slot;
        for (; left > 0; left -= 2) {
            eq_dsp_copy(to, held + slot * out_c, eq_min(left, 2) * out_c);
            to += 2 * out_c;
            slot = slot + 2 == hold ? 0 : slot + 2;
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, pixels * out_c, c->lo, c->hi, sat == EQ_SAT_S8);
    }
}

#endif
