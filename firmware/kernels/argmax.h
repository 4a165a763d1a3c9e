/* argmax.h: index of the greatest element along an axis; the first of equals wins. */
#ifndef EDGEQ_KERNEL_ARGMAX_H
#define EDGEQ_KERNEL_ARGMAX_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t outer, count, inner; /* x (outer, count, inner), y (outer, inner) */
} eq_argmax_t;

EQ_KERNEL void eq_argmax(const eq_argmax_t *p, const void *const x[], void *y, eq_type xt, eq_type yt)
{
    const int32_t count = p->count, inner = p->inner;
    for (int32_t i = 0; i < p->outer * inner; i++) {
        const int32_t from = i / inner * count * inner + i % inner;
        int32_t best = 0, most = eq_key(x[0], from, xt);
        for (int32_t k = 1; k < count; k++) {
            const int32_t key = eq_key(x[0], from + k * inner, xt);
            if (key > most) {
                most = key;
                best = k;
            }
        }
        eq_store(y, i, best, yt);
    }
}

#endif
