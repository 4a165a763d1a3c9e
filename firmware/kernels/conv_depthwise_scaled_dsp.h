/* conv_depthwise_scaled_dsp.h: depthwise convolution with DSP and multipliers; y may roll over x.
 *
 * As conv_depthwise_dsp.h. Where y lies over x, the last `hold` pixels wait in scratch until no window needs the codes
 * of x that they will replace.
 */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_DSP_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_DSP_H

#include "conv_depthwise_dsp.h"

typedef struct {
    eq_conv_depthwise_dsp_t conv; /* bounds are codes; constants follow the weights in the stream: edgeq_dsp_scale.h */
    int32_t x_zero;               /* code of x that stands for zero */
    int32_t hold;                 /* pixels that wait */
} eq_conv_depthwise_scaled_dsp_t;

/* xs: whether codes of x are signed; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi are needed; stage:
 * see edgeq_dsp_scale.h. scratch: 4 bytes for each tap, a code for each channel up to a multiple of four, then
 * `hold` pixels of y. The list of taps is the same for all windows that lie on x entirely. */
EQ_KERNEL void eq_conv_depthwise_scaled_dsp(const eq_conv_depthwise_scaled_dsp_t *p, const void *const x[], void *y,
                                            void *scratch, bool xs, int32_t sat, bool clamp, int32_t stage)
{
    const eq_conv_depthwise_dsp_t *d = &p->conv;
    const uint8_t *from = x[0];
    const int32_t channels = d->channels, pixels = d->out_h * d->out_w, hold = x[0] == y ? p->hold : 0;
    eq_u32 *taps = scratch;
    uint8_t *const zeros = (uint8_t *)scratch + 4 * d->taps, *const held = zeros + (channels + 3) / 4 * 4;
    uint8_t *to = y;
    const int32_t last_y = d->in_h - (d->kernel_h - 1) * d->dilation_h - 1;
    const int32_t last_x = d->in_w - (d->kernel_w - 1) * d->dilation_w - 1;
    const uint32_t fill = 0x01010101u * ((uint32_t)p->x_zero & 0xFFu);
    bool listed = false;
    int32_t slot = 0, done = 0;
    eq_dsp_taps_t job = {taps, taps + d->taps, from, to, channels - 4, eq_dsp_taps_skip(d->taps / 2), d->stream, fill};
    for (int32_t c = 0; c < channels; c++) {
        zeros[c] = (uint8_t)fill;
    }
    for (int32_t oy = 0; oy < d->out_h; oy++) {
        const int32_t iy = oy * d->stride_h - d->pad_h;
        for (int32_t ox = 0; ox < d->out_w; ox++, done++) {
            const int32_t ix = ox * d->stride_w - d->pad_w;
            const bool inside = iy >= 0 && iy <= last_y && ix >= 0 && ix <= last_x;
            job.x = from + (iy * d->in_w + ix) * channels;
            if (!inside || !listed) {
                eq_conv_depthwise_dsp_list(d, iy, ix, job.x, zeros, taps);
            }
            listed = inside;
            if (hold == 0) {
                eq_dsp_taps(&job, xs, sat, stage);
                job.y += channels;
                continue;
            }
            job.y = held + slot * channels;
            if (done >= hold) {
                eq_dsp_copy(to, job.y, channels);
                to += channels;
            }
            eq_dsp_taps(&job, xs, sat, stage);
            slot = slot + 1 == hold ? 0 : slot + 1;
        }
    }
    if (hold > 0) {
        /* The oldest that waits is at `slot`, or at 0 where fewer wait than there is room for. */
        slot = pixels < hold ? 0 : slot;
        for (int32_t left = eq_min(pixels, hold); left > 0; left--) {
            eq_dsp_copy(to, held + slot * channels, channels);
            to += channels;
            slot = slot + 1 == hold ? 0 : slot + 1;
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, pixels * channels, d->lo, d->hi, sat == EQ_SAT_S8);
    }
}

#endif
