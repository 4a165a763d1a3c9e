/* concat_scaled.h: operands one after another along an axis, in scales that are no power of two. */
#ifndef EDGEQ_KERNEL_CONCAT_SCALED_H
#define EDGEQ_KERNEL_CONCAT_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t parts, outer;  /* operands; runs of each */
    int32_t row;           /* elements of y in a run of all operands together */
    eq_scale_t scale;
    const int32_t *source; /* for each operand: its place in x[], or -1: it is constant */
    const int32_t *run;    /* elements of a run */
    const int32_t *zero;   /* zero point of the operand */
    const uint32_t *type;  /* eq_type of the operand */
    const void *constant;  /* constant operands, one after the other, already in the output's format */
} eq_concat_scaled_t;

/* One run of an operand of zero point `zero`. */
EQ_INLINE void eq_concat_scaled_run(const void *x, int32_t xi, int32_t n, void *y, int32_t yi, const eq_scale_t *scale,
                                    int32_t zero, eq_type xt, eq_type yt, int32_t rule)
{
    const int32_t channels = scale->channels;
    for (int32_t i = 0; i < n; i++) {
        const eq_acc a = eq_acc_of(eq_load64(x, xi + i, xt) - zero, true);
        eq_put_scaled(y, yi + i, a, scale, channels == 1 ? 0 : (yi + i) % channels, yt, rule, true);
    }
}

/* copy: true where all operands have the output's format and nothing is scaled or clamped. */
EQ_KERNEL void eq_concat_scaled(const eq_concat_scaled_t *p, const void *const x[], void *y, bool copy, eq_type yt,
                                int32_t rule)
{
    int32_t at = 0, constants = 0;
    for (int32_t part = 0; part < p->parts; part++) {
        const int32_t source = p->source[part], n = p->run[part];
        for (int32_t i = 0; i < p->outer; i++) {
            const int32_t yi = i * p->row + at;
            if (source < 0) {
                eq_copy(y, yi, p->constant, constants + i * n, 1, n, yt);
            } else if (copy) {
                eq_copy(y, yi, x[source], i * n, 1, n, yt);
            } else {
                eq_concat_scaled_run(x[source], i * n, n, y, yi, &p->scale, p->zero[part], p->type[part], yt, rule);
            }
        }
        constants += source < 0 ? p->outer * n : 0;
        at += n;
    }
}

#endif
