/* edgeq_dsp_pairs.h: element-wise operators on two operands of 8-bit codes, four elements at a time with DSP. */
#ifndef EDGEQ_DSP_PAIRS_H
#define EDGEQ_DSP_PAIRS_H

#include "edgeq_dsp_scale.h"

/* y and a: rows of n elements, one after the other; b: one such row for all, or as many. */
typedef struct {
    int32_t rows, n;
    int32_t b_step;    /* bytes from one row of b to the next: n, or 0 where it repeats */
    bool swapped;      /* whether a is the second of x[] */
    int32_t lo, hi;    /* bounds of y as codes, where saturation does not make them */
    const void *b;     /* a constant operand; null: the other of x[] */
} eq_dsp_pairs_t;

EQ_INLINE const uint8_t *eq_dsp_pairs_a(const eq_dsp_pairs_t *p, const void *const x[])
{
    return x[p->b == NULL && p->swapped ? 1 : 0];
}

EQ_INLINE const uint8_t *eq_dsp_pairs_b(const eq_dsp_pairs_t *p, const void *const x[])
{
    return p->b != NULL ? p->b : x[p->swapped ? 0 : 1];
}

#endif
