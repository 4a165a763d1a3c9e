/* conv_scalar.h: convolution of 8-bit codes on cores that make one product at a time; windows of a strip of pixels are
 * gathered column by column, so that neighbours share what they have in common. */
#ifndef EDGEQ_KERNEL_CONV_SCALAR_H
#define EDGEQ_KERNEL_CONV_SCALAR_H

#include "edgeq_scalar_eight.h"
#include "edgeq_scalar_four.h"
#include "edgeq_scalar_pair.h"

typedef struct {
    int32_t in_h, in_w;          /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;   /* at the beginning; what is needed at the end follows from the sizes */
    int32_t pixel;          /* bytes of a pixel of x */
    int32_t terms;          /* elements of a window, rounded up to a multiple of four */
    int32_t strip;          /* pixels of y whose windows are gathered at a time, in one row */
    int32_t flip, fill;     /* exclusive or with each byte of x; the byte beyond its borders, flipped */
    const void *weight;     /* as edgeq_scalar.h says; a window has its columns one after the other */
    const int32_t *start;   /* of the sums, for each channel: bias and all that constants add */
    eq_scalar_stage_t stage;
} eq_conv_scalar_t;

/* n bytes of x, flipped. Returns their sum. */
EQ_INLINE uint32_t eq_conv_scalar_copy(uint8_t *to, const uint8_t *from, int32_t n, uint32_t flip, bool words, bool sum)
{
    uint32_t total = 0;
    if (words) {
        /* Each lane of 16 bits takes half of 512 bytes: it holds the sum of 257. */
        for (int32_t rest = n; rest > 0; rest -= 512) {
            const uint32_t mask = 0x00FF00FFu;
            const eq_u32 *source = (const eq_u32 *)(const void *)from;
            eq_u32 *target = (eq_u32 *)(void *)to, *end = target + eq_min(rest, 512) / 4;
            uint32_t lanes = 0;
            do {
                const uint32_t v = *source++ ^ flip;
                *target++ = v;
                if (sum) {
                    lanes += (v & mask) + (v >> 8 & mask);
                }
            } while (target != end);
            total += (lanes & 0xFFFFu) + (lanes >> 16);
            to += 512;
            from += 512;
        }
        return total;
    }
    for (int32_t i = 0; i < n; i++) {
        const uint32_t v = from[i] ^ (flip & 0xFFu);
        to[i] = (uint8_t)v;
        if (sum) {
            total += v;
        }
    }
    return total;
}

/* Columns ix, ix + 1, … of the rows from iy on that windows cover, and the sum of each. */
EQ_INLINE void eq_conv_scalar_gather(const eq_conv_scalar_t *p, const uint8_t *x, int32_t iy, int32_t ix,
                                     int32_t columns, uint8_t *to, eq_u32 *sums, bool words, bool sum)
{
    const int32_t pixel = p->pixel, row = p->in_w * pixel;
    const uint32_t flip = (uint32_t)p->flip * 0x01010101u, fill = (uint32_t)p->fill;
    for (int32_t i = 0; i < columns; i++, ix++) {
        uint32_t total = 0;
        const uint8_t *from = x + iy * row + ix * pixel;
        for (int32_t ky = 0; ky < p->kernel_h; ky++, from += row, to += pixel) {
            if (ix < 0 || ix >= p->in_w || iy + ky < 0 || iy + ky >= p->in_h) {
                for (int32_t j = 0; j < pixel; j++) {
                    to[j] = (uint8_t)fill;
                }
                total += fill * (uint32_t)pixel;
            } else {
                total += eq_conv_scalar_copy(to, from, pixel, flip, words, sum);
            }
        }
        if (sum) {
            sums[i] = total;
        }
    }
}

/* The output stage of all channels; where multiplier and shift are those of all, `m` and `s` hold them eight times. */
EQ_INLINE eq_scalar_put_t eq_conv_scalar_stage(const eq_conv_scalar_t *p, uint32_t m[8], uint8_t s[8], int32_t stage)
{
    eq_scalar_put_t put;
    /* Moved on by 0 where unused: it must point somewhere. */
    put.multiplier = stage == EQ_SCALAR_MULTIPLY ? p->stage.multiplier : m;
    put.map = p->stage.map;
    put.shift = p->stage.shift;
    put.step = 1;
    put.zero = p->stage.zero;
    put.lo = p->stage.lo;
    put.hi = p->stage.hi;
    if (p->stage.each == 0) {
        for (int32_t i = 0; i < 8; i++) {
            m[i] = stage == EQ_SCALAR_MULTIPLY ? p->stage.multiplier[0] : 0;
            s[i] = p->stage.shift[0];
        }
        put.multiplier = m;
        put.shift = s;
    }
    return put;
}

