/* conv_depthwise_scalar.h: convolution of 8-bit codes where each output channel sees the input channel of its own
 * number, on cores that make one product at a time: one channel at a time, whose rows are copied side by side. */
#ifndef EDGEQ_KERNEL_CONV_DEPTHWISE_SCALAR_H
#define EDGEQ_KERNEL_CONV_DEPTHWISE_SCALAR_H

#include "edgeq_scalar.h"

typedef struct {
    int32_t in_h, in_w, out_h, out_w, channels;
    int32_t stride_h, stride_w;
    int32_t pad_h, pad_w;  /* at the beginning; what is needed at the end follows from the sizes */
    int32_t strip;         /* rows of y that are made at a time */
    int32_t width;         /* of the copy: as many columns as the windows of a row see */
    int32_t flip, fill;    /* exclusive or with each byte of x; the byte beyond its borders, flipped */
    const int8_t *weight;  /* (channels, taps) */
    const int32_t *start;  /* of the sums, for each channel: bias and all that constants add */
    eq_scalar_stage_t stage;
} eq_conv_depthwise_scalar_t;

/* Keeps compilers from calling memset for a byte or two. */
#if defined(__GNUC__)
#define EQ_SHORT_LOOP_ __asm__ volatile("")
#else
#define EQ_SHORT_LOOP_ (void)0
#endif

/* The rows of channel c from iy on as a plane of `width` columns. */
EQ_INLINE void eq_conv_depthwise_scalar_plane(const eq_conv_depthwise_scalar_t *p, const uint8_t *x, int32_t iy,
                                              int32_t rows, uint8_t *to)
{
    const int32_t channels = p->channels, before = eq_min(p->pad_w, p->width);
    const int32_t inside = eq_min(p->in_w, p->width - before);
    const uint32_t flip = (uint32_t)p->flip;
    const uint8_t fill = (uint8_t)p->fill;
    const uint8_t *from = x + iy * p->in_w * channels;
    for (int32_t r = 0; r < rows; r++, from += p->in_w * channels) {
        const uint8_t *end = to + p->width;
        if (iy + r >= 0 && iy + r < p->in_h) {
            const uint8_t *last = to + before, *source = from;
            while (to != last) {
                EQ_SHORT_LOOP_;
                *to++ = fill;
            }
            last += inside;
            while (to != last) {
                *to++ = (uint8_t)(*source ^ flip);
                source += channels;
            }
        }
        while (to != end) {
            EQ_SHORT_LOOP_;
            *to++ = fill;
        }
    }
}

/* Products of the weights with a window of up to 16 taps in up to four rows; taps and columns are known constants. */
#define EQ_TAP_(i)                                                              \
    if ((i) < rows * columns) {                                                 \
        sum += (uint32_t)(w[i] * ((i) / columns == 0   ? x0[(i) % columns]      \
                                  : (i) / columns == 1 ? x1[(i) % columns]      \
                                  : (i) / columns == 2 ? x2[(i) % columns]      \
                                                       : x3[(i) % columns]));   \
        EQ_TAP_KEEP_(sum);                                                      \
    }
#define EQ_TAPS_4_(i) EQ_TAP_(i) EQ_TAP_((i) + 1) EQ_TAP_((i) + 2) EQ_TAP_((i) + 3)
#define EQ_TAP_WEIGHT_(i) (i) < rows * columns ? weight[i] : 0
/* Few registers hold factors: products go into the sum one after the other. */
#if EQ_SCALAR_THUMB1
#define EQ_TAP_KEEP_(sum) __asm__("" : "+&l"(sum))
#else
#define EQ_TAP_KEEP_(sum) (void)0
#endif

