/* edgeq_scalar.h: sums of products of bytes on cores that make one product at a time, and their output stage.
 *
 * Weights lie in flash in the order in which they are read: for each block of output channels, for each element of the
 * window, one byte a channel. There are three forms, for what a core and a layer have:
 *   eight  ARMv6-M: eight channels of one pixel. Its loads of bytes with an offset do not extend signs, so both factors
 *          are made unsigned by 128: sum (w + 128)(x + 128) = sum w (x + 128) + 128 sum (x + 128), and the last sum is
 *          made once for each pixel.
 *   pairs  ARMv6-M: four channels of two pixels, unsigned as well, two products in one multiplication.
 *   four   the others: four channels of several pixels, both factors as they are.
 * All sums are modulo 2^32, and right at the end, as range analysis has proved. A window is padded to a multiple of four
 * elements whose weights add nothing whatever x holds there.
 */
#ifndef EDGEQ_SCALAR_H
#define EDGEQ_SCALAR_H

#include "edgeq_kernel.h"

#if defined(__thumb__) && !defined(__thumb2__) && defined(__GNUC__)
#define EQ_SCALAR_THUMB1 1
#else
#define EQ_SCALAR_THUMB1 0
#endif

#if defined(__GNUC__)
#define EQ_SCALAR_SHARED static __attribute__((noinline, unused))
#else
#define EQ_SCALAR_SHARED static
#endif

enum { EQ_SCALAR_EIGHT, EQ_SCALAR_PAIRS, EQ_SCALAR_FOUR };
/* What becomes of sums: shifted, multiplied and shifted, or looked up. */
enum { EQ_SCALAR_SHIFT, EQ_SCALAR_MULTIPLY, EQ_SCALAR_EXACT };

/* The output stage: v * multiplier / 2^31 rounded half up, then / 2^shift half away from zero, as TensorFlow Lite does;
 * or v / 2^shift rounded down, the rounding constant being in v already; or the code of twice that, less one where the
 * shift loses nothing, from -256 to 255 (not on ARMv6-M). */
typedef struct {
    const uint32_t *multiplier; /* below 2^31; null: none */
    const uint8_t *shift;       /* less by one where there are multipliers */
    int32_t each;               /* 1: an entry of both for each channel, 0: one for all */
    int32_t zero;               /* code of y that stands for zero */
    int32_t lo, hi;
    const uint8_t *map; /* codes of sums that are looked up, else null */
} eq_scalar_stage_t;

/* v * m / 2^31, rounded half up; |v| < 2^29, m < 2^31 */
EQ_INLINE int32_t eq_scalar_multiply(int32_t v, uint32_t m)
{
#if EQ_SCALAR_THUMB1
    /* Without a long product: v = vh 2^15 + vl, m = mh 2^16 + ml. */
    const int32_t vh = eq_asr32(v, 15), mh = (int32_t)(m >> 16), ml = (int32_t)(m & 0xFFFFu);
    const int32_t vl = (int32_t)((uint32_t)v << 17 >> 17);
    const int32_t low = vh * ml + (int32_t)((uint32_t)(vl * ml) >> 15) + (1 << 15);
    return vh * mh + eq_asr32(vl * mh + eq_asr32(low, 1), 15);
#else
    /* Twice the product, whose upper word is the quotient and whose lower word begins with the bit that rounds it. */
    const int64_t twice = (int64_t)v * (int64_t)(m << 1);
    return (int32_t)(uint32_t)((uint64_t)twice >> 32) + (int32_t)((uint32_t)twice >> 31);
#endif
}

EQ_INLINE int32_t eq_scalar_code(int32_t v, uint32_t m, int32_t s, int32_t zero, int32_t lo, int32_t hi, bool scaled)
{
    if (scaled) {
        v = eq_scalar_multiply(v, m);
        v += eq_asr32(v, 31);
        v = eq_asr32(eq_asr32(v, s) + 1, 1);
    } else {
        v = eq_asr32(v, s);
    }
    return eq_clamp32(v + zero, lo, hi);
}

/* `count` outputs, one or more, from as many sums: neighbouring channels (each with its multiplier and shift), or one
 * channel of pixels that lie `step` bytes apart. */
typedef struct {
    const uint32_t *sum, *end;
    const uint32_t *multiplier;
    const uint8_t *shift;
    uint8_t *y;
    int32_t step; /* pixels */
    int32_t zero, lo, hi;
    const uint8_t *map;
} eq_scalar_put_t;