/* All channels of one pixel whose window begins at x; `extra` is what its elements add to each sum. */
EQ_INLINE void eq_conv_scalar_eights(const eq_conv_scalar_t *p, const uint8_t *x, uint32_t extra, uint8_t *y,
                                     int32_t stage)
{
    const int32_t each = 8 * p->stage.each, out_c = p->out_c;
    const eq_i32 *start = (const eq_i32 *)(const void *)p->start;
    uint32_t m[8];
    uint8_t s[8];
    eq_scalar_put_t put = eq_conv_scalar_stage(p, m, s, stage);
    eq_scalar_eight_t job;
    job.w = p->weight;
    put.sum = job.sum;
    put.end = job.sum + 8;
    for (int32_t o = 0; o < out_c; o += 8, job.w += 8 * p->terms) {
        const int32_t n = eq_min(8, out_c - o);
        job.x = x;
        job.x_end = x + p->terms;
        for (int32_t i = 0; i < n; i++) {
            job.sum[i] = (uint32_t)start[o + i] - extra;
        }
        eq_scalar_eight(&job);
        put.y = y + o;
        put.end = job.sum + n;
        eq_scalar_put_channels(&put, stage);
        put.multiplier += stage == EQ_SCALAR_MULTIPLY ? each : 0;
        put.shift += each;
    }
}

/* All channels of two pixels whose windows are the words from x on; `first` and `second` are what the elements of each
 * add to its sums. The second pixel lies `step` bytes after the first; 0: there is none. */
EQ_INLINE void eq_conv_scalar_pairs(const eq_conv_scalar_t *p, const eq_u32 *x, uint32_t first, uint32_t second,
                                    uint8_t *y, int32_t step, int32_t stage)
{
    const int32_t each = 8 * p->stage.each, out_c = p->out_c;
    const eq_i32 *start = (const eq_i32 *)(const void *)p->start;
    uint32_t m[8], sum[16];
    uint8_t s[8];
    eq_scalar_put_t put = eq_conv_scalar_stage(p, m, s, stage);
    eq_scalar_pair_t job;
    job.x = x;
    job.x_end = x + p->terms;
    job.w = p->weight;
    for (int32_t o = 0; o < out_c; o += 8) {
        const int32_t n = eq_min(8, out_c - o);
        for (int32_t i = 0; i < n; i++) {
            const uint32_t v = (uint32_t)start[o + i];
            sum[i] = v - first;
            sum[8 + i] = v - second;
        }
        for (int32_t i = 0; i < n; i += 4, job.w += 4 * p->terms) {
            job.sum = sum + i;
            eq_scalar_pair(&job);
        }
        put.sum = sum;
        put.end = sum + n;
        put.y = y + o;
        eq_scalar_put_channels(&put, stage);
        if (step != 0) {
            put.sum = sum + 8;
            put.end = sum + 8 + n;
            put.y = y + step + o;
            eq_scalar_put_channels(&put, stage);
        }
        put.multiplier += stage == EQ_SCALAR_MULTIPLY ? each : 0;
        put.shift += each;
    }
}

