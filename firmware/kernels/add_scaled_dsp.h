/* add_scaled_dsp.h: sums and differences of 8-bit codes of two scales as one line through both, with DSP.
 *
 * code = (256 A a / 2^16 + 256 B b / 2^16 + C) >> shift, each product rounded down, saturated. When the parameters are
 * made, all 65536 pairs of codes are compared with the meaning of the operator; where one differs, this kernel is not
 * used.
 */
#ifndef EDGEQ_KERNEL_ADD_SCALED_DSP_H
#define EDGEQ_KERNEL_ADD_SCALED_DSP_H

#include "edgeq_dsp_pairs.h"

typedef struct {
    eq_dsp_pairs_t pairs;
    int32_t a_factor, b_factor, start; /* A, B, C; unsigned codes are read less 128 */
} eq_add_scaled_dsp_t;

/* One element each in the low (`high`: the high) lanes, multiplied by 256. */
EQ_INLINE uint8_t eq_add_scaled_dsp_code(const eq_add_scaled_dsp_t *p, uint32_t a, uint32_t b, bool high, int32_t shift,
                                         int32_t sat)
{
    const uint32_t af = (uint32_t)p->a_factor, bf = (uint32_t)p->b_factor;
    int32_t v = high ? eq_smlawt(af, a, p->start) : eq_smlawb(af, a, p->start);
    v = high ? eq_smlawt(bf, b, v) : eq_smlawb(bf, b, v);
    return (uint8_t)eq_saturate_asr(v, shift, sat);
}

/* as, bs: whether codes of a and b are signed; shift; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi are needed.
 * y may lie over a, and over b where it does not repeat. */
EQ_KERNEL void eq_add_scaled_dsp(const eq_add_scaled_dsp_t *p, const void *const x[], void *y, bool as, bool bs,
                                 int32_t shift, int32_t sat, bool clamp)
{
    const eq_add_scaled_dsp_t own = *p;
    const uint8_t *a = eq_dsp_pairs_a(&p->pairs, x), *row = eq_dsp_pairs_b(&p->pairs, x);
    const uint32_t top = 0xFF00FF00u, a_flip = as ? 0u : 0x80808080u, b_flip = bs ? 0u : 0x80808080u;
    uint8_t *to = y;
    for (int32_t i = 0; i < own.pairs.rows; i++, row += own.pairs.b_step) {
        const uint8_t *b = row, *const end = a + own.pairs.n / 4 * 4, *const last = a + own.pairs.n;
        for (; a != end; a += 4, b += 4, to += 4) {
            const uint32_t v = eq_word(a) ^ a_flip, w = eq_word(b) ^ b_flip;
            to[0] = eq_add_scaled_dsp_code(&own, v << 8 & top, w << 8 & top, false, shift, sat);
            to[1] = eq_add_scaled_dsp_code(&own, v & top, w & top, false, shift, sat);
            to[2] = eq_add_scaled_dsp_code(&own, v << 8 & top, w << 8 & top, true, shift, sat);
            to[3] = eq_add_scaled_dsp_code(&own, v & top, w & top, true, shift, sat);
        }
        for (; a != last; a++, b++, to++) {
            const uint32_t v = (*a ^ a_flip) << 8 & 0xFF00u, w = (*b ^ b_flip) << 8 & 0xFF00u;
            *to = eq_add_scaled_dsp_code(&own, v, w, false, shift, sat);
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, own.pairs.rows * own.pairs.n, own.pairs.lo, own.pairs.hi, sat == EQ_SAT_S8);
    }
}

#endif
