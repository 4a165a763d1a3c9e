/* conv_khot.h: convolutions and linear layers of weights with few digits, for cores without a multiplier: of each
 * binary place the elements are added whose weight has a digit there, and the sum is doubled from place to place. */
#ifndef EDGEQ_KERNEL_CONV_KHOT_H
#define EDGEQ_KERNEL_CONV_KHOT_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t in_h, in_w, in_c;    /* x */
    int32_t out_h, out_w, out_c; /* y */
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t dilation_h, dilation_w;
    int32_t origin;       /* element of x under the first tap of the first window, negative in the padding */
    int32_t tap, row;     /* elements of x from a tap to the next one, and from a row of taps */
    int32_t right, down;  /* elements of x from a window to its neighbour, and to the row of windows below */
    int32_t places;       /* binary places of the weights */
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const void *digits;   /* see eq_khot_row; one channel of y after the other; groups are the elements they name */
    const void *bias;     /* (out_c) on the grid of the products, rounding constant folded in */
    const int8_t *shifts; /* (out_c), or null where all are `shift` */
} eq_conv_khot_t;

/* Adds to a sum the elements of x that a list names (how many, and their numbers), or subtracts them. Returns what
 * lies behind the list. */
EQ_INLINE const eq_u8 *eq_khot_list(uint32_t *sum, const void *x, eq_type xt, const eq_u8 *list, eq_type dt, bool minus)
{
    const int32_t size = eq_bytes(dt);
    const uint32_t count = eq_code(list, 0, dt);
    const eq_u8 *at = list + size, *end = at + count * (uint32_t)size;
    uint32_t s = *sum;
    for (; at != end; at += size) {
        const uint32_t v = (uint32_t)eq_load(x, (int32_t)eq_code(at, 0, dt), xt);
        s = minus ? s - v : s + v;
    }
    *sum = s;
    return end;
}

/* A window times the weights of one channel: for each place, the highest first, a list of the digits 1 and one of the
 * digits -1. Sums wrap, and come out right because the last one fits. */
EQ_INLINE uint32_t eq_khot_row(const void *x, eq_type xt, const eq_u8 **list, eq_type dt, int32_t places)
{
    const eq_u8 *at = *list;
    uint32_t sum = 0;
    for (; places > 0; places--) {
        sum += sum;
        at = eq_khot_list(&sum, x, xt, at, dt, false);
        at = eq_khot_list(&sum, x, xt, at, dt, true);
    }
    *list = at;
    return sum;
}

/* The elements of x under a window, and zeros beyond its borders, one after the other. */
EQ_INLINE void eq_conv_khot_gather(const eq_conv_khot_t *p, const void *x, int32_t iy, int32_t ix, int32_t from,
                                   void *to, eq_type xt)
{
    const int32_t kernel_w = p->kernel_w, in_c = p->in_c, in_w = p->in_w, dilation = p->dilation_w, tap = p->tap;
    int32_t at = 0;
    for (int32_t ky = p->kernel_h; ky > 0; ky--, iy += p->dilation_h, from += p->row) {
        const bool row = iy >= 0 && iy < p->in_h;
        int32_t column = ix, xi = from;
        for (int32_t kx = kernel_w; kx > 0; kx--, column += dilation, xi += tap) {
            if (row && column >= 0 && column < in_w) {
                for (int32_t c = 0; c < in_c; c++) {
                    eq_store_code(to, at++, eq_code(x, xi + c, xt), xt);
                }
            } else {
                for (int32_t c = 0; c < in_c; c++) {
                    eq_store_code(to, at++, 0u, xt);
                }
            }
        }
    }
}

/* xt has integers; dt: of the lists; direct: windows of one tap without padding, which need no gathering. */
EQ_KERNEL void eq_conv_khot(const eq_conv_khot_t *p, const void *const x[], void *y, void *scratch, eq_type xt,
                            eq_type dt, eq_type yt, int32_t rule, bool direct)
{
    const int64_t lo = p->lo, hi = p->hi;
    const int8_t *shifts = p->shifts;
    int32_t yi = 0, line = p->origin, iy = -p->pad_h;
    for (int32_t oy = p->out_h; oy > 0; oy--, iy += p->stride_h, line += p->down) {
        int32_t from = line, ix = -p->pad_w;
        for (int32_t ox = p->out_w; ox > 0; ox--, ix += p->stride_w, from += p->right, yi += p->out_c) {
            const eq_u8 *list = p->digits;
            const void *window = scratch;
            if (direct) {
                window = (const eq_u8 *)x[0] + from * eq_bytes(xt);
            } else {
                eq_conv_khot_gather(p, x[0], iy, ix, from, scratch, xt);
            }
            for (int32_t o = 0; o < p->out_c; o++) {
                eq_acc a = eq_acc_start(p->bias, o, false);
                a.narrow = (int32_t)((uint32_t)a.narrow + eq_khot_row(window, xt, &list, dt, p->places));
                eq_put(y, yi + o, a, eq_channel_shift(shifts, p->shift, o), lo, hi, yt, rule, false);
            }
        }
    }
}

#endif
