/* edgeq_bilinear.h: what the two resize_bilinear kernels share: neighbours and weights of a pixel. */
#ifndef EDGEQ_BILINEAR_H
#define EDGEQ_BILINEAR_H

#include "edgeq_kernel.h"

/* Offsets of four elements of x and their weights. */
typedef struct {
    int32_t at[4], weight[4];
} eq_bilinear;

/* The neighbours of a pixel: `row` and `column` are two offsets and two weights each, products stay in 32 bits. */
EQ_INLINE eq_bilinear eq_bilinear_of(const int32_t *row, const int32_t *column)
{
    eq_bilinear found;
    for (int32_t k = 0; k < 4; k++) {
        found.at[k] = row[k / 2] + column[k % 2];
        found.weight[k] = row[2 + k / 2] * column[2 + k % 2];
    }
    return found;
}

/* Adds the weighted neighbours of channel c, `zero` taken off each. */
EQ_INLINE void eq_bilinear_sum(eq_acc *a, const eq_bilinear *p, const void *x, int32_t c, int32_t zero, eq_type xt,
                               int32_t wide)
{
    for (int32_t k = 0; k < 4; k++) {
        eq_acc_product(a, eq_factor(x, p->at[k] + c, xt, wide) - zero, p->weight[k], wide);
    }
}

#endif
