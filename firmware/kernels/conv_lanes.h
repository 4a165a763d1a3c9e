/* conv_lanes.h: convolution of minifloats whose grid does not fit a byte, and of weights with group scales.
 *
 * Weights stay packed at their width in flash. Those of `chunk` output channels at a time are looked up as integers on
 * their grid, of 16 or 32 bits, and shifted where groups have scales; they lie in scratch for all pixels. Rows of x are
 * looked up into a ring in scratch, with the zeros of the padding around them, once for each chunk. The window of two
 * pixels is gathered from there, and the loops of edgeq_lanes.h run. Rows times weights are pixels under a filter of
 * one tap.
 */
#ifndef EDGEQ_KERNEL_CONV_LANES_H
#define EDGEQ_KERNEL_CONV_LANES_H

#include "edgeq_expand.h"
#include "edgeq_lanes.h"

typedef struct {
    eq_ring_t ring;
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t units;         /* words of a window; so many that a block has a multiple of eight codes */
    int32_t chunk;         /* output channels, whole blocks */
    eq_code_stage stage;
    const uint8_t *weight; /* bit stream; of each block, for each unit: of each channel its lanes or its element */
    const uint32_t *start; /* 16 bytes for each block: start values of its sums */
    int32_t group, scales; /* input channels that share a scale, and groups of a tap */
    const void *scale;     /* (out_c, kernel_h, kernel_w, scales): shifts to the left; null: none */
} eq_conv_lanes_t;

/* The parts of scratch. */
typedef struct {
    void *x_table, *w_table;
    eq_u32 *units, *weight;
    uint8_t *sums;
    void *ring; /* the table of the weights lies there, too */
} eq_conv_lanes_parts;

EQ_INLINE int32_t eq_lanes_bytes(int32_t kind) { return (kind & 3) == EQ_LANES_WORD ? 4 : 2; }

/* The weights of channel `o`, whose lanes lie in place `k` of a block of `channels`, times the scales of their groups. */
EQ_INLINE void eq_conv_lanes_scale(const eq_conv_lanes_t *p, void *block, int32_t o, int32_t k, int32_t channels,
                                   int32_t span, eq_type st, bool word)
{
    const int32_t lanes = word ? span : 2 * span, run = p->kernel_w * p->ring.pixel, step = channels * lanes;
    int32_t si = o * p->kernel_h * p->kernel_w * p->scales;
    for (int32_t tap = 0; tap < p->kernel_h * p->kernel_w; tap++) {
        /* A row of the window begins at a unit of its own. */
        const int32_t row = tap / p->kernel_w * ((run + lanes - 1) / lanes * lanes);
        int32_t e = row + tap % p->kernel_w * p->ring.pixel;
        for (int32_t from = 0; from < p->ring.pixel; from += p->group, si++) {
            const int32_t shift = eq_load(p->scale, si, st), n = eq_min(p->group, p->ring.pixel - from);
            for (int32_t i = 0; i < n && shift > 0; i++) {
                const int32_t at = (e + i) / lanes * step + k * lanes + (e + i) % lanes;
                eq_expand_set(block, at, eq_shl32(eq_expand_get(block, (uint32_t)at, word), shift), word);
            }
            e += n;
        }
    }
}

/* The weights of n output channels from o on. */
EQ_INLINE void eq_conv_lanes_weights(const eq_conv_lanes_t *p, const eq_conv_lanes_parts *parts, int32_t o,
                                     int32_t n, eq_type wt, eq_type st, int32_t kind)
{
    const bool word = (kind & 3) == EQ_LANES_WORD;
    const int32_t channels = eq_lanes_channels(kind), words = channels * p->units;
    const int32_t codes = word ? words : 2 * words, bits = eq_width(wt);
    const int32_t blocks = (n + channels - 1) / channels;
    if (parts->w_table != parts->x_table) {
        eq_expand_fill(parts->w_table, wt, word);
    }
    eq_expand_codes(parts->weight, p->weight + o / channels * (codes / 8 * bits), blocks * codes, parts->w_table, bits,
                    word);
    for (int32_t i = 0; st != 0 && i < n; i++) {
        eq_conv_lanes_scale(p, parts->weight + i / channels * words, o + i, i % channels, channels, eq_lanes_span(kind),
                            st, word);
    }
}

/* n words of each of two pixels, `span` of them in turn, and what makes n a multiple of that. */
EQ_INLINE eq_u32 *eq_conv_lanes_two(eq_u32 *to, const uint8_t *a, const uint8_t *b, int32_t n, int32_t span)
{
    for (; n >= 4 || (n > 0 && span == 4); n -= 4, a += 16, b += 16, to += 8) {
        const int32_t second = span == 4 ? 4 : 1, step = span == 4 ? 1 : 2;
        to[0] = eq_word(a);
        to[second] = eq_word(b);
        to[step] = eq_word(a + 4);
        to[step + second] = eq_word(b + 4);
        to[2 * step] = eq_word(a + 8);
        to[2 * step + second] = eq_word(b + 8);
        to[3 * step] = eq_word(a + 12);
        to[3 * step + second] = eq_word(b + 12);
    }
    for (; n > 0; n--, a += 4, b += 4, to += 2) {
        to[0] = eq_word(a);
        to[1] = eq_word(b);
    }
    return to;
}

