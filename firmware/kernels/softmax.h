/* softmax.h: integer exponentials by table, their exact sum, one rounded division. */
#ifndef EDGEQ_KERNEL_SOFTMAX_H
#define EDGEQ_KERNEL_SOFTMAX_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t outer, count, inner; /* x and y (outer, count, inner); the sum is over count */
    int32_t entries;             /* of the table */
    int32_t left, right;         /* alignment of the exponential and of their sum, both to the left */
    int64_t lo, hi;              /* bounds on the grid of y */
    const void *table;           /* exponential of each distance from the greatest element */
} eq_softmax_t;

EQ_INLINE int64_t eq_softmax_key(const void *x, int32_t i, eq_type xt, bool wide)
{
    return wide ? eq_load64(x, i, xt) : eq_load(x, i, xt);
}

/* Index in the table of a distance from the greatest element. */
EQ_INLINE int32_t eq_softmax_entry(int64_t most, int64_t v, int32_t entries, bool wide)
{
    if (wide) {
        return most - v < entries ? (int32_t)(most - v) : entries - 1;
    }
    return eq_min((int32_t)most - (int32_t)v, entries - 1);
}

/* y may lie over x where its elements are as wide, or no wider and inner is 1. */
EQ_KERNEL void eq_softmax(const eq_softmax_t *p, const void *const x[], void *y, eq_type xt, eq_type tt, eq_type yt,
                          int32_t rule, bool wide)
{
    const int32_t count = p->count, inner = p->inner, entries = p->entries;
    const void *table = p->table, *from = x[0];
    for (int32_t line = 0; line < p->outer * inner; line++) {
        const int32_t first = line / inner * count * inner + line % inner, end = first + count * inner;
        int64_t most = eq_softmax_key(from, first, xt, wide);
        for (int32_t i = first + inner; i < end; i += inner) {
            const int64_t v = eq_softmax_key(from, i, xt, wide);
            most = v > most ? v : most;
        }
        eq_acc sum = eq_acc_of(0, wide);
        for (int32_t i = first; i < end; i += inner) {
            const int32_t e = eq_softmax_entry(most, eq_softmax_key(from, i, xt, wide), entries, wide);
            eq_acc_add(&sum, table, e, tt, 0, wide);
        }
        const int64_t divisor = eq_shl64(wide ? sum.wide : sum.narrow, p->right);
        for (int32_t i = first; i < end; i += inner) {
            const int32_t e = eq_softmax_entry(most, eq_softmax_key(from, i, xt, wide), entries, wide);
            eq_acc part = eq_acc_of(0, wide);
            eq_acc_add(&part, table, e, tt, 0, wide);
            eq_put_ratio(y, i, part, p->left, divisor, p->lo, p->hi, yt, rule, wide);
        }
    }
}

#endif
