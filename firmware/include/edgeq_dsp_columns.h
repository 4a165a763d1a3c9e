/* edgeq_dsp_columns.h: rows of an image of 1 to 3 channels laid in scratch column by column, as blocks read them.
 *
 * A strip holds, for every column, the codes of all rows of two windows as units (see edgeq_dsp_block.h): of each unit
 * the word of the first pixel, then that of the second. The windows of two pixels are then one run of words that
 * blocks read where it lies: nothing is gathered, and neighbouring windows share what they have in common.
 * The units of a column are, of each two rows, one for each channel with the lanes (upper row, lower row); of a last
 * odd row the channels (0, nothing), or (0, 1), or (0, 2), (1, nothing).
 */
#ifndef EDGEQ_DSP_COLUMNS_H
#define EDGEQ_DSP_COLUMNS_H

#include "edgeq_dsp.h"

typedef struct {
    const uint8_t *x, *blank; /* blank: a row of codes that stand for zero */
    int32_t size, height;     /* bytes of a row of x; rows */
    int32_t rows;             /* of a window */
    int32_t pitch;            /* words of a column of the strip */
} eq_dsp_columns_t;

EQ_INLINE uint32_t eq_dsp_column_code(uint8_t v, bool xs) { return xs ? (uint32_t)(int32_t)(int8_t)v : v; }

/* Two rows of `columns` columns. */
EQ_INLINE void eq_dsp_columns_two(eq_u32 *to, int32_t pitch, const uint8_t *a, const uint8_t *b, int32_t columns,
                                  int32_t pixel, bool xs)
{
    for (; columns > 0; columns--, a += pixel, b += pixel, to += pitch) {
        for (int32_t k = 0; k < pixel; k++) {
            to[2 * k] = eq_pkhbt(eq_dsp_column_code(a[k], xs), eq_dsp_column_code(b[k], xs));
        }
    }
}

/* The last of an odd number of rows. */
EQ_INLINE void eq_dsp_columns_one(eq_u32 *to, int32_t pitch, const uint8_t *a, int32_t columns, int32_t pixel, bool xs)
{
    for (; columns > 0; columns--, a += pixel, to += pitch) {
        to[0] = eq_dsp_column_code(a[0], xs);
        if (pixel > 1) {
            to[0] = eq_pkhbt(to[0], eq_dsp_column_code(a[pixel - 1], xs));
        }
        if (pixel > 2) {
            to[2] = eq_dsp_column_code(a[1], xs);
        }
    }
}

EQ_INLINE const uint8_t *eq_dsp_columns_row(const eq_dsp_columns_t *p, int32_t iy, int32_t from)
{
    return iy >= 0 && iy < p->height ? p->x + iy * p->size + from : p->blank;
}

/* One of the two windows of each column: rows from iy on, columns from byte `from` on. */
EQ_INLINE void eq_dsp_columns(const eq_dsp_columns_t *p, eq_u32 *to, int32_t iy, int32_t from, int32_t columns,
                              int32_t pixel, bool xs)
{
    const int32_t end = iy + p->rows;
    for (; iy + 1 < end; iy += 2, to += 2 * pixel) {
        eq_dsp_columns_two(to, p->pitch, eq_dsp_columns_row(p, iy, from), eq_dsp_columns_row(p, iy + 1, from), columns,
                           pixel, xs);
    }
    if (iy < end) {
        eq_dsp_columns_one(to, p->pitch, eq_dsp_columns_row(p, iy, from), columns, pixel, xs);
    }
}

#endif
