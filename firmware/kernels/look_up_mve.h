/* look_up_mve.h: any function of one byte, sixteen elements at a time, with Helium. */
#ifndef EDGEQ_KERNEL_LOOK_UP_MVE_H
#define EDGEQ_KERNEL_LOOK_UP_MVE_H

#include "edgeq_mve_elements.h"

typedef struct {
    int32_t count;        /* elements */
    const uint8_t *table; /* 256 codes of y, by the byte that holds x */
} eq_look_up_mve_t;

/* y may lie over x. */
EQ_KERNEL void eq_look_up_mve(const eq_look_up_mve_t *p, const void *const x[], void *y)
{
    eq_mve_look_up(p->table, x[0], y, p->count);
}

#endif
