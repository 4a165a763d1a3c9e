/* edgeq_strips.h: kernels for bytes on operands whose codes share bytes, a strip of rows at a time.
 *
 * The rows of x that a strip of y sees are brought into bytes in scratch, where those that the next strip sees too stay;
 * the kernel runs on them as on a smaller problem, and what it made is packed into y. An operand with a byte for each
 * code is used where it lies. y may lie over x where no strip writes over rows that later ones see: the lowering knows.
 * What a row is depends on the kernel: a row of a feature map; where each pixel is computed from the pixel at its place,
 * a pixel; a code.
 */
#ifndef EDGEQ_STRIPS_H
#define EDGEQ_STRIPS_H

#include "edgeq_fields.h"

/* An operand, or y. */
typedef struct {
    eq_type type;
    int32_t row;  /* codes of a row */
    int32_t room; /* bytes of scratch for the rows of a strip, a multiple of eight; 0: its codes have bytes of their own */
} eq_strips_side;

typedef struct {
    int32_t in_h, out_h;        /* rows of each operand, and of y */
    int32_t reach, stride, pad; /* rows of x that a row of y sees, from row `stride` times its own less `pad` on */
    int32_t rows;               /* of y in a strip */
    int32_t line;               /* whether all rows, of a pixel each, lie in one row of the kernel for bytes */
    int32_t operands;           /* one or two */
    eq_strips_side x[2], y;
} eq_strips_t;

/* A strip: what the kernel runs on, and how far it has come. */
typedef struct {
    const void *x[2];
    void *y, *scratch;
    int32_t in_h, out_h, pad; /* rows of x and y, and how far the first window begins before the first of x */
    int32_t top, done;        /* first row of x, rows of y that are done */
    const eq_strips_t *whole;
    const void *from[2];
    uint8_t *room[2];
    void *to;
} eq_strip_t;

/* x, y, scratch: those of the kernel. Behind the rooms for rows `scratch` goes to the kernel for bytes. */
EQ_SHARED void eq_strips_begin(eq_strip_t *s, const eq_strips_t *p, const void *const x[], void *y, void *scratch)
{
    uint8_t *at = scratch;
    for (int32_t i = 0; i < p->operands; i++) {
        s->from[i] = x[i];
        s->x[i] = s->room[i] = at;
        at += p->x[i].room;
    }
    s->y = at;
    s->scratch = at + p->y.room;
    s->to = y;
    s->in_h = s->out_h = s->pad = s->top = s->done = 0;
    s->whole = p;
}

/* Rows top to end - 1 of operand i; those up to `have` are in scratch, from row s->top on. */
EQ_INLINE void eq_strips_rows(eq_strip_t *s, int32_t i, int32_t top, int32_t end, int32_t have)
{
    const eq_strips_side *const x = &s->whole->x[i];
    if (x->room == 0) {
        s->x[i] = (const uint8_t *)s->from[i] + top * x->row;
        return;
    }
    uint8_t *const to = s->room[i];
    const int32_t kept = have > top ? have - top : 0;
    if (kept > 0 && top > s->top) {
        eq_copy_bytes(to, to + (top - s->top) * x->row, kept * x->row);
    }
    eq_fields_load(to + kept * x->row, s->from[i], (top + kept) * x->row, (end - top - kept) * x->row, x->type);
}

/* What the kernel made of a strip goes to y, and the next one is made ready; false where none is left. */
EQ_SHARED bool eq_strips_next(eq_strip_t *s)
{
    const eq_strips_t *const p = s->whole;
    if (p->y.room > 0) {
        eq_fields_store(s->to, s->done * p->y.row, s->y, s->out_h * p->y.row, p->y.type);
    }
    s->done += s->out_h;
    if (s->done == p->out_h) {
        return false;
    }
    s->out_h = eq_min(p->rows, p->out_h - s->done);
    const int32_t first = s->done * p->stride - p->pad, have = s->top + s->in_h;
    const int32_t top = first > 0 ? eq_min(first, p->in_h) : 0;
    const int32_t seen = eq_min(first + (s->out_h - 1) * p->stride + p->reach, p->in_h), end = seen > top ? seen : top;
    for (int32_t i = 0; i < p->operands; i++) {
        eq_strips_rows(s, i, top, end, have);
    }
    if (p->y.room == 0) {
        s->y = (uint8_t *)s->to + s->done * p->y.row;
    }
    s->top = top;
    s->in_h = end - top;
    s->pad = top - first;
    return true;
}

/* The sizes of a strip as those of a kernel for bytes, in and out: the structs that count its rows of x and of y. */
#define EQ_STRIP_ROWS(in, out, strip)      \
    do {                                   \
        (in).in_h = (strip).in_h;          \
        (out).out_h = (strip).out_h;       \
        (out).pad_h = (strip).pad;         \
    } while (0)

/* The same for one that also works on pixels in a line. */
#define EQ_STRIP_SIZES(in, out, strip)     \
    do {                                   \
        if ((strip).whole->line) {         \
            (in).in_w = (strip).in_h;      \
            (out).out_w = (strip).out_h;   \
        } else {                           \
            EQ_STRIP_ROWS(in, out, strip); \
        }                                  \
    } while (0)

#endif
