/* conv_scaled_dsp.h: convolution of 8-bit codes with DSP and multipliers, as conv_dsp.h; y may roll over x. */
#ifndef EDGEQ_KERNEL_CONV_SCALED_DSP_H
#define EDGEQ_KERNEL_CONV_SCALED_DSP_H

#include "conv_dsp.h"

typedef struct {
    eq_conv_dsp_t conv; /* bounds are codes; constants follow the weights in the stream: edgeq_dsp_scale.h */
    int32_t x_zero;     /* code of x that stands for zero */
} eq_conv_scaled_dsp_t;

/* xs: whether codes of x are signed; dual: see edgeq_dsp_block.h; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi
 * are needed; stage: see edgeq_dsp_scale.h. scratch: as eq_conv_dsp. */
EQ_KERNEL void eq_conv_scaled_dsp(const eq_conv_scaled_dsp_t *p, const void *const x[], void *y, void *scratch, bool xs,
                                  bool dual, int32_t sat, bool clamp, int32_t stage)
{
    const eq_conv_dsp_t *c = &p->conv;
    eq_conv_dsp_all(c, x[0], y, scratch, 0x01010101u * ((uint32_t)p->x_zero & 0xFFu), xs, dual, sat, stage);
    if (clamp) {
        eq_dsp_clamp_codes(y, c->out_h * c->out_w * c->out_c, c->lo, c->hi, sat == EQ_SAT_S8);
    }
}

#endif
