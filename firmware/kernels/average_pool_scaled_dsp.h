/* average_pool_scaled_dsp.h: mean of each window of 8-bit codes, rounded as a code, four channels at a time. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_SCALED_DSP_H
#define EDGEQ_KERNEL_AVERAGE_POOL_SCALED_DSP_H

#include "average_pool_scaled.h"
#include "edgeq_dsp.h"

typedef eq_average_pool_scaled_t eq_average_pool_scaled_dsp_t;

/* The code of a sum of codes to which `start` is added. */
EQ_INLINE uint8_t eq_average_pool_scaled_dsp_code(const eq_average_pool_scaled_t *p, int32_t sum, int32_t divisor,
                                                  bool away)
{
    const int32_t v = away ? eq_ratio_half_away(sum, divisor) : eq_ratio32(sum, divisor, EQ_HALF_UP);
    return (uint8_t)eq_clamp32(v, p->lo, p->hi);
}

/* xs: whether codes of x are signed; away: round the code half away from zero; else the number half up.
 * Windows have up to 256 elements. */
EQ_KERNEL void eq_average_pool_scaled_dsp(const eq_average_pool_scaled_t *p, const void *const x[], void *y, bool xs,
                                          bool away)
{
    const int32_t channels = p->channels, step = p->in_w * channels;
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, y0 = eq_first_tap(iy, 1);
        const int32_t rows = eq_end_tap(iy, p->in_h, p->kernel_h, 1) - y0;
        for (int32_t ox = 0; ox < p->out_w; ox++, to += channels) {
            const int32_t ix = ox * p->stride_w - p->pad_w, x0 = eq_first_tap(ix, 1);
            const int32_t columns = eq_end_tap(ix, p->in_w, p->kernel_w, 1) - x0, seen = rows * columns;
            const int32_t divisor = p->divisor > 0 ? p->divisor : seen;
            const int32_t start = divisor * p->y_zero - seen * p->x_zero;
            const uint8_t *from = (const uint8_t *)x[0] + ((iy + y0) * p->in_w + ix + x0) * channels;
            int32_t c = 0;
            for (; c + 4 <= channels; c += 4) {
                eq_dsp_sums sums = {0, 0};
                for (int32_t ky = 0; ky < rows; ky++) {
                    eq_dsp_sum_run(&sums, from + ky * step + c, channels, columns, xs);
                }
                for (int32_t k = 0; k < 4; k++) {
                    const int32_t sum = start + eq_dsp_sum_of(&sums, k, xs);
                    to[c + k] = eq_average_pool_scaled_dsp_code(p, sum, divisor, away);
                }
            }
            for (; c < channels; c++) {
                int32_t sum = start;
                for (int32_t k = 0; k < seen; k++) {
                    const uint8_t *at = from + k / columns * step + k % columns * channels + c;
                    sum += xs ? (int8_t)*at : *at;
                }
                to[c] = eq_average_pool_scaled_dsp_code(p, sum, divisor, away);
            }
        }
    }
}

#endif
