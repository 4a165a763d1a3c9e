/* edgeq_mve_spread.h: rows of an image of 1 to 3 channels laid in a strip column by column, 15 or 16 bytes at a time.
 *
 * Sixteen bytes of a row are one load and one store that scatters them to their columns. Beyond the rows of x lies a
 * row of zeros.
 */
#ifndef EDGEQ_MVE_SPREAD_H
#define EDGEQ_MVE_SPREAD_H

#include "edgeq_mve.h"

typedef struct {
    const uint8_t *x, *blank; /* blank: a row of codes that stand for zero */
    int32_t size, height;     /* bytes of a row of x; rows */
    int32_t rows, dilation;   /* of a window */
    int32_t pixel, column;    /* bytes of a pixel, and of a column of the strip */
    uint8_t places[16];       /* where the bytes of whole pixels go, and the first of the pixel after them */
} eq_mve_spread_t;

/* The places of sixteen bytes. */
EQ_INLINE void eq_mve_places(eq_mve_spread_t *p)
{
    for (int32_t i = 0, at = 0, k = 0; i < 16; i++) {
        p->places[i] = (uint8_t)(at + k);
        if (++k == p->pixel) {
            at += p->column;
            k = 0;
        }
    }
}

/* n bytes of a row, of which `bytes` are whole pixels that take `by` bytes of the strip. A byte that belongs to the
 * next round is written twice. */
#if EQ_MVE_ASM
EQ_INLINE void eq_mve_spread_row(const eq_mve_spread_t *p, uint8_t *to, const uint8_t *x, int32_t n, int32_t bytes,
                                 int32_t by, bool flip)
{
    const uint8_t *places = p->places;
    if (flip) {
        __asm__ volatile("vldrb.u8 q2, [%5]\n\t"
                         "vmov.i8 q1, #0x80\n"
                         "1:\n\t"
                         "vctp.8 %2\n\t"
                         "vpsttt\n\t"
                         "vldrbt.u8 q0, [%1]\n\t"
                         "veort q0, q0, q1\n\t"
                         "vstrbt.8 q0, [%0, q2]\n\t"
                         "add %1, %1, %3\n\t"
                         "add %0, %0, %4\n\t"
                         "subs %2, %2, %3\n\t"
                         "bgt 1b\n"
                         : "+&r"(to), "+&r"(x), "+&r"(n)
                         : "r"(bytes), "r"(by), "r"(places)
                         : "q0", "q1", "q2", "cc", "memory");
    } else {
        __asm__ volatile("vldrb.u8 q2, [%5]\n"
                         "1:\n\t"
                         "vctp.8 %2\n\t"
                         "vpstt\n\t"
                         "vldrbt.u8 q0, [%1]\n\t"
                         "vstrbt.8 q0, [%0, q2]\n\t"
                         "add %1, %1, %3\n\t"
                         "add %0, %0, %4\n\t"
                         "subs %2, %2, %3\n\t"
                         "bgt 1b\n"
                         : "+&r"(to), "+&r"(x), "+&r"(n)
                         : "r"(bytes), "r"(by), "r"(places)
                         : "q0", "q2", "cc", "memory");
    }
}
#else
EQ_INLINE void eq_mve_spread_row(const eq_mve_spread_t *p, uint8_t *to, const uint8_t *x, int32_t n, int32_t bytes,
                                 int32_t by, bool flip)
{
    for (; n > 0; n -= bytes, x += bytes, to += by) {
        for (int32_t i = 0; i < eq_min(n, 16); i++) {
            to[p->places[i]] = (uint8_t)(x[i] ^ (flip ? 0x80u : 0u));
        }
    }
}
#endif

/* The windows of a row of pixels: rows from iy on, `count` columns from byte `from` on. */
EQ_INLINE void eq_mve_spread(const eq_mve_spread_t *p, uint8_t *to, int32_t iy, int32_t from, int32_t count, bool flip)
{
    const int32_t whole = p->pixel == 3 ? 5 : p->pixel == 2 ? 8 : 16;
    for (int32_t ky = 0; ky < p->rows; ky++, iy += p->dilation, to += p->pixel) {
        const uint8_t *x = iy >= 0 && iy < p->height ? p->x + iy * p->size + from : p->blank;
        eq_mve_spread_row(p, to, x, count * p->pixel, whole * p->pixel, whole * p->column, flip);
    }
}

#endif
