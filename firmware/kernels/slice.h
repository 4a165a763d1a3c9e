/* slice.h: a regular part of a tensor. */
#ifndef EDGEQ_KERNEL_SLICE_H
#define EDGEQ_KERNEL_SLICE_H

#include "edgeq_move.h"

typedef eq_move_t eq_slice_t;

EQ_KERNEL void eq_slice(const eq_slice_t *p, const void *const x[], void *y, eq_type t)
{
    eq_move(p, x, y, t);
}

#endif
