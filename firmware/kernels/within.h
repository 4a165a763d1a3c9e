/* within.h: whether every number of x lies between two bounds; it stops at the first that does not. */
#ifndef EDGEQ_KERNEL_WITHIN_H
#define EDGEQ_KERNEL_WITHIN_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t count;       /* elements of x */
    int32_t least, most; /* eq_key of the bounds */
} eq_within_t;

EQ_KERNEL void eq_within(const eq_within_t *p, const void *const x[], void *y, eq_type xt, eq_type yt)
{
    const int32_t count = p->count;
    const uint32_t least = (uint32_t)p->least, reach = (uint32_t)p->most - least;
    int32_t i = 0;
    while (i < count && (uint32_t)eq_key(x[0], i, xt) - least <= reach) {
        i++;
    }
    eq_store(y, 0, i == count ? 1 : 0, yt);
}

#endif
