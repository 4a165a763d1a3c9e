/* conv_mve.h: convolution of 8-bit codes with Helium: three windows gathered into scratch, two output channels at a
 * time. */
#ifndef EDGEQ_KERNEL_CONV_MVE_H
#define EDGEQ_KERNEL_CONV_MVE_H

#include "edgeq_mve_block.h"

typedef struct {
    int32_t in_h, in_w;          /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;  /* at the beginning; what is needed at the end follows from the sizes */
    int32_t pixel, run;    /* bytes of a pixel of x, and of a row of the window */
    int32_t n, bytes;      /* bytes of a window, and of a block of the stream */
    int32_t lo, hi;        /* bounds of a code, where saturation does not make them */
    const uint32_t *stream; /* weights, start values and shifts, as edgeq_mve_block.h says; out_c rounded up to two */
} eq_conv_mve_t;

/* The window from row iy and column ix on. */
EQ_INLINE void eq_conv_mve_gather(const eq_conv_mve_t *p, int32_t iy, int32_t ix, const uint8_t *x, uint8_t *to,
                                  bool xs)
{
    const int32_t pixel = p->pixel, row = p->in_w * pixel, run = p->run, end = iy + p->kernel_h;
    const int32_t left = ix < 0 ? eq_min(-ix * pixel, run) : 0;
    const int32_t right = eq_min(run, (p->in_w - ix) * pixel);
    const int32_t inside = right > left ? right - left : 0;
    const uint8_t *from = x + iy * row + ix * pixel + left;
    for (; iy < end; iy++, from += row) {
        if (iy < 0 || iy >= p->in_h) {
            to = eq_mve_zeros(to, run, xs);
        } else if (inside == run) {
            to = eq_mve_copy(to, from, run, xs);
        } else {
            to = eq_mve_zeros(to, left, xs);
            to = eq_mve_copy(to, from, inside, xs);
            to = eq_mve_zeros(to, run - left - inside, xs);
        }
    }
}

/* xs: whether codes of x are signed; sat, clamp: see edgeq_dsp.h. scratch: three windows. Two of the last three pixels
 * may be computed twice, or three times. */
EQ_KERNEL void eq_conv_mve(const eq_conv_mve_t *p, const void *const x[], void *y, void *scratch, bool xs, int32_t sat,
                           bool clamp)
{
    const int32_t pixels = p->out_h * p->out_w, out_c = p->out_c, n = p->n, twos = out_c / 2;
    uint8_t *to = y, *windows = scratch;
    const uint8_t *odd = (const uint8_t *)p->stream + twos * p->bytes;
    int32_t iy = -p->pad_h, ix = -p->pad_w, left = p->out_w;
    for (int32_t i = 0; i < pixels; i += 3, to += 3 * out_c) {
        const int32_t count = eq_min(3, pixels - i);
        for (int32_t k = 0; k < count; k++) {
            eq_conv_mve_gather(p, iy, ix, x[0], windows + k * n, xs);
            ix += p->stride_w;
            if (--left == 0) {
                iy += p->stride_h;
                ix = -p->pad_w;
                left = p->out_w;
            }
        }
        /* Windows that are not there are those before them, with the same outputs. */
        const int32_t second = eq_min(1, count - 1), third = eq_min(2, count - 1);
        eq_mve_block_t job = {windows, windows + second * n, windows + third * n, to, n, p->bytes, (const uint8_t *)p->stream, odd,
                              second * out_c, third * out_c};
        if (twos > 0) {
            eq_mve_block(&job, sat);
        }
        if (out_c % 2 != 0) {
            uint8_t last[6];
            job.w = odd;
            job.w_end = odd + p->bytes;
            job.y = last;
            job.step1 = 2;
            job.step2 = 4;
            eq_mve_block(&job, sat);
            for (int32_t k = 0; k < count; k++) {
                to[k * out_c + out_c - 1] = last[2 * k];
            }
        }
    }
    if (clamp) {
        eq_dsp_clamp(y, pixels * out_c, p->lo, p->hi, sat);
    }
}

#endif
