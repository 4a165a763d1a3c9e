/* edgeq_expand.h: codes of up to 8 bits looked up as integers of 16 or 32 bits on their grid; rows of x in a ring of them.
 *
 * `word` says everywhere which of both widths it is, and is known when compiling.
 */
#ifndef EDGEQ_EXPAND_H
#define EDGEQ_EXPAND_H

#include "edgeq_code_stage.h"
#include "edgeq_dsp.h"

/* Rows of x with the zeros of the padding around them, the last few of which are in scratch. */
typedef struct {
    int32_t in_h, in_w, pixel; /* x; pixel: its channels */
    int32_t pad_h, pad_w;      /* at the beginning; what is needed at the end follows from the sizes */
    int32_t rows, pitch;       /* in scratch, and elements of each */
} eq_ring_t;

EQ_INLINE int32_t eq_expand_get(const void *p, uint32_t i, bool word)
{
    return word ? ((const eq_i32 *)p)[i] : ((const eq_i16 *)p)[i];
}

EQ_INLINE void eq_expand_set(void *p, int32_t i, int32_t v, bool word)
{
    if (word) {
        ((eq_i32 *)p)[i] = v;
    } else {
        ((eq_i16 *)p)[i] = (int16_t)v;
    }
}

/* n zeros. */
EQ_INLINE void eq_expand_clear(void *p, int32_t at, int32_t n, bool word)
{
    for (int32_t i = 0; i < n; i++) {
        eq_expand_set(p, at + i, 0, word);
    }
}

/* Grid integers of all codes of up to 8 bits; those that 32 bits do not hold never occur. */
EQ_INLINE void eq_expand_fill(void *table, eq_type t, bool word)
{
    const int32_t codes = (int32_t)(1u << eq_width(t)), half = codes / 2;
    if (!eq_is_float(t)) {
        for (int32_t code = 0; code < codes; code++) {
            eq_expand_set(table, code, eq_decode((uint32_t)code, t), word);
        }
        return;
    }
    for (int32_t code = 0; code < half; code++) {
        const uint32_t v = (uint32_t)eq_float_magnitude((uint32_t)code, t);
        eq_expand_set(table, code, (int32_t)v, word);
        eq_expand_set(table, code + half, (int32_t)(0u - v), word);
    }
}

/* n codes of a bit stream, a multiple of 8, looked up; three bytes may be read beyond the last one. */
EQ_INLINE void eq_expand_codes(void *to, const uint8_t *from, int32_t n, const void *table, int32_t bits, bool word)
{
    const uint32_t mask = (1u << bits) - 1u;
    for (int32_t i = 0; i < n; i += 8, from += bits) {
        const uint32_t low = eq_word(from), high = eq_word(from + bits / 2) >> (4 * (bits % 2));
        for (int32_t j = 0; j < 4; j++) {
            eq_expand_set(to, i + j, eq_expand_get(table, low >> (j * bits) & mask, word), word);
            eq_expand_set(to, i + 4 + j, eq_expand_get(table, high >> (j * bits) & mask, word), word);
        }
    }
}

/* n codes, each in a byte, looked up. */
EQ_INLINE void eq_expand_decode(void *to, int32_t at, const uint8_t *from, int32_t n, const void *table, bool word)
{
    const int32_t fours = n - n % 4;
    for (int32_t i = 0; i < fours; i += 4) {
        eq_expand_set(to, at + i, eq_expand_get(table, from[i], word), word);
        eq_expand_set(to, at + i + 1, eq_expand_get(table, from[i + 1], word), word);
        eq_expand_set(to, at + i + 2, eq_expand_get(table, from[i + 2], word), word);
        eq_expand_set(to, at + i + 3, eq_expand_get(table, from[i + 3], word), word);
    }
    for (int32_t i = fours; i < n; i++) {
        eq_expand_set(to, at + i, eq_expand_get(table, from[i], word), word);
    }
}

/* Element of the ring with which row `iy` begins; the padding above is the first one. */
EQ_INLINE int32_t eq_ring_row(const eq_ring_t *p, int32_t iy) { return (iy + p->pad_h) % p->rows * p->pitch; }

/* Rows from iy to `end` - 1 of x, or of the padding above and below it, into the ring. */
EQ_INLINE void eq_ring_fill(const eq_ring_t *p, void *ring, const uint8_t *x, int32_t iy, int32_t end,
                            const void *table, bool word)
{
    const int32_t left = p->pad_w * p->pixel, size = p->in_w * p->pixel;
    for (; iy < end; iy++) {
        const int32_t at = eq_ring_row(p, iy);
        if (iy >= 0 && iy < p->in_h) {
            eq_expand_clear(ring, at, left, word);
            eq_expand_decode(ring, at + left, x + iy * size, size, table, word);
            eq_expand_clear(ring, at + left + size, p->pitch - left - size, word);
        } else {
            eq_expand_clear(ring, at, p->pitch, word);
        }
    }
}

#endif
