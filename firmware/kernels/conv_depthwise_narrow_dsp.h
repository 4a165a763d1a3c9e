/* conv_depthwise_narrow_dsp.h: conv_depthwise_dsp.h for weights below 8 bits and for minifloats whose grid fits a byte.
 *
 * Weights stay packed in flash; all of them are expanded into scratch, and codes of a minifloat x beside them. A
 * minifloat y is looked up by sums in halves of its grid, as conv_narrow_dsp.h says, in a table in front of the taps.
 */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_NARROW_DSP_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_NARROW_DSP_H

#include "conv_depthwise_dsp.h"
#include "edgeq_dsp_narrow.h"

typedef struct {
    eq_conv_depthwise_dsp_t conv; /* its stream is empty; hold: 0 */
    int32_t blocks;               /* of four channels */
    const uint32_t *packed;       /* each: four start values; for each pair of taps a, b two words of codes as
                                   * edgeq_narrow.h says, a of two channels and then b; a word of shifts */
    int32_t room;                 /* bytes of scratch for x, a multiple of four */
    const uint32_t *map;          /* for a minifloat y: code of each sum, from the least on, four in a word; else null */
} eq_conv_depthwise_narrow_dsp_t;

/* The stream of conv_depthwise_dsp.h: `words` words of codes become twice as many of lanes. Codes are brought out as
 * bytes into the second half of their room, and move on from there. */
EQ_INLINE void eq_conv_depthwise_narrow_stream(eq_u32 *to, const eq_u32 *from, int32_t blocks, int32_t words,
                                               const eq_narrow_table *table, eq_type t)
{
    for (; blocks > 0; blocks--) {
        for (int32_t i = 0; i < 4; i++) {
            *to++ = *from++;
        }
        eq_narrow_bytes(to + words, from, 1, words, 0, table, t);
        for (int32_t i = 0; i < words; i++) {
            const uint32_t v = to[words + i];
            to[2 * i] = eq_sxtb16(v);
            to[2 * i + 1] = eq_sxtb16_8(v);
        }
        from += eq_narrow_words(words, t);
        to += 2 * words;
        *to++ = *from++;
    }
}

/* xt, wt: types of x and the weights; stage: as conv_narrow_dsp.h says; the rest: of conv_depthwise_dsp.h.
 * scratch: `room` bytes, the stream, seven words, the map, and what conv_depthwise_dsp.h takes. */
EQ_KERNEL void eq_conv_depthwise_narrow_dsp(const eq_conv_depthwise_narrow_dsp_t *p, const void *const x[], void *y,
                                            void *scratch, eq_type xt, eq_type wt, int32_t stage, bool xs, int32_t sat,
                                            bool clamp)
{
    const int32_t words = stage == EQ_STAGE_EXACT ? 128 : stage == EQ_STAGE_MAP ? 64 : 0;
    uint8_t *const decoded = scratch;
    eq_u32 *const stream = (eq_u32 *)(void *)(decoded + p->room);
    eq_u32 *const map = stream + p->blocks * (2 * p->conv.taps + 5) + 7;
    eq_conv_depthwise_dsp_t job = p->conv;
    const uint8_t *from = x[0];
    eq_narrow_table table;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&table, wt);
    }
    eq_conv_depthwise_narrow_stream(stream, p->packed, p->blocks, job.taps, &table, wt);
    job.stream = (const uint32_t *)(const void *)stream;
    if (eq_is_float(xt)) {
        eq_narrow_fill(&table, xt);
        eq_narrow_decode(decoded, x[0], job.in_h * job.in_w * job.channels, &table, xt);
        from = decoded;
    }
    for (int32_t i = 0; i < words; i++) {
        map[i] = p->map[i];
    }
    eq_conv_depthwise_dsp_all(&job, from, y, map + words, 0, xs, sat, stage);
    if (clamp) {
        eq_dsp_clamp(y, job.out_h * job.out_w * job.channels, job.lo, job.hi, sat);
    }
}

#endif
