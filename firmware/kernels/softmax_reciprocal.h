/* softmax_reciprocal.h: exponentials from a table, the reciprocal of their sum by Newton's method, as TensorFlow Lite. */
#ifndef EDGEQ_KERNEL_SOFTMAX_RECIPROCAL_H
#define EDGEQ_KERNEL_SOFTMAX_RECIPROCAL_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t outer, count, inner; /* x and y (outer, count, inner); the sum is over count */
    int32_t entries;             /* of the table */
    int32_t bits;                /* of a code of y */
    int32_t zero;                /* code of y that stands for zero: its least */
    const int32_t *table;        /* exponential of each distance from the greatest element, 31 bits behind the point */
} eq_softmax_reciprocal_t;

/* Bits behind the point of the exponentials less those of their sum. */
#define EQ_SOFTMAX_DROPPED 12

/* a * b / 2^31, rounded half up. */
EQ_INLINE int32_t eq_high_product(int32_t a, int32_t b)
{
    return (int32_t)eq_asr64((int64_t)a * b + (1 << 30), 31);
}

/* 1 / (1 + f) with 31 bits behind the point, for 0 <= f < 1 with as many. */
EQ_INLINE int32_t eq_reciprocal(uint32_t f)
{
    const int32_t half = (int32_t)((f + (uint32_t)INT32_MAX + 1u) >> 1), one = 1 << 29;
    int32_t x = 1515870810 + eq_high_product(half, -1010580540); /* 48/17 - 32/17 * half */
    for (int32_t i = 0; i < 3; i++) {
        x += eq_shl32(eq_high_product(x, one - eq_high_product(half, x)), 2);
    }
    return x > INT32_MAX / 2 ? INT32_MAX : eq_shl32(x, 1);
}

/* y may lie over x where its elements are as wide, or no wider and inner is 1. Minifloats are read with 64 bits. */
EQ_KERNEL void eq_softmax_reciprocal(const eq_softmax_reciprocal_t *p, const void *const x[], void *y, eq_type xt,
                                     eq_type yt)
{
    const int32_t count = p->count, inner = p->inner, last = p->entries - 1, zero = p->zero;
    const int32_t most_code = eq_shl32(1, p->bits) - 1;
    const int32_t *table = p->table;
    const void *from = x[0];
    for (int32_t line = 0; line < p->outer * inner; line++) {
        const int32_t first = line / inner * count * inner + line % inner, end = first + count * inner;
        int64_t most = eq_load64(from, first, xt);
        for (int32_t i = first + inner; i < end; i += inner) {
            const int64_t v = eq_load64(from, i, xt);
            most = v > most ? v : most;
        }
        uint32_t sum = 0;
        for (int32_t i = first; i < end; i += inner) {
            const uint64_t d = (uint64_t)(most - eq_load64(from, i, xt));
            sum += ((uint32_t)table[d < (uint32_t)last ? (int32_t)d : last] + (1u << (EQ_SOFTMAX_DROPPED - 1))) >> EQ_SOFTMAX_DROPPED;
        }
        const int32_t width = eq_bit_length(sum), shift = width - 20 + 31 - p->bits;
        const int32_t r = eq_reciprocal((sum << (32 - width)) - (1u << 31));
        for (int32_t i = first; i < end; i += inner) {
            const uint64_t d = (uint64_t)(most - eq_load64(from, i, xt));
            const int32_t e = table[d < (uint32_t)last ? (int32_t)d : last];
            const int32_t q = (int32_t)eq_half_away64(eq_high_product(e, r), shift);
            eq_store_code(y, i, (uint32_t)(zero + eq_min(q, most_code)), yt);
        }
    }
}

#endif