#if EQ_SCALAR_THUMB1
/* r2 = r2 * (r3 2^16 + r4) / 2^31 rounded half up, as eq_scalar_multiply; r12 is 2^15. */
#define EQ_SCALAR_MULTIPLY_   \
    "lsls r5, r2, #17\n\t"    \
    "lsrs r5, r5, #17\n\t"    \
    "asrs r2, r2, #15\n\t"    \
    "mov r6, r5\n\t"          \
    "muls r6, r4, r6\n\t"     \
    "lsrs r6, r6, #15\n\t"    \
    "muls r4, r2, r4\n\t"     \
    "adds r4, r4, r6\n\t"     \
    "add r4, r12\n\t"         \
    "asrs r4, r4, #1\n\t"     \
    "muls r5, r3, r5\n\t"     \
    "adds r4, r4, r5\n\t"     \
    "asrs r4, r4, #15\n\t"    \
    "muls r2, r3, r2\n\t"     \
    "adds r2, r2, r4\n\t"
/* r2 less by one where it is negative, then / 2^r4, less by lo and plus zero, and halved half up; r8 is twice zero less
 * lo, plus one */
#define EQ_SCALAR_HALVE_      \
    "asrs r3, r2, #31\n\t"    \
    "adds r2, r2, r3\n\t"     \
    "asrs r2, r2, r4\n\t"     \
    "add r2, r8\n\t"          \
    "asrs r2, r2, #1\n\t"
#define EQ_SCALAR_CHANNEL_    \
    "ldm r1!, {r3}\n\t"       \
    "uxth r4, r3\n\t"         \
    "lsrs r3, r3, #16\n\t"    \
    EQ_SCALAR_MULTIPLY_       \
    "mov r4, r11\n\t"         \
    "ldrb r4, [r4, r7]\n\t"   \
    EQ_SCALAR_HALVE_
#define EQ_SCALAR_PIXEL_      \
    "uxth r4, r1\n\t"         \
    "lsrs r3, r1, #16\n\t"    \
    EQ_SCALAR_MULTIPLY_       \
    "mov r4, r11\n\t"         \
    EQ_SCALAR_HALVE_
#define EQ_SCALAR_CHANNEL_SHIFT_ \
    "mov r4, r11\n\t"            \
    "ldrb r4, [r4, r7]\n\t"      \
    "asrs r2, r2, r4\n\t"        \
    "add r2, r8\n\t"
#define EQ_SCALAR_PIXEL_SHIFT_ \
    "asrs r2, r2, r1\n\t"      \
    "add r2, r8\n\t"

/* r0 sums, r1 multipliers (or the one of all), r7 y, r8 what is added, r9 hi less lo, r10 lo, r11 shifts (less y, or
 * the one of all), lr the end of the sums, r12 2^15; NEXT moves y on. */
#define EQ_SCALAR_PUT_(name, PREPARE, VALUE, NEXT)                                                                     \
    EQ_SCALAR_SHARED void name(const eq_scalar_put_t *from, uint32_t added, uint32_t other)                            \
    {                                                                                                                  \
        register const eq_scalar_put_t *job __asm__("r0") = from;                                                      \
        register uint32_t more __asm__("r1") = added;                                                                  \
        register uint32_t shift __asm__("r2") = other;                                                                 \
        __asm__ volatile(                                                                                              \
            ".syntax unified\n\t"                                                                                      \
            "push {r4-r7}\n\t"                                                                                         \
            "mov r4, r8\n\t"                                                                                           \
            "mov r5, r9\n\t"                                                                                           \
            "mov r6, r10\n\t"                                                                                          \
            "mov r7, r11\n\t"                                                                                          \
            "mov r3, lr\n\t"                                                                                           \
            "push {r3-r7}\n\t"                                                                                         \
            "mov r8, r1\n\t"                                                                                           \
            "ldr r3, [r0, #4]\n\t"                                                                                     \
            "mov lr, r3\n\t"                                                                                           \
            "ldr r1, [r0, #8]\n\t"                                                                                     \
            "ldr r7, [r0, #16]\n\t"                                                                                    \
            PREPARE                                                                                                    \
            "mov r11, r2\n\t"                                                                                          \
            "ldr r2, [r0, #28]\n\t"                                                                                    \
            "mov r10, r2\n\t"                                                                                          \
            "ldr r3, [r0, #32]\n\t"                                                                                    \
            "subs r3, r3, r2\n\t"                                                                                      \
            "mov r9, r3\n\t"                                                                                           \
            "ldr r3, [r0, #20]\n\t"                                                                                    \
            "push {r3}\n\t"                                                                                            \
            "ldr r0, [r0]\n\t"                                                                                         \
            "movs r3, #1\n\t"                                                                                          \
            "lsls r3, r3, #15\n\t"                                                                                     \
            "mov r12, r3\n\t"                                                                                          \
            "1:\n\t"                                                                                                   \
            "ldm r0!, {r2}\n\t"                                                                                        \
            VALUE                                                                                                      \
            "cmp r2, r9\n\t"                                                                                           \
            "bhi 3f\n\t"                                                                                               \
            "2:\n\t"                                                                                                   \
            "add r2, r10\n\t"                                                                                          \
            "strb r2, [r7]\n\t"                                                                                        \
            NEXT                                                                                                       \
            "cmp r0, lr\n\t"                                                                                           \
            "bne 1b\n\t"                                                                                               \
            "b 4f\n\t"                                                                                                 \
            "3:\n\t"                                                                                                   \
            "mvns r2, r2\n\t"                                                                                          \
            "asrs r2, r2, #31\n\t"                                                                                     \
            "mov r3, r9\n\t"                                                                                           \
            "ands r2, r2, r3\n\t"                                                                                      \
            "b 2b\n\t"                                                                                                 \
            "4:\n\t"                                                                                                   \
            "pop {r2-r7}\n\t"                                                                                          \
            "mov lr, r3\n\t"                                                                                           \
            "mov r8, r4\n\t"                                                                                           \
            "mov r9, r5\n\t"                                                                                           \
            "mov r10, r6\n\t"                                                                                          \
            "mov r11, r7\n\t"                                                                                          \
            "pop {r4-r7}\n\t"                                                                                          \
            : "+&r"(job), "+&r"(more), "+&r"(shift)::"r3", "r12", "cc", "memory");                                     \
    }

