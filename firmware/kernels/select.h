/* select.h: one of two tensors, chosen as a whole; y may lie over either. */
#ifndef EDGEQ_KERNEL_SELECT_H
#define EDGEQ_KERNEL_SELECT_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t count;        /* elements of y */
    int32_t condition;    /* -1: code 0 of x[0]; 0 or 1: the same for every input */
    int32_t place[2];     /* of b and a in x[]; not read where they are constant */
    const void *b, *a;    /* constant operands, or null */
} eq_select_t;

/* t: of an element, unsigned; ct: of the condition */
EQ_KERNEL void eq_select(const eq_select_t *p, const void *const x[], void *y, eq_type t, eq_type ct)
{
    const int32_t chosen = p->condition >= 0 ? p->condition : eq_load(x[0], 0, ct);
    const void *const constant = chosen != 0 ? p->a : p->b;
    const void *const from = constant != NULL ? constant : x[p->place[chosen != 0 ? 1 : 0]];
    if (from != y) {
        eq_copy(y, 0, from, 0, 1, p->count, t);
    }
}

#endif
