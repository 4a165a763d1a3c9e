/* pad.h: elements added around a tensor: one code, reflected, replicated or circular. */
#ifndef EDGEQ_KERNEL_PAD_H
#define EDGEQ_KERNEL_PAD_H

#include "edgeq_kernel.h"

enum { EQ_PAD_CONSTANT, EQ_PAD_REFLECT, EQ_PAD_REPLICATE, EQ_PAD_CIRCULAR };

typedef struct {
    int32_t rank;            /* axes up to the last one that is padded; 1 or more */
    int32_t shape[EQ_RANK];  /* of x */
    int32_t padded[EQ_RANK]; /* of y */
    int32_t begin[EQ_RANK];  /* elements before x */
    int32_t run;             /* elements of the axes behind, which move together */
    int32_t mode;
    int32_t fill;            /* code, of mode constant */
} eq_pad_t;

/* Element of an axis of size n that stands at i, or -1: the fill. */
EQ_INLINE int32_t eq_pad_index(int32_t i, int32_t n, int32_t mode)
{
    if (i >= 0 && i < n) {
        return i;
    }
    switch (mode) {
    case EQ_PAD_REFLECT: return i < 0 ? -i : 2 * (n - 1) - i;
    case EQ_PAD_REPLICATE: return i < 0 ? 0 : n - 1;
    case EQ_PAD_CIRCULAR: return i < 0 ? i + n : i - n;
    default: return -1;
    }
}

/* t: of an element, unsigned */
EQ_KERNEL void eq_pad(const eq_pad_t *p, const void *const x[], void *y, eq_type t)
{
    int32_t at[EQ_RANK] = {0}, yi = 0, axis;
    do {
        int32_t from = 0;
        bool inside = true;
        for (axis = 0; axis < p->rank; axis++) {
            const int32_t i = eq_pad_index(at[axis] - p->begin[axis], p->shape[axis], p->mode);
            inside = inside && i >= 0;
            from = inside ? from * p->shape[axis] + i : 0;
        }
        if (inside) {
            eq_copy(y, yi, x[0], from * p->run, 1, p->run, t);
        } else {
            for (int32_t i = 0; i < p->run; i++) {
                eq_store_code(y, yi + i, (uint32_t)p->fill, t);
            }
        }
        yi += p->run;
        for (axis = p->rank - 1; axis >= 0 && ++at[axis] == p->padded[axis]; axis--) {
            at[axis] = 0;
        }
    } while (axis >= 0);
}

#endif
