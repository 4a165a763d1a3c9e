/* edgeq_mve_strip.h: rows of an image laid in scratch column by column with Helium, so that windows are runs of bytes.
 *
 * A strip holds the rows of one row of windows, all rows of a column side by side: the window of each pixel is one run,
 * and neighbouring windows share what they have in common. Padding is the code that stands for zero; where it lies at
 * the sides it is written once.
 */
#ifndef EDGEQ_MVE_STRIP_H
#define EDGEQ_MVE_STRIP_H

#include "edgeq_mve.h"

/* One walk over `count` pixels: `lanes` bytes (up to 16) of each, `from` bytes apart in x, `by` bytes in `to`. */
typedef struct {
    uint8_t *to;
    const uint8_t *x;
    int32_t by, from, count, lanes;
} eq_mve_walk_t;

#if EQ_MVE_ASM
#define EQ_MVE_WALK_(setup, body)                                                                                      \
    __asm__ volatile("vctp.8 %5\n\t" setup                                                                             \
                     "wls lr, %4, 2f\n"                                                                                \
                     "1:\n\t" body                                                                                     \
                     "add %1, %1, %3\n\t"                                                                              \
                     "add %0, %0, %2\n\t"                                                                              \
                     "le lr, 1b\n"                                                                                     \
                     "2:\n"                                                                                            \
                     : "+&r"(to), "+&r"(x)                                                                             \
                     : "r"(w->by), "r"(w->from), "r"(w->count), "r"(w->lanes), "r"(more)                               \
                     : "lr", "q0", "q1", "q2", "cc", "memory")

/* Copies the bytes of each pixel, side by side. */
EQ_INLINE void eq_mve_lay(const eq_mve_walk_t *w, bool flip)
{
    uint8_t *to = w->to;
    const uint8_t *x = w->x;
    const int32_t more = 0;
    if (flip) {
        EQ_MVE_WALK_("vmov.i8 q1, #0x80\n\t",
                     "vpsttt\n\tvldrbt.u8 q0, [%1]\n\tveort q0, q0, q1\n\tvstrbt.8 q0, [%0]\n\t");
    } else {
        EQ_MVE_WALK_("", "vpstt\n\tvldrbt.u8 q0, [%1]\n\tvstrbt.8 q0, [%0]\n\t");
    }
}

/* Writes `code` in the place of all of them. */
EQ_INLINE void eq_mve_blank(const eq_mve_walk_t *w, int32_t code)
{
    uint8_t *to = w->to;
    const uint8_t *x = w->x;
    const int32_t more = code;
    EQ_MVE_WALK_("vdup.8 q0, %6\n\t", "vpst\n\tvstrbt.8 q0, [%0]\n\t");
}

/* Writes n bytes `code`. */
EQ_INLINE void eq_mve_fill(uint8_t *to, int32_t n, int32_t code)
{
    __asm__ volatile("vdup.8 q0, %2\n\t"
                     "wlstp.8 lr, %1, 2f\n"
                     "1:\n\t"
                     "vstrb.8 q0, [%0], #16\n\t"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+&r"(to)
                     : "r"(n), "r"(code)
                     : "lr", "q0", "cc", "memory");
}

/* The same, each four bytes to a strip of their own, `apart` bytes after the one before; `lanes` is a multiple of 4. */
EQ_INLINE void eq_mve_lay4(const eq_mve_walk_t *w, int32_t apart, bool flip)
{
    uint8_t *to = w->to;
    const uint8_t *x = w->x;
    const uint32_t gap = (uint32_t)apart, places[4] = {0, gap, 2u * gap, 3u * gap}, *more = places;
    if (flip) {
        EQ_MVE_WALK_("vldrw.u32 q2, [%6]\n\tvmov.i8 q1, #0x80\n\t",
                     "vpsttt\n\tvldrbt.u8 q0, [%1]\n\tveort q0, q0, q1\n\tvstrwt.32 q0, [%0, q2]\n\t");
    } else {
        EQ_MVE_WALK_("vldrw.u32 q2, [%6]\n\t", "vpstt\n\tvldrbt.u8 q0, [%1]\n\tvstrwt.32 q0, [%0, q2]\n\t");
    }
}

