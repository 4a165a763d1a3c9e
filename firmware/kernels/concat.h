/* concat.h: operands one after another along an axis, each brought to the output's format. */
#ifndef EDGEQ_KERNEL_CONCAT_H
#define EDGEQ_KERNEL_CONCAT_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t parts, outer;   /* operands; runs of each */
    int32_t row;            /* elements of y in a run of all operands together */
    int64_t lo, hi;         /* bounds on the grid of y */
    const int32_t *source;  /* for each operand: its place in x[], or -1: it is constant */
    const int32_t *run;     /* elements of a run */
    const int8_t *shift;    /* binary point of the operand less that of y */
    const uint32_t *type;   /* eq_type of the operand; read only where xt is EQ_VARIOUS */
    const void *constant;   /* constant operands, one after the other, already in the output's format */
} eq_concat_t;

/* In place of xt: the operands' types differ and are looked up at run time. */
#define EQ_VARIOUS ((eq_type)0)

EQ_INLINE void eq_concat_run(const void *x, int32_t xi, int32_t n, void *y, int32_t yi, int32_t shift, int64_t lo,
                             int64_t hi, eq_type xt, eq_type yt, int32_t rule, int32_t wide)
{
    for (int32_t i = 0; i < n; i++) {
        eq_acc a = eq_acc_of(0, wide);
        eq_acc_add(&a, x, xi + i, xt, 0, wide);
        eq_put(y, yi + i, a, shift, lo, hi, yt, rule, wide);
    }
}

/* copy: true where all operands have the output's format and no bound is tighter than the format's. */
EQ_KERNEL void eq_concat(const eq_concat_t *p, const void *const x[], void *y, eq_type xt, bool copy, eq_type yt,
                         int32_t rule, int32_t wide)
{
    int32_t at = 0, constants = 0;
    for (int32_t part = 0; part < p->parts; part++) {
        const int32_t source = p->source[part], n = p->run[part];
        const eq_type t = xt != EQ_VARIOUS ? xt : p->type[part];
        for (int32_t i = 0; i < p->outer; i++) {
            const int32_t yi = i * p->row + at;
            if (source < 0) {
                eq_copy(y, yi, p->constant, constants + i * n, 1, n, yt);
            } else if (copy) {
                eq_copy(y, yi, x[source], i * n, 1, n, yt);
            } else {
                eq_concat_run(x[source], i * n, n, y, yi, p->shift[part], p->lo, p->hi, t, yt, rule, wide);
            }
        }
        constants += source < 0 ? p->outer * n : 0;
        at += n;
    }
}

#endif
