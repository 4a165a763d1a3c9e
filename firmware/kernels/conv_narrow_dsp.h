/* conv_narrow_dsp.h: convolution with DSP of weights below 8 bits and of minifloats whose grid fits a byte.
 *
 * Weights stay packed in flash. Those of `chunk` output channels at a time are expanded into scratch, where the loops
 * of conv_dsp.h read them for all pixels. Codes of a minifloat x are decoded into scratch for `strip` rows of y at a
 * time. A minifloat y is a table of sums in halves of its grid: every tie of half_up is such a half, so that what lies
 * below them does not matter.
 */
#ifndef EDGEQ_KERNEL_CONV_NARROW_DSP_H
#define EDGEQ_KERNEL_CONV_NARROW_DSP_H

#include "conv_dsp.h"
#include "edgeq_dsp_narrow.h"

typedef struct {
    eq_conv_dsp_t conv; /* stream: packed as edgeq_dsp_narrow.h says; hold: 0 */
    int32_t chunk;      /* channels, a multiple of four */
    int32_t strip;      /* rows of y */
    int32_t room;       /* bytes of scratch for decoded rows of x, a multiple of four */
    const uint8_t *map; /* code of each byte that holds a sum, for a minifloat y; else null */
} eq_conv_narrow_dsp_t;

/* n codes of a minifloat as integers on its grid. */
EQ_INLINE void eq_conv_narrow_decode(uint8_t *to, const uint8_t *from, int32_t n, const eq_narrow_table *table)
{
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        const uint8_t a = (uint8_t)table->of[from[0]], b = (uint8_t)table->of[from[1]];
        const uint8_t c = (uint8_t)table->of[from[2]], d = (uint8_t)table->of[from[3]];
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
    }
    for (; n > 0; n--) {
        *to++ = (uint8_t)table->of[*from++];
    }
}

/* All pixels of y, which lie `apart` bytes from one another, on channels whose stream is in scratch. */
EQ_INLINE void eq_conv_narrow_pixels(const eq_conv_dsp_t *p, const uint8_t *x, uint8_t *y, int32_t apart, eq_u32 *units,
                                     bool xs, int32_t sat)
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
        eq_conv_dsp_pixels(p, units, y, alone ? 0 : apart, true, sat, EQ_STAGE_SHIFT);
    }
}

/* `rows` rows of y from row `oy` on: a convolution of the rows of x that they see. */
EQ_INLINE void eq_conv_narrow_strip(const eq_conv_narrow_dsp_t *p, eq_conv_dsp_t job, int32_t oy, int32_t rows,
                                    const uint8_t *x, uint8_t *y, uint8_t *decoded, eq_u32 *units,
                                    const eq_narrow_table *table, eq_type xt, int32_t sat)
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
        eq_conv_narrow_decode(decoded, x, job.in_h * row, table);
        x = decoded;
    }
    eq_conv_narrow_pixels(&job, x, y + oy * job.out_w * apart, apart, units, eq_is_signed(xt) || eq_is_float(xt), sat);
}

/* The codes of n bytes that hold sums. */
EQ_INLINE void eq_conv_narrow_codes(uint8_t *y, int32_t n, const uint8_t *map)
{
    for (; n >= 4; n -= 4, y += 4) {
        const uint8_t a = map[y[0]], b = map[y[1]], c = map[y[2]], d = map[y[3]];
        y[0] = a;
        y[1] = b;
        y[2] = c;
        y[3] = d;
    }
    for (; n > 0; n--, y++) {
        *y = map[*y];
    }
}

/* xt, wt: types of x and the weights; sat: see edgeq_dsp_block.h; clamp: whether lo and hi are needed; mapped: whether
 * y is a minifloat. scratch: `room` bytes, 8 for each unit, then the stream of `chunk` channels and seven words. */
EQ_KERNEL void eq_conv_narrow_dsp(const eq_conv_narrow_dsp_t *p, const void *const x[], void *y, void *scratch,
                                  eq_type xt, eq_type wt, int32_t sat, bool clamp, bool mapped)
{
    const int32_t units = p->conv.units, out_c = p->conv.out_c, count = p->conv.out_h * p->conv.out_w * out_c;
    uint8_t *const decoded = scratch;
    eq_u32 *const gathered = (eq_u32 *)(void *)(decoded + p->room), *const stream = gathered + 2 * units;
    const eq_u32 *packed = p->conv.stream;
    eq_narrow_table weights, codes;
    if (eq_is_float(wt)) {
        eq_narrow_fill(&weights, wt);
    }
    if (eq_is_float(xt)) {
        eq_narrow_fill(&codes, xt);
    }
    for (int32_t o = 0; o < out_c; o += p->chunk) {
        eq_conv_dsp_t job = p->conv;
        job.out_c = eq_min(p->chunk, out_c - o);
        job.stream = stream;
        packed = eq_narrow_expand(stream, packed, (job.out_c + 3) / 4, units, &weights, wt);
        for (int32_t oy = 0; oy < p->conv.out_h; oy += p->strip) {
            const int32_t rows = eq_min(p->strip, p->conv.out_h - oy);
            eq_conv_narrow_strip(p, job, oy, rows, x[0], (uint8_t *)y + o, decoded, gathered, &codes, xt, sat);
        }
    }
    if (mapped) {
        eq_conv_narrow_codes(y, count, p->map);
    } else if (clamp) {
        eq_dsp_clamp(y, count, p->conv.lo, p->conv.hi, sat);
    }
}

#endif
