/* edgeq_tiles.h: some rows of several fused steps, tile by tile of their columns.
 *
 * A tile is copied out of the rows of the source, runs through the kernels on maps as small as it needs, and is copied
 * into the rows of the output. What of a map lies outside of the whole one is overwritten with the code that padding has
 * there, since the kernels of a tile pad nothing. edgeq/schedule/patch.py is the same in Python.
 */
#ifndef EDGEQ_TILES_H
#define EDGEQ_TILES_H

#include "edgeq_stream.h"

/* What a tile needs of a map: rows from `row_scale` * its own row + `row_offset`, and columns likewise. */
typedef struct {
    uint32_t at; /* of the region in the arena */
    uint32_t pixel_bytes;
    int32_t fill; /* code of padding, as elements of so many bytes */
    uint16_t element_bytes;
    int16_t rows, columns; /* of the region */
    int16_t height, width; /* of the map */
    int16_t row_scale, row_offset, column_scale, column_offset;
} eq_region_t;

/* Columns of a region before `column` of the map. */
EQ_INLINE int32_t eq_columns_before(const eq_region_t *r, int32_t left, int32_t column)
{
    return eq_min(column > left ? column - left : 0, r->columns);
}

/* Writes the code of padding wherever a region lies outside of the map. */
EQ_SHARED void eq_tile_border(const eq_region_t *r, uint8_t *arena, int32_t row, int32_t column)
{
    const int32_t top = row * r->row_scale + r->row_offset, left = column * r->column_scale + r->column_offset;
    const uint32_t begin = (uint32_t)eq_columns_before(r, left, 0) * r->pixel_bytes;
    const uint32_t end = (uint32_t)eq_columns_before(r, left, r->width) * r->pixel_bytes;
    const uint32_t bytes = (uint32_t)r->columns * r->pixel_bytes;
    uint8_t *to = arena + r->at;
    for (int32_t i = top; i < top + r->rows; i++) {
        if (i < 0 || i >= r->height) {
            eq_stream_fill(to, r->fill, r->element_bytes, bytes);
        } else {
            eq_stream_fill(to, r->fill, r->element_bytes, begin);
            eq_stream_fill(to + end, r->fill, r->element_bytes, bytes - end);
        }
        to += bytes;
    }
}

/* Copies a region out of the rows of its map, of which row `first` and those below it start at x. */
EQ_SHARED void eq_tile_take(const eq_region_t *r, uint8_t *arena, int32_t row, int32_t column, const uint8_t *x,
                            int32_t first)
{
    const int32_t top = row * r->row_scale + r->row_offset;
    const int32_t left = column * r->column_scale + r->column_offset;
    const uint32_t begin = (uint32_t)eq_columns_before(r, left, 0);
    const uint32_t end = (uint32_t)eq_columns_before(r, left, r->width);
    const uint32_t from = (uint32_t)(left + (int32_t)begin) * r->pixel_bytes;
    uint8_t *to = arena + r->at + begin * r->pixel_bytes;
    for (int32_t i = top; i < top + r->rows; i++) {
        if (i >= 0 && i < r->height) {
            eq_stream_copy(to, x + (uint32_t)((i - first) * r->width) * r->pixel_bytes + from,
                           (end - begin) * r->pixel_bytes);
        }
        to += (uint32_t)r->columns * r->pixel_bytes;
    }
    eq_tile_border(r, arena, row, column);
}

/* Copies part of a map: rows of `bytes` bytes, of which one starts every `step` bytes, one behind the other. */
EQ_SHARED void eq_tile_cut(uint8_t *to, const uint8_t *from, int32_t rows, uint32_t bytes, uint32_t step)
{
    for (int32_t i = 0; i < rows; i++) {
        eq_stream_copy(to, from, bytes);
        to += bytes;
        from += step;
    }
}

/* Copies a tile, but for its first `old` rows, to its place in the rows that start at y. */
EQ_SHARED void eq_tile_give(const eq_region_t *r, const uint8_t *arena, int32_t column, int32_t old, uint8_t *y)
{
    const uint32_t bytes = (uint32_t)r->columns * r->pixel_bytes;
    y += (uint32_t)column * r->pixel_bytes;
    for (int32_t i = old; i < r->rows; i++) {
        eq_stream_copy(y, arena + r->at + (uint32_t)i * bytes, bytes);
        y += (uint32_t)r->width * r->pixel_bytes;
    }
}

/* The first row that a step is making, and how many of them it has made before. */
EQ_INLINE int32_t eq_tile_row(const eq_stretch_t *s, uint8_t *arena, int32_t step, int32_t *old)
{
    const eq_row_state_t *const mine = &eq_stream_state(s, arena)[s->value_count + step];
    const int32_t row = eq_stream_row(s, &s->steps[step], mine);
    *old = mine->next - row;
    return row;
}

#endif