/* Of channels, `other` is where the shifts lie; of pixels it is the shift. */
EQ_SCALAR_PUT_(eq_scalar_put_channels_scaled, "subs r2, r2, r7\n\t", EQ_SCALAR_CHANNEL_, "adds r7, r7, #1\n\t")
EQ_SCALAR_PUT_(eq_scalar_put_channels_shifted, "subs r2, r2, r7\n\t", EQ_SCALAR_CHANNEL_SHIFT_, "adds r7, r7, #1\n\t")
EQ_SCALAR_PUT_(eq_scalar_put_pixels_scaled, "", EQ_SCALAR_PIXEL_, "ldr r3, [sp]\n\tadds r7, r7, r3\n\t")
EQ_SCALAR_PUT_(eq_scalar_put_pixels_shifted, "mov r1, r2\n\t", EQ_SCALAR_PIXEL_SHIFT_,
               "ldr r3, [sp]\n\tadds r7, r7, r3\n\t")

/* Channels, each with a multiplier and a shift. */
EQ_INLINE void eq_scalar_put_channels(const eq_scalar_put_t *job, int32_t stage)
{
    const uint32_t shift = (uint32_t)(uintptr_t)job->shift, more = (uint32_t)(job->zero - job->lo);
    if (stage == EQ_SCALAR_MULTIPLY) {
        eq_scalar_put_channels_scaled(job, 2 * more + 1, shift);
    } else {
        eq_scalar_put_channels_shifted(job, more, shift);
    }
}

/* Pixels of one channel; multiplier and shift are those of all. */
EQ_INLINE void eq_scalar_put_pixels(const eq_scalar_put_t *job, uint32_t multiplier, int32_t shift, bool scaled)
{
    const uint32_t more = (uint32_t)(job->zero - job->lo);
    eq_scalar_put_t one = *job;
    one.multiplier = (const uint32_t *)(uintptr_t)multiplier;
    if (scaled) {
        eq_scalar_put_pixels_scaled(&one, 2 * more + 1, (uint32_t)shift);
    } else {
        eq_scalar_put_pixels_shifted(&one, more, (uint32_t)shift);
    }
}
#else
/* The code of a sum that is looked up. */
EQ_INLINE uint8_t eq_scalar_looked_up(const uint8_t *map, int32_t v, int32_t s)
{
    return map[eq_clamp32(eq_asr32(v, s) + eq_asr32(v - 1, s), -256, 255) + 256];
}

/* Channels, each with a multiplier and a shift. */
EQ_INLINE void eq_scalar_put_channels(const eq_scalar_put_t *job, int32_t stage)
{
    const bool scaled = stage == EQ_SCALAR_MULTIPLY;
    const int32_t zero = job->zero, lo = job->lo, hi = job->hi;
    const uint32_t *multiplier = job->multiplier, *end = job->end;
    const uint8_t *shift = job->shift;
    uint8_t *y = job->y;
    for (const uint32_t *sum = job->sum; sum != end; sum++) {
        if (stage == EQ_SCALAR_EXACT) {
            *y++ = eq_scalar_looked_up(job->map, (int32_t)*sum, *shift++);
            continue;
        }
        const uint32_t m = scaled ? *multiplier++ : 0;
        *y++ = (uint8_t)eq_scalar_code((int32_t)*sum, m, *shift++, zero, lo, hi, scaled);
    }
}

/* Pixels of one channel; multiplier and shift are those of all. */
EQ_INLINE void eq_scalar_put_pixels(const eq_scalar_put_t *job, uint32_t multiplier, int32_t shift, bool scaled)
{
    const int32_t zero = job->zero, lo = job->lo, hi = job->hi, step = job->step;
    const uint32_t *end = job->end;
    uint8_t *y = job->y;
    for (const uint32_t *sum = job->sum; sum != end; sum++, y += step) {
        *y = (uint8_t)eq_scalar_code((int32_t)*sum, multiplier, shift, zero, lo, hi, scaled);
    }
}
#endif

#endif