/* The windows of two pixels, at a and b in y. What lies behind the end of a row meets weights of zero. */
EQ_INLINE void eq_conv_lanes_gather(const eq_conv_lanes_t *p, const eq_conv_lanes_parts *parts, int32_t ay,
                                    int32_t ax, int32_t by, int32_t bx, int32_t kind)
{
    const int32_t bytes = eq_lanes_bytes(kind), words = (p->kernel_w * p->ring.pixel * bytes + 3) / 4;
    const int32_t right = p->stride_w * p->ring.pixel;
    const uint8_t *const ring = parts->ring;
    eq_u32 *to = parts->units;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t a = eq_ring_row(&p->ring, ay * p->stride_h - p->ring.pad_h + ky) + ax * right;
        const int32_t b = eq_ring_row(&p->ring, by * p->stride_h - p->ring.pad_h + ky) + bx * right;
        to = eq_conv_lanes_two(to, ring + a * bytes, ring + b * bytes, words, eq_lanes_span(kind));
    }
}

/* All pixels of n channels from o on, whose weights are in scratch. */
EQ_INLINE void eq_conv_lanes_pixels(const eq_conv_lanes_t *p, const eq_conv_lanes_parts *parts, const uint8_t *x,
                                    void *y, int32_t o, int32_t n, int32_t kind, eq_type yt, int32_t rule, bool quick)
{
    const int32_t pixels = p->out_h * p->out_w, channels = eq_lanes_channels(kind), blocks = (n + channels - 1) / channels;
    const bool word = (kind & 3) == EQ_LANES_WORD, wide = (kind & 3) != EQ_LANES_SHORT;
    const eq_lanes_t job = {parts->units, parts->units + 2 * p->units, parts->sums, 16 * blocks,
                                parts->weight + blocks * channels * p->units, parts->weight,
                                (const eq_u32 *)p->start + 4 * (o / channels)};
    int32_t ay = 0, ax = 0, have = -p->ring.pad_h;
    for (int32_t i = 0; i < pixels; i += 2) {
        int32_t by = ay, bx = ax;
        if (i + 1 < pixels && ++bx == p->out_w) {
            bx = 0;
            by++;
        }
        const int32_t end = by * p->stride_h - p->ring.pad_h + p->kernel_h, top = ay * p->stride_h - p->ring.pad_h;
        if (have < end) {
            eq_ring_fill(&p->ring, parts->ring, x, have > top ? have : top, end, parts->x_table, word);
            have = end;
        }
        eq_conv_lanes_gather(p, parts, ay, ax, by, bx, kind);
        eq_lanes_run(&job, kind);
        eq_code_put(&p->stage, parts->sums, y, i * p->out_c + o, o, n, yt, rule, wide, quick);
        if (i + 1 < pixels) {
            eq_code_put(&p->stage, parts->sums + job.step, y, (i + 1) * p->out_c + o, o, n, yt, rule, wide, quick);
        }
        ay = by;
        ax = bx + 1;
        if (ax == p->out_w) {
            ax = 0;
            ay++;
        }
    }
}

/* xt, wt: types of x and of (the elements of) weights; st: of group scales, 0 where there are none; kind: see
 * edgeq_lanes.h; yt, rule: of eq_put; quick: whether edgeq_code.h makes the codes of y.
 * scratch: the table of x, four bytes for each code that is a word; 8 bytes for each unit; 32 for each block of a chunk;
 * its weights; the ring and sixteen bytes, where the table of the weights lies before. */
EQ_KERNEL void eq_conv_lanes(const eq_conv_lanes_t *p, const void *const x[], void *y, void *scratch,
                                    eq_type xt, eq_type wt, eq_type st, int32_t kind, eq_type yt, int32_t rule,
                                    bool quick)
{
    const int32_t channels = eq_lanes_channels(kind), most = eq_min(p->chunk, p->out_c);
    const int32_t blocks = (most + channels - 1) / channels;
    const bool word = (kind & 3) == EQ_LANES_WORD;
    eq_conv_lanes_parts parts;
    parts.x_table = scratch;
    parts.units = (eq_u32 *)scratch + (eq_lanes_bytes(kind) << eq_width(xt)) / 4;
    parts.sums = (uint8_t *)(void *)(parts.units + 2 * p->units);
    parts.weight = parts.units + 2 * p->units + 8 * blocks;
    parts.ring = parts.weight + blocks * channels * p->units;
    parts.w_table = xt == (wt & ~EQ_PACKED_) ? parts.x_table : parts.ring;
    eq_expand_fill(parts.x_table, xt, word);
    for (int32_t i = 0; i < 2 * p->units; i++) {
        parts.units[i] = 0;
    }
    for (int32_t o = 0; o < p->out_c; o += p->chunk) {
        const int32_t n = eq_min(p->chunk, p->out_c - o);
        eq_conv_lanes_weights(p, &parts, o, n, wt, st, kind);
        eq_conv_lanes_pixels(p, &parts, x[0], y, o, n, kind, yt, rule, quick);
    }
}

#endif
