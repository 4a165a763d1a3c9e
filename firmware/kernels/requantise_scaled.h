/* requantise_scaled.h: the same numbers in another scale and zero point, clamped. */
#ifndef EDGEQ_KERNEL_REQUANTISE_SCALED_H
#define EDGEQ_KERNEL_REQUANTISE_SCALED_H

#include "edgeq_kernel.h"
#include "edgeq_scale.h"

typedef struct {
    int32_t count;    /* elements */
    int32_t channels; /* of the last axis */
    int32_t x_zero;   /* zero point of x */
    eq_scale_t scale;
} eq_requantise_scaled_t;

/* y may lie over x where its elements are no wider. */
EQ_KERNEL void eq_requantise_scaled(const eq_requantise_scaled_t *p, const void *const x[], void *y, eq_type xt,
                                    eq_type yt, int32_t rule)
{
    const int32_t count = p->count, channels = p->channels, zero = p->x_zero;
    const void *from = x[0];
    for (int32_t i = 0; i < count; i++) {
        const eq_acc a = eq_acc_of(eq_load64(from, i, xt) - zero, true);
        eq_put_scaled(y, i, a, &p->scale, i % channels, yt, rule, true);
    }
}

#endif
