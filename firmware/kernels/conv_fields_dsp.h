/* conv_fields_dsp.h: convolution of codes of up to 4 bits, packed or not, with weights of 4 or 2 bits, with DSP: four pixels
 * gathered into scratch as lanes, two output channels at a time, four products in one SMLAD (edgeq_dsp_fields.h). */
#ifndef EDGEQ_KERNEL_CONV_FIELDS_DSP_H
#define EDGEQ_KERNEL_CONV_FIELDS_DSP_H

#include "edgeq_dsp_fields.h"
#include "edgeq_dsp_scale.h"

typedef struct {
    int32_t in_h, in_w;          /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning; what is needed at the end follows from the sizes */
    int32_t words;        /* 32-bit words of a pixel of x */
    int32_t units;        /* of a window, in whole blocks */
    int32_t first, chunk; /* units until the first drain, and from one to the next */
    int32_t hold;         /* pixels that wait, a multiple of four */
    int32_t above;        /* what fields of even channels have more than their weights: z of edgeq_dsp_fields.h */
    const uint32_t *stream; /* weights, start values and shifts, as edgeq_dsp_fields.h says; out_c is even */
} eq_conv_fields_dsp_t;

/* Where a window is written: every fourth word; and the sums of its lanes. */
typedef struct {
    eq_u32 *to;
    uint32_t sum;
} eq_fields_window;

/* The bits of a code of x, of `bits` bits or in a byte, in the lanes of a unit; those that turn over a signed one. */
EQ_INLINE uint32_t eq_fields_mask(int32_t bits)
{
    return bits == 2 ? 0x00030003u : 0x000F000Fu;
}

EQ_INLINE uint32_t eq_fields_flip(eq_type xt)
{
    const int32_t bits = eq_width(xt);
    return !eq_is_signed(xt) ? 0u : bits == 8 ? 0x08080808u : bits == 4 ? 0x88888888u : 0xAAAAAAAAu;
}

/* n words of codes, 32 / bits each, as lanes; `flip` turns codes into such without a sign. */
EQ_INLINE void eq_fields_expand(eq_fields_window *v, const uint8_t *x, int32_t n, int32_t bits, uint32_t flip)
{
    const uint32_t mask = eq_fields_mask(bits);
    const uint8_t *const end = x + 4 * n;
    eq_u32 *to = v->to;
    uint32_t sum = v->sum;
    while (x != end) {
        const uint32_t word = eq_word(x) ^ flip;
        x += 4;
        sum += (to[0] = word & mask);
        sum += (to[4] = word >> bits & mask);
        if (bits == 8) {
            to += 8;
            continue;
        }
        sum += (to[8] = word >> 2 * bits & mask);
        sum += (to[12] = word >> 3 * bits & mask);
        to += 16;
        if (bits == 2) {
            sum += (to[0] = word >> 8 & mask);
            sum += (to[4] = word >> 10 & mask);
            sum += (to[8] = word >> 12 & mask);
            sum += (to[12] = word >> 14 & mask);
            to += 16;
        }
    }
    v->to = to;
    v->sum = sum;
}

/* So many units of the same lanes. */
EQ_INLINE void eq_fields_fill(eq_fields_window *v, int32_t units, uint32_t lanes)
{
    for (int32_t i = 0; i < units; i++, v->to += 4) {
        v->to[0] = lanes;
        v->sum += lanes;
    }
}

/* The window of output pixel `at`, in every fourth word from `to` on; returns what is taken off its drained sums. */
EQ_INLINE uint32_t eq_conv_fields_gather(const eq_conv_fields_dsp_t *p, const uint8_t *x, int32_t at, eq_u32 *to,
                                         eq_type xt)
{
    const int32_t bits = eq_width(xt), words = p->words, units = words * (16 / bits);
    const uint32_t flip = eq_fields_flip(xt), zero = flip & eq_fields_mask(bits);
    const int32_t iy = at / p->out_w * p->stride_h - p->pad_h, ix = at % p->out_w * p->stride_w - p->pad_w;
    const int32_t x0 = eq_first_tap(ix, 1), x1 = eq_end_tap(ix, p->in_w, p->kernel_w, 1);
    eq_fields_window v = {to, 0};
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        if (iy + ky < 0 || iy + ky >= p->in_h || x1 <= x0) {
            eq_fields_fill(&v, p->kernel_w * units, zero);
            continue;
        }
        eq_fields_fill(&v, x0 * units, zero);
        eq_fields_expand(&v, x + 4 * words * ((iy + ky) * p->in_w + ix + x0), (x1 - x0) * words, bits, flip);
        eq_fields_fill(&v, (p->kernel_w - x1) * units, zero);
    }
    eq_fields_fill(&v, p->units - p->kernel_h * p->kernel_w * units, 0);
    return (uint32_t)p->above * ((v.sum & 0xFFFFu) + (v.sum >> 16));
}

