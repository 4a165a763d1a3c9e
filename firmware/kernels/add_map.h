/* add_map.h: sums of codes that stand for few numbers, minifloats above all: a table for each operand and one for y. */
#ifndef EDGEQ_KERNEL_ADD_MAP_H
#define EDGEQ_KERNEL_ADD_MAP_H

#include "edgeq_elementwise.h"

typedef struct {
    int32_t n;             /* elements */
    const uint16_t *a, *b; /* by code: its integer on the finer of the two grids, less the least that a code stands for */
    const uint8_t *y;      /* code of y, by the sum of both */
} eq_add_map_t;

/* at, bt: types of the operands, which have the size of y. y may lie over both. */
EQ_KERNEL void eq_add_map(const eq_add_map_t *p, const void *const x[], void *y, eq_type at, eq_type bt)
{
    const uint8_t *a = x[0], *b = x[1], *const end = a + p->n, *const codes = p->y;
    const uint16_t *const am = p->a, *const bm = p->b;
    /* A byte that is no code stays within the tables. */
    const uint32_t a_mask = (1u << eq_width(at)) - 1u, b_mask = (1u << eq_width(bt)) - 1u;
    uint8_t *to = y;
    if (p->n % 2 != 0) {
        *to++ = codes[am[*a++ & a_mask] + bm[*b++ & b_mask]];
    }
    for (; a != end; a += 2, b += 2, to += 2) {
        const uint8_t first = codes[am[a[0] & a_mask] + bm[b[0] & b_mask]];
        const uint8_t second = codes[am[a[1] & a_mask] + bm[b[1] & b_mask]];
        to[0] = first;
        to[1] = second;
    }
}

#endif
