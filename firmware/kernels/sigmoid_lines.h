/* sigmoid_lines.h: sigmoid or tanh by lines between 256 entries of a table, as TensorFlow Lite on 16 bits. */
#ifndef EDGEQ_KERNEL_SIGMOID_LINES_H
#define EDGEQ_KERNEL_SIGMOID_LINES_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t count;             /* elements */
    int32_t zero;              /* code of x that stands for zero */
    int32_t multiplier, shift; /* of x: the argument, of which a unit is 1 / 12288 */
    const uint16_t *table;     /* 256 entries of sigmoid from zero up, 16 bits behind the point */
} eq_sigmoid_lines_t;

/* y may lie over x where its elements are as wide. The checker has proved that products with half a step fit. */
EQ_KERNEL void eq_sigmoid_lines(const eq_sigmoid_lines_t *p, const void *const x[], void *y, eq_type xt, bool tanh)
{
    const int32_t bits = tanh ? 8 : 9, drop = tanh ? 8 : 10, below = tanh ? 32768 : 0;
    const int32_t count = p->count, zero = p->zero, multiplier = p->multiplier, shift = p->shift;
    const uint16_t *table = p->table;
    const void *from = x[0];
    eq_i16 *to = y;
    for (int32_t i = 0; i < count; i++) {
        const int32_t u = eq_round32((eq_load(from, i, xt) - zero) * multiplier, shift, EQ_HALF_UP);
        const int32_t a = u < 0 ? -u : u, j = eq_asr32(a, bits);
        int32_t r = tanh ? 65535 : 32767;
        if (j < 255) {
            const int32_t low = table[j];
            r = eq_round32((low << bits) + (table[j + 1] - low) * (a & ((1 << bits) - 1)), drop, EQ_HALF_UP);
        }
        to[i] = (int16_t)eq_clamp32(u < 0 ? 32768 - r : r - below, INT16_MIN, INT16_MAX);
    }
}

#endif
