/* mul_scaled_dsp.h: products of 8-bit codes of two scales with DSP. */
#ifndef EDGEQ_KERNEL_MUL_SCALED_DSP_H
#define EDGEQ_KERNEL_MUL_SCALED_DSP_H

#include "edgeq_dsp_pairs.h"

typedef struct {
    eq_dsp_pairs_t pairs;
    int32_t a_zero, b_zero; /* codes that stand for zero */
    uint32_t constants[4];  /* M, 0, c, 0: edgeq_dsp_scale.h */
    int32_t shift;          /* e */
} eq_mul_scaled_dsp_t;

/* Bytes 0 and 2 (`odd`: 1 and 3) less zero. */
EQ_INLINE uint32_t eq_mul_scaled_dsp_lanes(uint32_t zero, uint32_t v, bool odd, bool is_signed)
{
    if (odd) {
        return is_signed ? eq_sxtab16_8(zero, v) : eq_uxtab16_8(zero, v);
    }
    return is_signed ? eq_sxtab16(zero, v) : eq_uxtab16(zero, v);
}

/* as, bs: whether codes of a and b are signed; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi are needed; stage:
 * see edgeq_dsp_scale.h. y may lie over a, and over b where it does not repeat. */
EQ_KERNEL void eq_mul_scaled_dsp(const eq_mul_scaled_dsp_t *p, const void *const x[], void *y, bool as, bool bs,
                                 int32_t sat, bool clamp, int32_t stage)
{
    const uint8_t *a = eq_dsp_pairs_a(&p->pairs, x), *row = eq_dsp_pairs_b(&p->pairs, x);
    const uint32_t az = eq_lanes(-p->a_zero, -p->a_zero), bz = eq_lanes(-p->b_zero, -p->b_zero);
    const uint32_t constants[4] = {p->constants[0], 0, p->constants[2], 0};
    const int32_t shift = p->shift, n = p->pairs.n;
    uint8_t *to = y;
    for (int32_t i = 0; i < p->pairs.rows; i++, row += p->pairs.b_step) {
        const uint8_t *b = row, *const end = a + n / 4 * 4, *const last = a + n;
        for (; a != end; a += 4, b += 4, to += 4) {
            const uint32_t v = eq_word(a), w = eq_word(b);
            for (int32_t k = 0; k < 2; k++) {
                const uint32_t s = eq_mul_scaled_dsp_lanes(az, v, k == 1, as);
                const uint32_t t = eq_mul_scaled_dsp_lanes(bz, w, k == 1, bs);
                const int32_t low = eq_low_lane(s) * eq_low_lane(t), high = eq_high_lane(s) * eq_high_lane(t);
                to[k] = (uint8_t)eq_saturate(eq_asr32(eq_dsp_scaled(low, constants, 0, false, stage), shift), sat);
                to[k + 2] = (uint8_t)eq_saturate(eq_asr32(eq_dsp_scaled(high, constants, 0, false, stage), shift), sat);
            }
        }
        for (; a != last; a++, b++, to++) {
            const int32_t v = as ? (int8_t)*a : *a, w = bs ? (int8_t)*b : *b;
            const int32_t product = (v - p->a_zero) * (w - p->b_zero);
            *to = (uint8_t)eq_saturate(eq_asr32(eq_dsp_scaled(product, constants, 0, false, stage), shift), sat);
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, p->pairs.rows * n, p->pairs.lo, p->pairs.hi, sat == EQ_SAT_S8);
    }
}

#endif
