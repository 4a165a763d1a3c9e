/* conv_depthwise_lanes.h: depthwise convolution of minifloats on any grid of up to 32 bits, with any rounding.
 *
 * Weights stay packed at their width in flash; all of them are looked up as integers of 16 or 32 bits in scratch, tap by
 * tap across the channels. Rows of x are looked up into a ring there, with the zeros of the padding around them.
 */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_LANES_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_LANES_H

#include "edgeq_expand.h"

typedef struct {
    eq_ring_t ring;
    int32_t out_h, out_w; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t dilation_h, dilation_w;
    eq_code_stage stage;
    int32_t codes;         /* of weights, with those that make their number a multiple of eight */
    const uint8_t *weight; /* bit stream: (kernel_h, kernel_w, channels) */
    const void *start;     /* start values of the sums of all channels, of 32 or 64 bits */
} eq_conv_depthwise_lanes_t;

/* The sums of `count` (1 or 4) channels from c on; at: element of the ring under the first tap. */
EQ_INLINE void eq_depthwise_lanes_sum(const eq_conv_depthwise_lanes_t *p, const void *ring, int32_t row, int32_t column,
                                      const void *weight, int32_t c, int32_t count, void *sums, bool word, bool wide)
{
    const int32_t channels = p->ring.pixel, end = p->ring.rows * p->ring.pitch;
    eq_acc a[4];
    for (int32_t k = 0; k < count; k++) {
        a[k] = eq_acc_start(p->start, c + k, wide);
    }
    const eq_type t = word ? EQ_S(32) : EQ_S(16);
    int32_t wi = c;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        int32_t at = row + column + c;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, at += p->dilation_w * channels, wi += channels) {
            eq_mac(&a[0], ring, at, t, weight, wi, t, wide);
            if (count == 4) {
                eq_mac(&a[1], ring, at + 1, t, weight, wi + 1, t, wide);
                eq_mac(&a[2], ring, at + 2, t, weight, wi + 2, t, wide);
                eq_mac(&a[3], ring, at + 3, t, weight, wi + 3, t, wide);
            }
        }
        row += p->dilation_h * p->ring.pitch;
        row -= row >= end ? end : 0;
    }
    for (int32_t k = 0; k < count; k++) {
        if (wide) {
            ((eq_i64 *)sums)[c + k] = a[k].wide;
        } else {
            ((eq_i32 *)sums)[c + k] = a[k].narrow;
        }
    }
}

/* xt, wt: types of x and the weights; word: whether their integers need 32 bits; yt, rule, wide: of eq_put; quick:
 * whether edgeq_code.h makes the codes of y.
 * scratch: the sums; the table of x, four bytes for each code that is a word; the weights; the ring, where the table of
 * the weights lies before. */
EQ_KERNEL void eq_conv_depthwise_lanes(const eq_conv_depthwise_lanes_t *p, const void *const x[], void *y,
                                       void *scratch, eq_type xt, eq_type wt, bool word, eq_type yt, int32_t rule,
                                       bool wide, bool quick)
{
    const int32_t channels = p->ring.pixel, fours = channels - channels % 4, bytes = word ? 4 : 2;
    uint8_t *const table = (uint8_t *)scratch + 8 * channels, *const weight = table + (bytes << eq_width(xt));
    uint8_t *const ring = weight + bytes * p->codes;
    int32_t have = -p->ring.pad_h;
    eq_expand_fill(ring, wt, word);
    eq_expand_codes(weight, p->weight, p->codes, ring, eq_width(wt), word);
    eq_expand_fill(table, xt, word);
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t top = oy * p->stride_h - p->ring.pad_h, end = top + (p->kernel_h - 1) * p->dilation_h + 1;
        eq_ring_fill(&p->ring, ring, x[0], have > top ? have : top, end, table, word);
        have = have > end ? have : end;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t row = eq_ring_row(&p->ring, top), column = ox * p->stride_w * channels;
            for (int32_t c = 0; c < fours; c += 4) {
                eq_depthwise_lanes_sum(p, ring, row, column, weight, c, 4, scratch, word, wide);
            }
            for (int32_t c = fours; c < channels; c++) {
                eq_depthwise_lanes_sum(p, ring, row, column, weight, c, 1, scratch, word, wide);
            }
            eq_code_put(&p->stage, scratch, y, (oy * p->out_w + ox) * channels, 0, channels, yt, rule, wide, quick);
        }
    }
}

#endif
