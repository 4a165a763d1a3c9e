/* gather.h: elements at listed places along some axes. */
#ifndef EDGEQ_KERNEL_GATHER_H
#define EDGEQ_KERNEL_GATHER_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t rank;          /* axes up to the last one that is picked from; 1 or more */
    int32_t size[EQ_RANK]; /* of y */
    int32_t run;           /* elements of the axes behind, which move together */
    const int32_t *offset; /* distance in x, in elements, of each place along the first axis, then the second … */
} eq_gather_t;

/* t: of an element, unsigned */
EQ_KERNEL void eq_gather(const eq_gather_t *p, const void *const x[], void *y, eq_type t)
{
    int32_t at[EQ_RANK] = {0}, yi = 0, axis;
    do {
        const int32_t *offset = p->offset;
        int32_t from = 0;
        for (axis = 0; axis < p->rank; axis++) {
            from += offset[at[axis]];
            offset += p->size[axis];
        }
        eq_copy(y, yi, x[0], from, 1, p->run, t);
        yi += p->run;
        for (axis = p->rank - 1; axis >= 0 && ++at[axis] == p->size[axis]; axis--) {
            at[axis] = 0;
        }
    } while (axis >= 0);
}

#endif
