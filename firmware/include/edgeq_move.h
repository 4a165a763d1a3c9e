/* edgeq_move.h: what slice and transpose share: elements of x in another order, or only some of them. */
#ifndef EDGEQ_MOVE_H
#define EDGEQ_MOVE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t rank;            /* axes of y after neighbours that walk alike are joined; 1 or more */
    int32_t shape[EQ_RANK];  /* of y */
    int32_t stride[EQ_RANK]; /* distance in x, in elements, along each axis of y */
    int32_t from;            /* first element of x */
} eq_move_t;

/* t: of an element, unsigned */
EQ_INLINE void eq_move(const eq_move_t *p, const void *const x[], void *y, eq_type t)
{
    const int32_t n = p->shape[p->rank - 1], step = p->stride[p->rank - 1];
    int32_t counter[EQ_RANK] = {0}, xi = p->from, yi = 0;
    do {
        eq_copy(y, yi, x[0], xi, step, n, t);
        yi += n;
    } while (eq_walk(p->rank, p->shape, counter, p->stride, &xi, NULL, NULL));
}

#endif
