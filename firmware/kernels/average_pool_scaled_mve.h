/* average_pool_scaled_mve.h: average_pool_scaled.h for bytes with Helium: eight channels at a time. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_SCALED_MVE_H
#define EDGEQ_KERNEL_AVERAGE_POOL_SCALED_MVE_H

#include "average_pool_scaled.h"
#include "edgeq_mve_elements.h"

typedef eq_average_pool_scaled_t eq_average_pool_scaled_mve_t;

/* Eight channels or more, of which the last eight may be computed twice; windows of up to 256 elements. */
EQ_KERNEL void eq_average_pool_scaled_mve(const eq_average_pool_scaled_mve_t *p, const void *const x[], void *y,
                                          bool is_signed, bool away)
{
    const int32_t channels = p->channels, row = p->in_w * channels;
    const uint8_t *from = x[0];
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, y0 = eq_first_tap(iy, 1);
        const int32_t y1 = eq_end_tap(iy, p->in_h, p->kernel_h, 1);
        for (int32_t ox = 0; ox < p->out_w; ox++, to += channels) {
            const int32_t ix = ox * p->stride_w - p->pad_w, x0 = eq_first_tap(ix, 1);
            const int32_t x1 = eq_end_tap(ix, p->in_w, p->kernel_w, 1), seen = (y1 - y0) * (x1 - x0);
            const int32_t divisor = p->divisor > 0 ? p->divisor : seen;
            /* Whole rows are one run. */
            const bool whole = x1 - x0 == p->in_w;
            const int32_t runs = whole ? 1 : y1 - y0, length = whole ? seen : x1 - x0;
            for (int32_t c = 0; c < channels; c += 8) {
                const int32_t first = eq_min(c, channels - 8);
                const uint8_t *run = from + (iy + y0) * row + (ix + x0) * channels + first;
                int16_t sums[8] = {0};
                for (int32_t i = 0; i < runs; i++, run += row) {
                    eq_mve_sum8(sums, run, channels, length, is_signed);
                }
                for (int32_t k = 0; k < 8; k++) {
                    const int32_t codes = is_signed ? sums[k] : (int32_t)(uint16_t)sums[k];
                    const int32_t sum = codes + divisor * p->y_zero - seen * p->x_zero;
                    const int32_t v = away ? eq_ratio_half_away(sum, divisor) : eq_ratio32(sum, divisor, EQ_HALF_UP);
                    to[first + k] = (uint8_t)eq_clamp32(v, p->lo, p->hi);
                }
            }
        }
    }
}

#endif
