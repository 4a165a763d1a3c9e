/* edgeq_kernel.h: everything that a kernel may use, and the geometry that several share. */
#ifndef EDGEQ_KERNEL_H
#define EDGEQ_KERNEL_H

#include "edgeq_acc.h"

/* First tap of a window that starts at `from` (negative: in the padding) and falls on an element. */
EQ_INLINE int32_t eq_first_tap(int32_t from, int32_t dilation)
{
    return from < 0 ? (-from + dilation - 1) / dilation : 0;
}

/* Tap after the last one that falls on an element of an axis of size n. */
EQ_INLINE int32_t eq_end_tap(int32_t from, int32_t n, int32_t taps, int32_t dilation)
{
    return from < n ? eq_min(taps, (n - from + dilation - 1) / dilation) : 0;
}

/* A walk over up to EQ_RANK axes, the last of which the caller runs along himself. */
#define EQ_RANK 6

/* Go to the next run: `at` counts along the axes before the last, *a and *b are offsets that move by their strides
 * (b may be null). Returns false after the last run. */
EQ_INLINE bool eq_walk(int32_t rank, const int32_t shape[], int32_t at[], const int32_t a_stride[], int32_t *a,
                       const int32_t b_stride[], int32_t *b)
{
    for (int32_t axis = rank - 2; axis >= 0; axis--) {
        const bool more = ++at[axis] < shape[axis];
        const int32_t by = more ? 1 : 1 - shape[axis];
        *a += a_stride[axis] * by;
        if (b != NULL) {
            *b += b_stride[axis] * by;
        }
        if (more) {
            return true;
        }
        at[axis] = 0;
    }
    return false;
}

#endif