EQ_INLINE void eq_mve_blank4(const eq_mve_walk_t *w, int32_t apart, int32_t code)
{
    uint8_t *to = w->to;
    const uint8_t *x = w->x;
    const uint32_t gap = (uint32_t)apart, places[5] = {0, gap, 2u * gap, 3u * gap, (uint32_t)code}, *more = places;
    EQ_MVE_WALK_("vldrw.u32 q2, [%6]\n\tldr lr, [%6, #16]\n\tvdup.8 q0, lr\n\t", "vpst\n\tvstrwt.32 q0, [%0, q2]\n\t");
}
#else
EQ_INLINE void eq_mve_fill(uint8_t *to, int32_t n, int32_t code)
{
    for (int32_t i = 0; i < n; i++) {
        to[i] = (uint8_t)code;
    }
}

EQ_INLINE void eq_mve_lay4(const eq_mve_walk_t *w, int32_t apart, bool flip)
{
    for (int32_t i = 0; i < w->count; i++) {
        for (int32_t k = 0; k < w->lanes; k++) {
            w->to[i * w->by + k / 4 * apart + k % 4] = (uint8_t)(w->x[i * w->from + k] ^ (flip ? 0x80u : 0u));
        }
    }
}

EQ_INLINE void eq_mve_blank4(const eq_mve_walk_t *w, int32_t apart, int32_t code)
{
    for (int32_t i = 0; i < w->count; i++) {
        for (int32_t k = 0; k < w->lanes; k++) {
            w->to[i * w->by + k / 4 * apart + k % 4] = (uint8_t)code;
        }
    }
}

EQ_INLINE void eq_mve_lay(const eq_mve_walk_t *w, bool flip) { eq_mve_lay4(w, 4, flip); }
EQ_INLINE void eq_mve_blank(const eq_mve_walk_t *w, int32_t code) { eq_mve_blank4(w, 4, code); }
#endif

/* What strips are made of: columns `first` to `first` + `count` of a strip are columns of x, the others are padding. */
typedef struct {
    int32_t in_h, in_w, pixel;
    int32_t code; /* of the number zero, as the multiplier reads it */
} eq_mve_image_t;

typedef struct {
    int32_t ix, first, count;
} eq_mve_columns_t;

/* The columns of a strip that begins at column ix of x. */
EQ_INLINE eq_mve_columns_t eq_mve_columns(const eq_mve_image_t *p, int32_t ix, int32_t columns)
{
    eq_mve_columns_t found;
    found.ix = ix;
    found.first = eq_min(ix < 0 ? -ix : 0, columns);
    found.count = eq_min(p->in_w - (ix + found.first), columns - found.first);
    return found;
}

/* Writes bytes c..c+lanes of a row's columns to a strip whose columns are `by` bytes apart; the padding is there
 * already. apart: as above, 0: side by side. */
EQ_INLINE void eq_mve_strip_row(const eq_mve_image_t *p, const eq_mve_columns_t *at, const uint8_t *x, int32_t iy,
                                int32_t c, int32_t lanes, uint8_t *to, int32_t by, int32_t apart, bool flip)
{
    const bool inside = iy >= 0 && iy < p->in_h;
    const int32_t from = inside ? (iy * p->in_w + at->ix + at->first) * p->pixel + c : 0;
    const eq_mve_walk_t walk = {to + at->first * by, x + from, by, p->pixel, at->count, lanes};
    if (at->count <= 0) {
        return;
    }
    if (apart > 0 && inside) {
        eq_mve_lay4(&walk, apart, flip);
    } else if (apart > 0) {
        eq_mve_blank4(&walk, apart, p->code);
    } else if (inside) {
        eq_mve_lay(&walk, flip);
    } else {
        eq_mve_blank(&walk, p->code);
    }
}

#endif