/* The sums of `count` rows of outputs of one channel: few taps. */
EQ_INLINE void eq_conv_depthwise_scalar_few(const eq_conv_depthwise_scalar_t *p, const uint8_t *plane, int32_t count,
                                            const int8_t *weight, uint32_t start, eq_u32 *to, int32_t rows,
                                            int32_t columns)
{
    const int32_t w[16] = {
        EQ_TAP_WEIGHT_(0), EQ_TAP_WEIGHT_(1), EQ_TAP_WEIGHT_(2), EQ_TAP_WEIGHT_(3),
        EQ_TAP_WEIGHT_(4), EQ_TAP_WEIGHT_(5), EQ_TAP_WEIGHT_(6), EQ_TAP_WEIGHT_(7),
        EQ_TAP_WEIGHT_(8), EQ_TAP_WEIGHT_(9), EQ_TAP_WEIGHT_(10), EQ_TAP_WEIGHT_(11),
        EQ_TAP_WEIGHT_(12), EQ_TAP_WEIGHT_(13), EQ_TAP_WEIGHT_(14), EQ_TAP_WEIGHT_(15),
    };
    const int32_t stride = p->stride_w, width = p->width, next = p->stride_h * width, out_w = p->out_w;
    const eq_u32 *const last = to + count * out_w;
    do {
        const eq_u32 *const end = to + out_w;
        const uint8_t *x0 = plane, *x1 = x0 + (rows > 1 ? width : 0), *x2 = x1 + (rows > 2 ? width : 0);
        const uint8_t *x3 = x2 + (rows > 3 ? width : 0);
        do {
            uint32_t sum = start;
            EQ_TAPS_4_(0) EQ_TAPS_4_(4) EQ_TAPS_4_(8) EQ_TAPS_4_(12)
            *to++ = sum;
            x0 += stride;
            x1 += stride;
            x2 += stride;
            x3 += stride;
        } while (to != end);
        plane += next;
    } while (to != last);
}

/* The same for any number of taps. */
EQ_INLINE void eq_conv_depthwise_scalar_many(const eq_conv_depthwise_scalar_t *p, const uint8_t *plane, int32_t count,
                                             const int8_t *weight, uint32_t start, eq_u32 *to, int32_t rows,
                                             int32_t columns)
{
    for (int32_t i = 0; i < count; i++, plane += p->stride_h * p->width) {
        const uint8_t *x = plane;
        for (int32_t ox = 0; ox < p->out_w; ox++, x += p->stride_w) {
            const int8_t *w = weight;
            const uint8_t *row = x;
            uint32_t sum = start;
            for (int32_t ky = 0; ky < rows; ky++, row += p->width) {
                for (int32_t kx = 0; kx < columns; kx++) {
                    sum += (uint32_t)(*w++ * row[kx]);
                }
            }
            *to++ = sum;
        }
    }
}

/* One strip of one channel: `count` rows of y from oy on. */
EQ_INLINE void eq_conv_depthwise_scalar_strip(const eq_conv_depthwise_scalar_t *p, int32_t c, const int8_t *weight,
                                              int32_t oy, int32_t count, const uint8_t *x, uint8_t *y, void *scratch,
                                              int32_t rows, int32_t columns, bool scaled)
{
    const int32_t each = p->stage.each, out_w = p->out_w;
    eq_u32 *sums = scratch;
    uint8_t *plane = (uint8_t *)scratch + 4 * p->strip * out_w;
    eq_scalar_put_t put;
    eq_conv_depthwise_scalar_plane(p, x + c, oy * p->stride_h - p->pad_h, (count - 1) * p->stride_h + rows, plane);
    if (rows <= 4 && rows * columns <= 16) {
        eq_conv_depthwise_scalar_few(p, plane, count, weight, (uint32_t)p->start[c], sums, rows, columns);
    } else {
        eq_conv_depthwise_scalar_many(p, plane, count, weight, (uint32_t)p->start[c], sums, rows, columns);
    }
    put.sum = scratch;
    put.end = sums + count * out_w;
    put.y = y + oy * out_w * p->channels + c;
    put.step = p->channels;
    put.zero = p->stage.zero;
    put.lo = p->stage.lo;
    put.hi = p->stage.hi;
    put.map = NULL;
    eq_scalar_put_pixels(&put, scaled ? p->stage.multiplier[c * each] : 0, p->stage.shift[c * each], scaled);
}

/* rows, columns: of the window; scaled: whether there are multipliers. scratch: a sum for each output of a strip, then
 * the plane. */
EQ_KERNEL void eq_conv_depthwise_scalar(const eq_conv_depthwise_scalar_t *p, const void *const x[], void *y,
                                        void *scratch, int32_t rows, int32_t columns, bool scaled)
{
    const int8_t *weight = p->weight;
    for (int32_t c = 0; c < p->channels; c++, weight += rows * columns) {
        for (int32_t oy = 0; oy < p->out_h; oy += p->strip) {
            const int32_t count = eq_min(p->strip, p->out_h - oy);
            eq_conv_depthwise_scalar_strip(p, c, weight, oy, count, x[0], y, scratch, rows, columns, scaled);
        }
    }
}

#endif
