/* edgeq_stream.h: a stretch of steps that run row by row, each value in room for a few of its rows.
 *
 * A value's rows lie in one piece from the front of its room, padding rows among them. When the room is full, the rows
 * that some reader still needs move to the front. Of all steps that can run, the one farthest from the source runs
 * first. edgeq/schedule/stream.py is the same machine in Python, where the capacities come from.
 */
#ifndef EDGEQ_STREAM_H
#define EDGEQ_STREAM_H

#include "edgeq_kernel.h"

/* A value; rows are numbered from 0, padding above has negative numbers. */
typedef struct {
    uint32_t at;                       /* of its room in the arena */
    uint32_t row_bytes;
    int32_t fill;                      /* code of padding */
    uint16_t element_bytes;
    int16_t height, capacity;          /* rows of the value, and of room */
    int16_t top;                       /* rows of padding above */
    int16_t first_reader, last_reader; /* steps; no step reads the output: 1, 0 */
} eq_rows_t;

/* What a step reads: `rows` rows from row `stride` * its own row - `top`; clipped: those of them that the value has. */
typedef struct {
    int16_t value, rows, stride, top;
    bool clipped;
} eq_read_t;

typedef struct {
    int16_t first_read, reads;
    int16_t output;
    int16_t rows; /* made at a time; the last ones are shifted back into the output, and written only if new */
} eq_row_step_t;

typedef struct {
    const eq_rows_t *values;
    const eq_read_t *reads;
    const eq_row_step_t *steps;
    int16_t value_count, step_count;
    int16_t source;
    bool whole;     /* the source is read where all of it lies */
    uint32_t state; /* of value_count + step_count eq_row_state_t in the arena */
} eq_stretch_t;

/* Of a value: the row at the front of its room, and the next to come. Of a step: 0, and the next row to make. */
typedef struct {
    int16_t base, next;
} eq_row_state_t;

#define EQ_STREAM_READS 4

/* Runs a step of the network for the next row, or rows. */
typedef void eq_row_call(uint8_t *arena, uint32_t step, const void *const x[], void *y);

EQ_INLINE eq_row_state_t *eq_stream_state(const eq_stretch_t *s, uint8_t *arena)
{
    return (eq_row_state_t *)(void *)(arena + s->state);
}

#if defined(__GNUC__)
typedef struct {
    uint32_t word;
} __attribute__((packed, may_alias)) eq_row_word;
#endif

/* To the front, or from elsewhere: `to` does not lie behind `from` in the same room. */
EQ_SHARED void eq_stream_copy(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
    uint32_t i = 0;
#if defined(__GNUC__)
    for (; i + 16u <= bytes; i += 16u) {
        const eq_row_word *const x = (const eq_row_word *)(const void *)(from + i);
        eq_row_word *const y = (eq_row_word *)(void *)(to + i);
        const uint32_t a = x[0].word, b = x[1].word, c = x[2].word, d = x[3].word;
        y[0].word = a;
        y[1].word = b;
        y[2].word = c;
        y[3].word = d;
    }
#endif
    for (; i < bytes; i++) {
        to[i] = from[i];
    }
}

/* A row of one code; elements have 1, 2 or 4 bytes. */
EQ_SHARED void eq_stream_fill(uint8_t *to, int32_t code, uint32_t element_bytes, uint32_t bytes)
{
    const uint32_t c = (uint32_t)code;
    const uint32_t word = element_bytes == 1u ? (c & 0xFFu) * 0x01010101u
                          : element_bytes == 2u ? (c & 0xFFFFu) * 0x00010001u : c;
    uint32_t i = 0;
#if defined(__GNUC__)
    for (; i + 4u <= bytes; i += 4u) {
        ((eq_row_word *)(void *)(to + i))->word = word;
    }
#endif
    for (; i < bytes; i++) {
        to[i] = (uint8_t)((word >> (8u * (i & 3u))) & 0xFFu);
    }
}

/* The row that a step makes next, or the first of them. */
EQ_INLINE int32_t eq_stream_row(const eq_stretch_t *s, const eq_row_step_t *step, const eq_row_state_t *state)
{
    return eq_min(state->next, s->values[step->output].height - step->rows);
}

/* The first row that a step reads for its row `row`, and the one after the last; clipped: of one at least. */
EQ_INLINE int32_t eq_stream_from(const eq_stretch_t *s, const eq_read_t *read, int32_t row)
{
    const int32_t first = row * read->stride - read->top;
    return read->clipped ? eq_min(first > 0 ? first : 0, s->values[read->value].height - 1) : first;
}

EQ_INLINE int32_t eq_stream_end(const eq_stretch_t *s, const eq_read_t *read, int32_t row)
{
    const int32_t end = row * read->stride - read->top + read->rows;
    return read->clipped ? eq_min(end > 1 ? end : 1, s->values[read->value].height) : end;
}

/* The first row of a value that some reader still needs. */
EQ_SHARED int32_t eq_stream_needed(const eq_stretch_t *s, const eq_row_state_t *state, int32_t value)
{
    const eq_rows_t *const v = &s->values[value];
    int32_t first = INT16_MAX;
    for (int32_t i = v->first_reader; i <= v->last_reader; i++) {
        const eq_row_step_t *const step = &s->steps[i];
        const eq_row_state_t *const its = &state[s->value_count + i];
        if (its->next == s->values[step->output].height) {
            continue;
        }
        const int32_t row = eq_stream_row(s, step, its);
        for (int32_t k = step->first_read; k < step->first_read + step->reads; k++) {
            if (s->reads[k].value == value) {
                first = eq_min(first, eq_stream_from(s, &s->reads[k], row));
            }
        }
    }
    return first;
}

