/* resize_nearest.h: spatial axes resampled by the nearest element at or below, channels last. */
#ifndef EDGEQ_KERNEL_RESIZE_NEAREST_H
#define EDGEQ_KERNEL_RESIZE_NEAREST_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
} eq_resize_nearest_t;

/* floor(i * n / size) */
EQ_INLINE int32_t eq_resize_index(int32_t i, int32_t n, int32_t size)
{
    return (int32_t)((int64_t)i * n / size);
}

/* t: of an element, unsigned */
EQ_KERNEL void eq_resize_nearest(const eq_resize_nearest_t *p, const void *const x[], void *y, eq_type t)
{
    const int32_t channels = p->channels;
    int32_t yi = 0;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t row = eq_resize_index(oy, p->in_h, p->out_h) * p->in_w;
        for (int32_t ox = 0; ox < p->out_w; ox++, yi += channels) {
            const int32_t xi = (row + eq_resize_index(ox, p->in_w, p->out_w)) * channels;
            eq_copy(y, yi, x[0], xi, 1, channels, t);
        }
    }
}

#endif