/* All channels of `count` pixels whose windows lie `step` bytes apart. */
EQ_INLINE void eq_conv_scalar_fours(const eq_conv_scalar_t *p, const uint8_t *x, int32_t step, int32_t count, uint8_t *y,
                                    bool xs, int32_t stage)
{
    const int32_t each = 4 * p->stage.each;
    uint32_t m[8];
    uint8_t s[8];
    eq_scalar_put_t put = eq_conv_scalar_stage(p, m, s, stage);
    eq_scalar_four_t job;
    job.step = step;
    job.w = p->weight;
    for (int32_t o = 0; o < p->out_c; o += 4, job.w = job.w_end) {
        const int32_t n = eq_min(4, p->out_c - o);
        for (int32_t c = 0; c < 4; c++) {
            job.start[c] = c < n ? (uint32_t)p->start[o + c] : 0;
        }
        job.w_end = job.w + 4 * p->terms;
        for (int32_t i = 0, some; i < count; i += some) {
            some = i + EQ_SCALAR_PIXELS <= count ? EQ_SCALAR_PIXELS : 1;
            job.x = x + i * step;
            if (some == 1) {
                if (xs) {
                    eq_scalar_one_s(&job);
                } else {
                    eq_scalar_one_u(&job);
                }
            } else if (xs) {
                eq_scalar_four_s(&job);
            } else {
                eq_scalar_four_u(&job);
            }
            put.y = y + i * p->out_c + o;
            put.sum = job.sum;
            for (int32_t j = 0; j < some; j++, put.sum += 4, put.y += p->out_c) {
                put.end = put.sum + n;
                eq_scalar_put_channels(&put, stage);
            }
        }
        put.multiplier += stage == EQ_SCALAR_MULTIPLY ? each : 0;
        put.shift += each;
    }
}

/* What the elements of a window add to each sum, because weights are unsigned. */
EQ_INLINE uint32_t eq_conv_scalar_extra(const eq_conv_scalar_t *p, const eq_u32 *sums)
{
    uint32_t total = 0;
    for (int32_t k = 0; k < p->kernel_w; k++) {
        total += sums[k];
    }
    return total << 7;
}

/* The windows of a strip of pixels, gathered. scratch: where weights are unsigned, a sum for each column; for pairs,
 * a word for each element; then the columns. */
EQ_INLINE void eq_conv_scalar_strip(const eq_conv_scalar_t *p, const uint8_t *x, int32_t iy, int32_t ix, int32_t count,
                                    uint8_t *y, void *scratch, int32_t form, bool words, bool xs, int32_t stage)
{
    const int32_t columns = (count - 1) * p->stride_w + p->kernel_w, step = p->stride_w * p->kernel_h * p->pixel;
    const int32_t each = form == EQ_SCALAR_PAIRS ? 2 : 1;
    eq_u32 *sums = scratch, *joined = sums + columns, *end = joined + (form == EQ_SCALAR_PAIRS ? p->terms : 0);
    uint8_t *windows = form == EQ_SCALAR_FOUR ? scratch : (void *)end;
    eq_conv_scalar_gather(p, x, iy, ix, columns, windows, sums, words, form != EQ_SCALAR_FOUR);
    if (form == EQ_SCALAR_FOUR) {
        eq_conv_scalar_fours(p, windows, step, count, y, xs, stage);
        return;
    }
    for (int32_t i = 0; i < count; i += each) {
        const uint32_t extra = eq_conv_scalar_extra(p, sums);
        if (form == EQ_SCALAR_PAIRS) {
            const bool alone = i + 1 == count;
            const uint32_t other = alone ? 0 : eq_conv_scalar_extra(p, sums + p->stride_w);
            eq_scalar_pair_join(joined, windows, step, p->terms, alone);
            eq_conv_scalar_pairs(p, joined, extra, other, y, alone ? 0 : p->out_c, stage);
        } else {
            eq_conv_scalar_eights(p, windows, extra, y, stage);
        }
        sums += each * p->stride_w;
        windows += each * step;
        y += each * p->out_c;
    }
}

/* form: see edgeq_scalar.h; words: whether pixels of x are whole words; direct: whether windows are single pixels that
 * the form of four reads where they lie; xs: whether it reads them as signed; stage: of edgeq_scalar.h. */
EQ_KERNEL void eq_conv_scalar(const eq_conv_scalar_t *p, const void *const x[], void *y, void *scratch, int32_t form,
                              bool words, bool direct, bool xs, int32_t stage)
{
    const uint8_t *from = x[0];
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h;
        if (direct) {
            const int32_t step = p->stride_w * p->pixel;
            eq_conv_scalar_fours(p, from + iy * p->in_w * p->pixel, step, p->out_w, to, xs, stage);
            to += p->out_w * p->out_c;
            continue;
        }
        for (int32_t ox = 0; ox < p->out_w; ox += p->strip) {
            const int32_t count = eq_min(p->strip, p->out_w - ox), ix = ox * p->stride_w - p->pad_w;
            eq_conv_scalar_strip(p, from, iy, ix, count, to, scratch, form, words, xs, stage);
            to += count * p->out_c;
        }
    }
}

#endif