/* Where the next `count` rows of a value go; null where there is no room. */
EQ_SHARED uint8_t *eq_stream_room(const eq_stretch_t *s, uint8_t *arena, int32_t value, int32_t count)
{
    const eq_rows_t *const v = &s->values[value];
    eq_row_state_t *const state = eq_stream_state(s, arena), *const now = &state[value];
    uint8_t *const room = arena + v->at;
    if (now->next - now->base + count > v->capacity) {
        const int32_t needed = eq_stream_needed(s, state, value);
        const int32_t keep = eq_min(needed > now->base ? needed : now->base, now->next);
        if (now->next - keep + count > v->capacity) {
            return NULL;
        }
        eq_stream_copy(room, room + (uint32_t)(keep - now->base) * v->row_bytes,
                       (uint32_t)(now->next - keep) * v->row_bytes);
        now->base = (int16_t)keep;
    }
    return room + (uint32_t)(now->next - now->base) * v->row_bytes;
}

/* Appends a row of padding; false where there is no room. */
EQ_SHARED bool eq_stream_pad(const eq_stretch_t *s, uint8_t *arena, int32_t value)
{
    const eq_rows_t *const v = &s->values[value];
    uint8_t *const row = eq_stream_room(s, arena, value, 1);
    if (row == NULL) {
        return false;
    }
    eq_stream_fill(row, v->fill, v->element_bytes, v->row_bytes);
    eq_stream_state(s, arena)[value].next++;
    return true;
}

/* Whether all rows of a value before `end` are there; rows below its last are made when they are asked for. */
EQ_SHARED bool eq_stream_reaches(const eq_stretch_t *s, uint8_t *arena, int32_t value, int32_t end)
{
    const eq_row_state_t *const now = &eq_stream_state(s, arena)[value];
    while (now->next >= s->values[value].height && now->next < end) {
        if (!eq_stream_pad(s, arena, value)) {
            return false;
        }
    }
    return now->next >= end;
}

/* Runs a step for its next row, or rows, if it can. */
EQ_SHARED bool eq_stream_try(const eq_stretch_t *s, uint8_t *arena, int32_t index, eq_row_call *call)
{
    const eq_row_step_t *const step = &s->steps[index];
    const eq_read_t *const reads = &s->reads[step->first_read];
    eq_row_state_t *const state = eq_stream_state(s, arena), *const mine = &state[s->value_count + index];
    if (mine->next == s->values[step->output].height) {
        return false;
    }
    const int32_t row = eq_stream_row(s, step, mine), count = row + step->rows - mine->next;
    for (int32_t k = 0; k < step->reads; k++) {
        if (!eq_stream_reaches(s, arena, reads[k].value, eq_stream_end(s, &reads[k], row))) {
            return false;
        }
    }
    uint8_t *const y = eq_stream_room(s, arena, step->output, count);
    if (y == NULL) {
        return false;
    }
    const void *x[EQ_STREAM_READS] = {NULL};
    for (int32_t k = 0; k < step->reads; k++) {
        const eq_rows_t *const v = &s->values[reads[k].value];
        const int32_t from = eq_stream_from(s, &reads[k], row) - state[reads[k].value].base;
        x[k] = arena + v->at + (uint32_t)from * v->row_bytes;
    }
    call(arena, (uint32_t)index, x, y);
    state[step->output].next = (int16_t)(state[step->output].next + count);
    mine->next = (int16_t)(mine->next + count);
    return true;
}

/* Runs all rows that can run. */
EQ_SHARED void eq_stream_advance(const eq_stretch_t *s, uint8_t *arena, eq_row_call *call)
{
    int32_t at = s->step_count - 1;
    while (at >= 0) {
        if (eq_stream_try(s, arena, at, call)) {
            /* What is deeper could not run before, so only readers of the new row may now. */
            const int32_t reader = s->values[s->steps[at].output].last_reader;
            at = reader > at ? reader : at;
        } else {
            at--;
        }
    }
}

/* Before the first row: no value has any but the padding above. */
EQ_SHARED void eq_stream_start(const eq_stretch_t *s, uint8_t *arena)
{
    eq_row_state_t *const state = eq_stream_state(s, arena);
    for (int32_t i = 0; i < s->value_count + s->step_count; i++) {
        const int32_t top = i < s->value_count ? s->values[i].top : 0;
        state[i].base = state[i].next = (int16_t)-top;
    }
    for (int32_t i = 0; i < s->value_count; i++) {
        while (state[i].next < 0 && eq_stream_pad(s, arena, i)) {
        }
    }
    if (s->whole) {
        state[s->source].next = s->values[s->source].height;
    }
}

/* Takes the next row of the source and runs what it makes possible. */
EQ_SHARED void eq_stream_push(const eq_stretch_t *s, uint8_t *arena, const void *row, eq_row_call *call)
{
    uint8_t *const room = eq_stream_room(s, arena, s->source, 1);
    if (room != NULL) {
        eq_stream_copy(room, row, s->values[s->source].row_bytes);
        eq_stream_state(s, arena)[s->source].next++;
        eq_stream_advance(s, arena, call);
    }
}

/* Runs a stretch from a source that lies in the arena, at `from`. */
EQ_INLINE void eq_stream_run(const eq_stretch_t *s, uint8_t *arena, uint32_t from, eq_row_call *call)
{
    eq_stream_start(s, arena);
    if (s->whole) {
        eq_stream_advance(s, arena, call);
        return;
    }
    for (int32_t row = 0; row < s->values[s->source].height; row++) {
        eq_stream_push(s, arena, arena + from + (uint32_t)row * s->values[s->source].row_bytes, call);
    }
}

#endif
