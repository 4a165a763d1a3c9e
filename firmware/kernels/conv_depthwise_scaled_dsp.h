/* conv_depthwise_scaled_dsp.h: depthwise convolution with DSP and multipliers, as conv_depthwise_dsp.h; y may roll over
 * x. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_DSP_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_SCALED_DSP_H

#include "conv_depthwise_dsp.h"

typedef struct {
    eq_conv_depthwise_dsp_t conv; /* bounds are codes; constants follow the weights in the stream: edgeq_dsp_scale.h */
    int32_t x_zero;               /* code of x that stands for zero */
} eq_conv_depthwise_scaled_dsp_t;

/* xs: whether codes of x are signed; sat: EQ_SAT_S8 or EQ_SAT_U8; clamp: whether lo and hi are needed; stage:
 * see edgeq_dsp_scale.h. scratch: as eq_conv_depthwise_dsp. */
EQ_KERNEL void eq_conv_depthwise_scaled_dsp(const eq_conv_depthwise_scaled_dsp_t *p, const void *const x[], void *y,
                                            void *scratch, bool xs, int32_t sat, bool clamp, int32_t stage)
{
    const eq_conv_depthwise_dsp_t *d = &p->conv;
    eq_conv_depthwise_dsp_all(d, x[0], y, scratch, 0x01010101u * ((uint32_t)p->x_zero & 0xFFu), xs, sat, stage);
    if (clamp) {
        eq_dsp_clamp_codes(y, d->out_h * d->out_w * d->channels, d->lo, d->hi, sat == EQ_SAT_S8);
    }
}

#endif
