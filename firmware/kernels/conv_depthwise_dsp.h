/* conv_depthwise_dsp.h: convolution of 8-bit codes where each output channel sees the input channel of its own number,
 * with DSP: four channels or more, two taps in one SMLAD.
 *
 * Where y lies over x, the last `hold` pixels wait in scratch until no window needs the codes of x that they will
 * replace: y rolls over x.
 */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_DSP_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_DSP_H

#include "edgeq_dsp_taps.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t dilation_h, dilation_w;
    int32_t taps;           /* of the window, rounded up to a multiple of two */
    int32_t lo, hi;         /* bounds of a code, where saturation does not make them */
    int32_t hold;           /* pixels that wait */
    const uint32_t *stream; /* weights, start values, then shifts or what edgeq_dsp_scale.h says, as edgeq_dsp_taps.h
                             * says */
} eq_conv_depthwise_dsp_t;

/* The taps of the window from row iy and column ix on, whose first element would be at x. */
EQ_INLINE void eq_conv_depthwise_dsp_list(const eq_conv_depthwise_dsp_t *p, int32_t iy, int32_t ix, const uint8_t *x,
                                          const uint8_t *zeros, eq_u32 *taps)
{
    const uint32_t none = eq_dsp_no_tap(zeros, x);
    eq_u32 *to = taps;
    for (int32_t ky = 0; ky < p->kernel_h; ky++, iy += p->dilation_h) {
        const bool row = iy >= 0 && iy < p->in_h;
        int32_t at = ky * p->dilation_h * p->in_w * p->channels, column = ix;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, column += p->dilation_w, at += p->dilation_w * p->channels) {
            *to++ = row && column >= 0 && column < p->in_w ? (uint32_t)at : none;
        }
    }
    if (to != taps + p->taps) {
        *to = none;
    }
}

/* All pixels, without bounds. fill: four codes of x that stand for zero. The list of taps is the same for all windows
 * that lie on x entirely. */
EQ_INLINE void eq_conv_depthwise_dsp_all(const eq_conv_depthwise_dsp_t *p, const uint8_t *x, uint8_t *y, void *scratch,
                                         uint32_t fill, bool xs, int32_t sat, int32_t stage)
{
    const int32_t channels = p->channels, pixels = p->out_h * p->out_w, hold = x == y ? p->hold : 0;
    eq_u32 *taps = scratch;
    uint8_t *const zeros = (uint8_t *)scratch + 4 * p->taps, *const held = zeros + (channels + 3) / 4 * 4;
    const int32_t last_y = p->in_h - (p->kernel_h - 1) * p->dilation_h - 1;
    const int32_t last_x = p->in_w - (p->kernel_w - 1) * p->dilation_w - 1;
    bool listed = false;
    int32_t slot = 0, done = 0;
    eq_dsp_taps_t job = {taps, taps + p->taps, x, y, channels - 4, eq_dsp_taps_skip(p->taps / 2), p->stream, fill};
    for (int32_t c = 0; c < channels; c++) {
        zeros[c] = (uint8_t)fill;
    }
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h;
        for (int32_t ox = 0; ox < p->out_w; ox++, done++) {
            const int32_t ix = ox * p->stride_w - p->pad_w;
            const bool inside = iy >= 0 && iy <= last_y && ix >= 0 && ix <= last_x;
            job.x = x + (iy * p->in_w + ix) * channels;
            if (!inside || !listed) {
                eq_conv_depthwise_dsp_list(p, iy, ix, job.x, zeros, taps);
            }
            listed = inside;
            if (hold == 0) {
                eq_dsp_taps(&job, xs, sat, stage);
                job.y += channels;
                continue;
            }
            job.y = held + slot * channels;
            if (done >= hold) {
                eq_copy_bytes(y, job.y, channels);
                y += channels;
            }
            eq_dsp_taps(&job, xs, sat, stage);
            slot = slot + 1 == hold ? 0 : slot + 1;
        }
    }
    /* The oldest that waits is at `slot`, or at 0 where fewer wait than there is room for. */
    slot = pixels < hold ? 0 : slot;
    for (int32_t left = eq_min(pixels, hold); left > 0; left--, y += channels) {
        eq_copy_bytes(y, held + slot * channels, channels);
        slot = slot + 1 == hold ? 0 : slot + 1;
    }
}

/* xs: whether codes of x are signed; sat, clamp: see edgeq_dsp.h. scratch: 4 bytes for each tap, a code for each channel
 * up to a multiple of four, then `hold` pixels of y. */
EQ_KERNEL void eq_conv_depthwise_dsp(const eq_conv_depthwise_dsp_t *p, const void *const x[], void *y, void *scratch,
                                     bool xs, int32_t sat, bool clamp)
{
    eq_conv_depthwise_dsp_all(p, x[0], y, scratch, 0, xs, sat, EQ_STAGE_SHIFT);
    if (clamp) {
        eq_dsp_clamp(y, p->out_h * p->out_w * p->channels, p->lo, p->hi, sat);
    }
}

#endif
