/* conv_narrow_dsp.h: convolution with DSP of weights below 8 bits and of minifloats whose grid fits a byte.
 *
 * Weights stay packed in flash. Those of `chunk` output channels at a time are expanded into scratch, where the loops
 * of conv_dsp.h read them for all pixels. Codes of a minifloat x are decoded into scratch for `strip` rows of y at a
 * time. A minifloat y is looked up by sums in halves of its grid: every tie is such a half, and what lies below them does
 * not matter to half_up and floor. half_even has to know of an exact half: its table has places of their own for those.
 */
#ifndef EDGEQ_KERNEL_CONV_NARROW_DSP_H
#define EDGEQ_KERNEL_CONV_NARROW_DSP_H

#include "conv_dsp.h"
#include "edgeq_dsp_narrow.h"

typedef struct {
    eq_conv_dsp_t conv;  /* stream: packed as edgeq_dsp_narrow.h says */
    int32_t chunk;       /* channels, a multiple of four */
    int32_t strip;       /* rows of y */
    int32_t room, waits; /* bytes of scratch for decoded rows of x, and for pixels that wait; multiples of four */
    const uint32_t *map; /* for a minifloat y: code of each sum, from the least on, four in a word; else null */
} eq_conv_narrow_dsp_t;

/* The parts of scratch, and grid integers of codes of x and of weights, where they are minifloats. */
typedef struct {
    uint8_t *decoded;
    eq_u32 *map, *units, *stream;
    eq_narrow_table x, weight;
} eq_conv_narrow_parts;

/* All pixels of y, which lie `apart` bytes from one another, on channels whose stream is in scratch. */
EQ_INLINE void eq_conv_narrow_pixels(const eq_conv_dsp_t *p, const uint8_t *x, uint8_t *y, int32_t apart, eq_u32 *units,
                                     bool xs, int32_t sat, int32_t stage)
{
    const int32_t pixels = p->out_h * p->out_w;
    const eq_dsp_plane plane = {x, p->in_w * p->pixel, p->in_h, p->run, p->kernel_h, 0};
    eq_conv_dsp_at at = {-p->pad_h, -p->pad_w, p->out_w};
    for (int32_t i = 0; i < pixels; i += 2, y += 2 * apart) {
        const eq_conv_dsp_at first = at;
        const bool alone = i + 1 == pixels;
        eq_conv_dsp_next(p, &at);
        eq_conv_dsp_gather(p, &plane, first, alone ? first : at, units, xs);
        eq_conv_dsp_next(p, &at);
        eq_conv_dsp_pixels(p, units, y, alone ? 0 : apart, true, sat, stage);
    }
}

/* `rows` rows of y from row `oy` on: a convolution of the rows of x that they see. */
EQ_INLINE void eq_conv_narrow_strip(const eq_conv_narrow_dsp_t *p, eq_conv_dsp_t job, int32_t oy, int32_t rows,
                                    const uint8_t *x, uint8_t *y, const eq_conv_narrow_parts *parts, eq_type xt,
                                    int32_t sat, int32_t stage)
{
    const int32_t top = oy * job.stride_h - job.pad_h, row = job.in_w * job.pixel;
    const int32_t from = top > 0 ? eq_min(top, job.in_h) : 0;
    const int32_t end = eq_min(top + (rows - 1) * job.stride_h + job.kernel_h, job.in_h);
    const int32_t apart = p->conv.out_c;
    job.pad_h = from - top;
    job.in_h = end > from ? end - from : 0;
    job.out_h = rows;
    x += from * row;
    if (eq_is_float(xt)) {
        eq_narrow_decode(parts->decoded, x, job.in_h * row, &parts->x, xt);
        x = parts->decoded;
    }
    eq_conv_narrow_pixels(&job, x, y + oy * job.out_w * apart, apart, parts->units, eq_is_signed(xt) || eq_is_float(xt),
                          sat, stage);
}

/* Channels by the chunk, rows by the strip. */
EQ_INLINE void eq_conv_narrow_chunks(const eq_conv_narrow_dsp_t *p, const uint8_t *x, uint8_t *y,
                                     const eq_conv_narrow_parts *parts, eq_type xt, eq_type wt, int32_t sat,
                                     int32_t stage)
{
    const int32_t out_c = p->conv.out_c, out_h = p->conv.out_h;
    const eq_u32 *packed = p->conv.stream;
    for (int32_t o = 0; o < out_c; o += p->chunk) {
        eq_conv_dsp_t job = p->conv;
        job.out_c = eq_min(p->chunk, out_c - o);
        job.stream = parts->stream;
        packed = eq_narrow_expand(parts->stream, packed, (job.out_c + 3) / 4, job.units, &parts->weight, wt);
        for (int32_t oy = 0; oy < out_h; oy += p->strip) {
            eq_conv_narrow_strip(p, job, oy, eq_min(p->strip, out_h - oy), x, y + o, parts, xt, sat, stage);
        }
    }
}

/* xt, wt: types of x and the weights; sat: see edgeq_dsp_block.h; clamp: whether lo and hi are needed; stage:
 * EQ_STAGE_SHIFT, or for a minifloat y EQ_STAGE_MAP or EQ_STAGE_EXACT; whole: whether a chunk holds all channels and x is
 * not decoded; then y may roll over x.
 * scratch: `room` bytes, the map, 8 for each unit, `waits` bytes, the stream of a chunk, and seven words. */
EQ_KERNEL void eq_conv_narrow_dsp(const eq_conv_narrow_dsp_t *p, const void *const x[], void *y, void *scratch,
                                  eq_type xt, eq_type wt, int32_t sat, bool clamp, int32_t stage, bool whole)
{
    const int32_t units = p->conv.units, out_c = p->conv.out_c;
    const int32_t map = stage == EQ_STAGE_EXACT ? 128 : stage == EQ_STAGE_MAP ? 64 : 0;
    eq_conv_narrow_parts parts;
    parts.decoded = scratch;
    parts.map = (eq_u32 *)(void *)(parts.decoded + p->room);
    parts.units = parts.map + map;
    parts.stream = parts.units + 2 * units + p->waits / 4;
    for (int32_t i = 0; i < map; i++) {
        parts.map[i] = p->map[i];
    }
    if (eq_is_float(wt)) {
        eq_narrow_fill(&parts.weight, wt);
    }
    if (eq_is_float(xt)) {
        eq_narrow_fill(&parts.x, xt);
    }
    if (whole) {
        eq_conv_dsp_t job = p->conv;
        job.stream = parts.stream;
        (void)eq_narrow_expand(parts.stream, p->conv.stream, (out_c + 3) / 4, units, &parts.weight, wt);
        eq_conv_dsp_all(&job, x[0], y, parts.units, 0, eq_is_signed(xt), true, sat, stage);
    } else {
        eq_conv_narrow_chunks(p, x[0], y, &parts, xt, wt, sat, stage);
    }
    if (clamp) {
        eq_dsp_clamp(y, p->conv.out_h * p->conv.out_w * out_c, p->conv.lo, p->conv.hi, sat);
    }
}

#endif