/* The windows of `count` pixels from `at` on; where fewer than four are left, the others are not looked at. */
EQ_INLINE void eq_conv_fields_four(const eq_conv_fields_dsp_t *p, const uint8_t *x, int32_t at, int32_t count,
                                   eq_dsp_fields_t *job, eq_u32 *units, eq_type xt)
{
    uint32_t taken[4] = {0, 0, 0, 0};
    for (int32_t k = 0; k < count; k++) {
        taken[k] = eq_conv_fields_gather(p, x, at + k, units + k, xt);
    }
    job->taken[0] = eq_lanes((int32_t)taken[0], (int32_t)taken[1]);
    job->taken[1] = eq_lanes((int32_t)taken[2], (int32_t)taken[3]);
}

/* All output channels of the four gathered pixels, which lie `step` bytes apart. halves: room for codes of 2 bits. */
EQ_INLINE void eq_conv_fields_pixels(const eq_conv_fields_dsp_t *p, eq_dsp_fields_t *job, uint8_t *y, int32_t step,
                                     uint8_t *halves, int32_t wb, int32_t sat)
{
    const int32_t pair = p->units * wb / 8 + 3;
    job->w = p->stream;
    if (eq_fields_width(sat) != 2) {
        job->y = y;
        job->step = step;
        job->w_end = job->w + p->out_c / 2 * pair;
        eq_dsp_fields(job, wb, sat);
        return;
    }
    /* Four channels share a byte, and each pair leaves four bits. */
    const int32_t bytes = p->out_c / 4;
    job->y = halves;
    job->step = 2 * bytes;
    job->w_end = job->w + p->out_c / 2 * pair;
    eq_dsp_fields(job, wb, sat);
    for (int32_t i = 0; i < 4; i++, y += step) {
        for (uint8_t *to = y; to != y + bytes; to++, halves += 2) {
            *to = (uint8_t)((halves[0] & 15u) | (uint32_t)halves[1] << 4);
        }
    }
}

/* Bring the pixels that still wait to y: the oldest four are at `slot`, or at 0 where there is room for all. */
EQ_INLINE void eq_conv_fields_release(const eq_conv_fields_dsp_t *p, const uint8_t *held, uint8_t *to, int32_t slot,
                                      int32_t bytes)
{
    const int32_t pixels = p->out_h * p->out_w, all = (pixels + 3) & ~3;
    slot = all <= p->hold ? 0 : slot;
    for (int32_t left = pixels - (all - eq_min(all, p->hold)); left > 0; left -= 4, to += 4 * bytes) {
        eq_copy_bytes(to, held + slot * bytes, eq_min(left, 4) * bytes);
        slot = slot + 4 == p->hold ? 0 : slot + 4;
    }
}

/* xt: codes of x, packed in 4 or 2 bits or of up to 4 in a byte; wb: bits of a weight; sat: see edgeq_dsp_fields.h. scratch: 16 bytes for each unit, 2 for
 * each channel where those of y have 2 bits, and `hold` pixels of y, at least four. Where y lies over x, the last `hold`
 * pixels wait until no window needs the codes of x that they will replace: y rolls over x. */
EQ_KERNEL void eq_conv_fields_dsp(const eq_conv_fields_dsp_t *p, const void *const x[], void *y, void *scratch,
                                  eq_type xt, int32_t wb, int32_t sat)
{
    const int32_t pixels = p->out_h * p->out_w, width = eq_fields_width(sat), bytes = p->out_c * width / 8;
    const int32_t hold = x[0] == y ? p->hold : 0;
    eq_u32 *const units = scratch;
    uint8_t *const halves = (uint8_t *)(units + 4 * p->units), *const held = halves + (width == 2 ? 2 * p->out_c : 0);
    uint8_t *to = y;
    eq_dsp_fields_t job = {{0, 0}, wb == 4 ? 0x0FFF0FFFu : 0x3FFF3FFFu, units, units + 4 * p->first,
                           units + 4 * p->units, 16 * p->chunk, {0, 0}, NULL, 0, NULL, NULL};
    int32_t slot = 0;
    for (int32_t i = 0; i < pixels; i += 4) {
        const int32_t count = eq_min(pixels - i, 4);
        eq_conv_fields_four(p, x[0], i, count, &job, units, xt);
        if (hold > 0) {
            if (i >= hold) {
                eq_copy_bytes(to, held + slot * bytes, 4 * bytes);
                to += 4 * bytes;
            }
            eq_conv_fields_pixels(p, &job, held + slot * bytes, bytes, halves, wb, sat);
            slot = slot + 4 == hold ? 0 : slot + 4;
            continue;
        }
        eq_conv_fields_pixels(p, &job, count == 4 ? to : held, bytes, halves, wb, sat);
        if (count < 4) {
            eq_copy_bytes(to, held, count * bytes);
        }
        to += 4 * bytes;
    }
    if (hold > 0) {
        eq_conv_fields_release(p, held, to, slot, bytes);
    }
}

#endif
