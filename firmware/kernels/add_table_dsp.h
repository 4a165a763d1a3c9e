/* add_table_dsp.h: sums of 8-bit codes of two scales by a table for each, rounded as TensorFlow Lite does. */
#ifndef EDGEQ_KERNEL_ADD_TABLE_DSP_H
#define EDGEQ_KERNEL_ADD_TABLE_DSP_H

#include "edgeq_dsp_pairs.h"

typedef struct {
    eq_dsp_pairs_t pairs;
    uint32_t constants[4];             /* M of the sum, 0, its c, 0: edgeq_dsp_scale.h */
    int32_t shift;                     /* e */
    const int32_t *a_table, *b_table;  /* what each byte stands for in the scale of the sum */
} eq_add_table_dsp_t;

/* sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi are needed. y may lie over a, and over b where it does not
 * repeat. */
EQ_KERNEL void eq_add_table_dsp(const eq_add_table_dsp_t *p, const void *const x[], void *y, int32_t sat, bool clamp)
{
    const uint8_t *a = eq_dsp_pairs_a(&p->pairs, x), *row = eq_dsp_pairs_b(&p->pairs, x);
    const int32_t *at = p->a_table, *bt = p->b_table;
    const int32_t shift = p->shift, n = p->pairs.n;
    const uint32_t constants[4] = {p->constants[0], 0, p->constants[2], 0};
    uint8_t *to = y;
    for (int32_t i = 0; i < p->pairs.rows; i++, row += p->pairs.b_step) {
        const uint8_t *b = row;
        for (const uint8_t *const end = a + n; a != end; a++, b++, to++) {
            const int32_t v = eq_dsp_scaled(at[*a] + bt[*b], constants, 0, false, EQ_STAGE_ANY);
            *to = (uint8_t)eq_saturate(eq_asr32(v, shift), sat);
        }
    }
    if (clamp) {
        eq_dsp_clamp_codes(y, p->pairs.rows * n, p->pairs.lo, p->pairs.hi, sat == EQ_SAT_S8);
    }
}

#endif
