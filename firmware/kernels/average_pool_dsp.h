/* average_pool_dsp.h: exact mean of each window of 8-bit codes, four channels at a time with DSP. */
#ifndef EDGEQ_KERNEL_AVERAGE_POOL_DSP_H
#define EDGEQ_KERNEL_AVERAGE_POOL_DSP_H

#include "edgeq_dsp.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t kernel_h, kernel_w; /* up to 256 elements */
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w; /* at the beginning */
    int32_t shift;        /* without division: of the sum to y; with it: of the sum to the left */
    int32_t divisor;      /* of the whole window, alignment included; 0: `unit` for each element that is seen */
    int32_t unit;
    int32_t start;        /* rounding constant, where it is folded */
    int32_t lo, hi;       /* bounds of a code, where saturation does not make them */
} eq_average_pool_dsp_t;

/* What one output pixel needs of the parameters. */
typedef struct {
    int32_t rows, columns; /* elements of the window that are seen */
    int32_t divisor, shift, start;
} eq_average_pool_dsp_window;

EQ_INLINE uint8_t eq_average_pool_dsp_code(eq_average_pool_dsp_window v, int32_t sum, bool divide, int32_t rule,
                                           int32_t sat)
{
    return eq_dsp_mean_code(v.start + sum, v.shift, v.divisor, divide, rule, sat);
}

/* Four channels of a window whose rows lie `row` bytes apart and columns `column`; one channel. */
EQ_INLINE void eq_average_pool_dsp_four(eq_average_pool_dsp_window v, const uint8_t *x, int32_t row, int32_t column,
                                        uint8_t *y, bool xs, bool divide, int32_t rule, int32_t sat)
{
    eq_dsp_sums sums = {0, 0};
    for (int32_t ky = v.rows; ky > 0; ky--, x += row - v.columns * column) {
        for (int32_t kx = v.columns; kx > 0; kx--, x += column) {
            eq_dsp_sum_word(&sums, eq_word(x), xs);
        }
    }
    y[0] = eq_average_pool_dsp_code(v, eq_dsp_sum_of(&sums, 0, xs), divide, rule, sat);
    y[1] = eq_average_pool_dsp_code(v, eq_dsp_sum_of(&sums, 1, xs), divide, rule, sat);
    y[2] = eq_average_pool_dsp_code(v, eq_dsp_sum_of(&sums, 2, xs), divide, rule, sat);
    y[3] = eq_average_pool_dsp_code(v, eq_dsp_sum_of(&sums, 3, xs), divide, rule, sat);
}

EQ_INLINE void eq_average_pool_dsp_one(eq_average_pool_dsp_window v, const uint8_t *x, int32_t row, int32_t column,
                                       uint8_t *y, bool xs, bool divide, int32_t rule, int32_t sat)
{
    int32_t sum = 0;
    for (int32_t ky = 0; ky < v.rows; ky++) {
        for (int32_t kx = 0; kx < v.columns; kx++) {
            sum += eq_load(x, ky * row + kx * column, xs ? EQ_S(8) : EQ_U(8));
        }
    }
    *y = eq_average_pool_dsp_code(v, sum, divide, rule, sat);
}

/* xs: whether codes of x are signed; divide: false where every divisor is one power of two, then part of `shift`;
 * sat, clamp: see edgeq_dsp.h. */
EQ_KERNEL void eq_average_pool_dsp(const eq_average_pool_dsp_t *p, const void *const x[], void *y, bool xs, bool divide,
                                   int32_t rule, int32_t sat, bool clamp)
{
    const uint8_t *from = x[0];
    const int32_t channels = p->channels, row = p->in_w * channels;
    eq_average_pool_dsp_window v = {0, 0, p->divisor, p->shift, p->start};
    uint8_t *to = y;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t iy = oy * p->stride_h - p->pad_h, ky = eq_first_tap(iy, 1);
        v.rows = eq_end_tap(iy, p->in_h, p->kernel_h, 1) - ky;
        for (int32_t ox = 0; ox < p->out_w; ox++, to += channels) {
            const int32_t ix = ox * p->stride_w - p->pad_w, kx = eq_first_tap(ix, 1);
            v.columns = eq_end_tap(ix, p->in_w, p->kernel_w, 1) - kx;
            v.divisor = p->divisor != 0 ? p->divisor : p->unit * (v.rows * v.columns);
            const uint8_t *at = from + (iy + ky) * row + (ix + kx) * channels;
            int32_t c = 0;
            for (; c + 4 <= channels; c += 4) {
                eq_average_pool_dsp_four(v, at + c, row, channels, to + c, xs, divide, rule, sat);
            }
            for (; c < channels; c++) {
                eq_average_pool_dsp_one(v, at + c, row, channels, to + c, xs, divide, rule, sat);
            }
        }
    }
    if (clamp) {
        eq_dsp_clamp(y, p->out_h * p->out_w * channels, p->lo, p->hi, sat);
    }
}

#endif
