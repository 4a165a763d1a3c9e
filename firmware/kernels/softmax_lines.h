/* softmax_lines.h: exponential and reciprocal by lines between entries of tables, as TensorFlow Lite on 16 bits. */
#ifndef EDGEQ_KERNEL_SOFTMAX_LINES_H
#define EDGEQ_KERNEL_SOFTMAX_LINES_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t outer, count, inner;        /* x and y (outer, count, inner); the sum is over count */
    int32_t multiplier, shift;          /* of distances from the greatest element */
    const int16_t *exp, *reciprocal;    /* 513 entries each, 15 bits behind the point */
} eq_softmax_lines_t;

/* The number at a 16-bit place (saturated) of a table of 513: the upper 9 bits choose an entry, a line leads to the
 * next one. */
EQ_INLINE int32_t eq_on_line(const int16_t *table, int64_t place)
{
    const int32_t at = (int32_t)eq_clamp64(place, INT16_MIN, INT16_MAX);
    const int16_t *entry = table + 256 + eq_asr32(at, 7);
    return entry[0] + eq_asr32((entry[1] - entry[0]) * (at & 127) + 64, 7);
}

/* y may lie over x where its elements are as wide: each exponential waits in its place of y. */
EQ_KERNEL void eq_softmax_lines(const eq_softmax_lines_t *p, const void *const x[], void *y, eq_type xt)
{
    const int32_t count = p->count, inner = p->inner;
    const void *from = x[0];
    eq_i16 *to = y;
    for (int32_t line = 0; line < p->outer * inner; line++) {
        const int32_t first = line / inner * count * inner + line % inner, end = first + count * inner;
        int32_t most = eq_load(from, first, xt), sum = 0;
        for (int32_t i = first + inner; i < end; i += inner) {
            const int32_t v = eq_load(from, i, xt);
            most = v > most ? v : most;
        }
        for (int32_t i = first; i < end; i += inner) {
            const int64_t d = eq_scale(eq_load(from, i, xt) - most, p->multiplier, p->shift, EQ_TFLITE);
            const int32_t e = eq_on_line(p->exp, d + INT16_MAX);
            to[i] = (int16_t)e;
            sum += e;
        }
        const int32_t bits = eq_bit_length((uint64_t)sum);
        const int32_t leading = (int32_t)eq_asr64(eq_shl64(sum, 31 - bits) + (1 << 13), 14);
        const int32_t r = eq_on_line(p->reciprocal, (int64_t)leading - 65536 - 32768);
        for (int32_t i = first; i < end; i += inner) {
            const int32_t v = eq_round32(to[i] * r, bits - 1, EQ_HALF_UP);
            to[i] = (int16_t)eq_min(v, INT16_MAX);
        }
    }
}

#endif
