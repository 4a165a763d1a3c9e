/* edgeq_mve_elements.h: element-wise operators on bytes with Helium. */
#ifndef EDGEQ_MVE_ELEMENTS_H
#define EDGEQ_MVE_ELEMENTS_H

#include "edgeq_mve_stage.h"

/* Both operands and the output have one length and one sign. Changed as it runs; `count` is a multiple of 8. */
typedef struct {
    const uint8_t *a, *b;
    uint8_t *y;
    int32_t count;
} eq_mve_elements_t;

/* How a product of two codes becomes a code. The assembler knows the places of the fields. */
typedef struct {
    int32_t a_zero, b_zero;
    int32_t multiplier, shift; /* the shift without the 31 of the first step, negated */
    int32_t zero, unused;
    int16_t lo[8], hi[8];
} eq_mve_product_t;

#if EQ_MVE_ASM
/* y = (factor_a * a + factor_b * b + start) >> (16 + BITS), saturated: the low byte of each half of q0's words.
 * Fourteen instructions for eight elements. The shifts that narrow are those that round (GNU as 2.40 encodes the
 * others, VQSHRN, as these), so `start` is less by what both add. */
#define EQ_MVE_LINE_(LOAD, SHIFT, BITS)                                                                                \
    __asm__ volatile("vdup.32 q4, %4\n\t"                                                                              \
                     "wls lr, %3, 2f\n"                                                                                \
                     "1:\n\t"                                                                                          \
                     LOAD " q0, [%0], #4\n\t"                                                                          \
                     LOAD " q1, [%0], #4\n\t"                                                                          \
                     LOAD " q2, [%1], #4\n\t"                                                                          \
                     LOAD " q3, [%1], #4\n\t"                                                                          \
                     "vmlas.s32 q0, q4, %6\n\t"                                                                        \
                     "vmlas.s32 q1, q4, %6\n\t"                                                                        \
                     "vmla.s32 q0, q2, %5\n\t"                                                                         \
                     "vmla.s32 q1, q3, %5\n\t"                                                                         \
                     "vqrshrnb.s32 q0, q0, #16\n\t"                                                                    \
                     "vqrshrnt.s32 q0, q1, #16\n\t"                                                                    \
                     SHIFT " q0, q0, " BITS "\n\t"                                                                     \
                     "vstrb.32 q0, [%2], #4\n\t"                                                                       \
                     "vshr.u32 q0, q0, #16\n\t"                                                                        \
                     "vstrb.32 q0, [%2], #4\n\t"                                                                       \
                     "le lr, 1b\n"                                                                                     \
                     "2:\n"                                                                                            \
                     : "+&l"(a), "+&l"(b), "+&l"(y)                                                                    \
                     : "r"(job->count / 8), "r"(factor_a), "r"(factor_b), "r"(start)                                   \
                     : "lr", "q0", "q1", "q2", "q3", "q4", "cc", "memory")
#define EQ_MVE_LINES_(bits, BITS)                           \
    if (shift == 16 + (bits) && is_signed) {                \
        EQ_MVE_LINE_("vldrb.s32", "vqrshrnb.s16", BITS);    \
    } else if (shift == 16 + (bits)) {                      \
        EQ_MVE_LINE_("vldrb.u32", "vqrshrunb.s16", BITS);   \
    }

EQ_INLINE void eq_mve_line(const eq_mve_elements_t *job, int32_t factor_a, int32_t factor_b, int32_t start,
                           int32_t shift, bool is_signed)
{
    const uint8_t *a = job->a, *b = job->b;
    uint8_t *y = job->y;
    start -= (1 << 15) + (1 << (shift - 1));
    EQ_MVE_LINES_(7, "#7")
    EQ_MVE_LINES_(6, "#6")
    EQ_MVE_LINES_(5, "#5")
    EQ_MVE_LINES_(4, "#4")
}

/* y = (a - a_zero) * (b - b_zero) with the stage that follows. */
#define EQ_MVE_PRODUCT_(LOAD, MULH, DOWN)                                                                              \
    __asm__ volatile("vldrh.u16 q4, [%6, #24]\n\t"                                                                     \
                     "vldrh.u16 q5, [%6, #40]\n\t"                                                                     \
                     "wls lr, %5, 2f\n"                                                                                \
                     "1:\n\t"                                                                                          \
                     "ldrd %3, %4, [%6]\n\t"                                                                           \
                     LOAD " q0, [%0], #4\n\t"                                                                          \
                     LOAD " q2, [%1], #4\n\t"                                                                          \
                     LOAD " q1, [%0], #4\n\t"                                                                          \
                     LOAD " q3, [%1], #4\n\t"                                                                          \
                     "vsub.i32 q0, q0, %3\n\t"                                                                         \
                     "vsub.i32 q2, q2, %4\n\t"                                                                         \
                     "vsub.i32 q1, q1, %3\n\t"                                                                         \
                     "vsub.i32 q3, q3, %4\n\t"                                                                         \
                     "vmul.i32 q0, q0, q2\n\t"                                                                         \
                     "vmul.i32 q1, q1, q3\n\t"                                                                         \
                     "ldrd %3, %4, [%6, #8]\n\t"                                                                       \
                     MULH " q0, q0, %3\n\t"                                                                            \
                     MULH " q1, q1, %3\n\t"                                                                            \
                     DOWN                                                                                              \
                     "vrshl.s32 q0, %4\n\t"                                                                            \
                     "vrshl.s32 q1, %4\n\t"                                                                            \
                     "ldr %3, [%6, #16]\n\t"                                                                           \
                     "vqmovnb.s32 q0, q0\n\t"                                                                          \
                     "vqmovnt.s32 q0, q1\n\t"                                                                          \
                     "vqadd.s16 q0, q0, %3\n\t"                                                                        \
                     "vmax.s16 q0, q0, q4\n\t"                                                                         \
                     "vmin.s16 q0, q0, q5\n\t"                                                                         \
                     "vstrb.32 q0, [%2], #4\n\t"                                                                       \
                     "vshr.u32 q0, q0, #16\n\t"                                                                        \
                     "vstrb.32 q0, [%2], #4\n\t"                                                                       \
                     "le lr, 1b\n"                                                                                     \
                     "2:\n"                                                                                            \
                     : "+&l"(a), "+&l"(b), "+&l"(y), "=&r"(first), "=&r"(second)                                       \
                     : "r"(job->count / 8), "r"(p)                                                                     \
                     : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "cc", "memory")

#define EQ_MVE_PRODUCTS_(MULH, DOWN)                    \
    if (is_signed) {                                    \
        EQ_MVE_PRODUCT_("vldrb.s32", MULH, DOWN);       \
    } else {                                            \
        EQ_MVE_PRODUCT_("vldrb.u32", MULH, DOWN);       \
    }

EQ_INLINE void eq_mve_product(const eq_mve_elements_t *job, const eq_mve_product_t *p, int32_t rule, bool is_signed)
{
    const uint8_t *a = job->a, *b = job->b;
    uint8_t *y = job->y;
    int32_t first, second;
    if (rule == EQ_MVE_AWAY) {
        EQ_MVE_PRODUCTS_(EQ_MVE_TWICE_, EQ_MVE_DOWN_)
    } else if (rule == EQ_MVE_UP) {
        EQ_MVE_PRODUCTS_(EQ_MVE_TWICE_, "")
    } else {
        EQ_MVE_PRODUCTS_(EQ_MVE_TRUNCATE_, "")
    }
}

/* y = entry of each byte of x, n of them. */
EQ_INLINE void eq_mve_look_up(const uint8_t *table, const uint8_t *x, uint8_t *y, int32_t n)
{
    __asm__ volatile("wlstp.8 lr, %2, 2f\n"
                     "1:\n\t"
                     "vldrb.u8 q0, [%1], #16\n\t"
                     "vldrb.u8 q1, [%3, q0]\n\t"
                     "vstrb.8 q1, [%0], #16\n\t"
                     "letp lr, 1b\n"
                     "2:\n"
                     : "+&r"(y), "+&r"(x)
                     : "r"(n), "r"(table)
                     : "lr", "q0", "q1", "cc", "memory");
}

/* n bytes clamped to lo..hi. */
EQ_INLINE void eq_mve_clamp(uint8_t *y, int32_t n, int32_t lo, int32_t hi, bool is_signed)
{
    if (is_signed) {
        __asm__ volatile("vdup.8 q1, %2\n\t"
                         "vdup.8 q2, %3\n\t"
                         "wlstp.8 lr, %1, 2f\n"
                         "1:\n\t"
                         "vldrb.u8 q0, [%0]\n\t"
                         "vmax.s8 q0, q0, q1\n\t"
                         "vmin.s8 q0, q0, q2\n\t"
                         "vstrb.8 q0, [%0], #16\n\t"
                         "letp lr, 1b\n"
                         "2:\n"
                         : "+&r"(y)
                         : "r"(n), "r"(lo), "r"(hi)
                         : "lr", "q0", "q1", "q2", "cc", "memory");
    } else {
        __asm__ volatile("vdup.8 q1, %2\n\t"
                         "vdup.8 q2, %3\n\t"
                         "wlstp.8 lr, %1, 2f\n"
                         "1:\n\t"
                         "vldrb.u8 q0, [%0]\n\t"
                         "vmax.u8 q0, q0, q1\n\t"
                         "vmin.u8 q0, q0, q2\n\t"
                         "vstrb.8 q0, [%0], #16\n\t"
                         "letp lr, 1b\n"
                         "2:\n"
                         : "+&r"(y)
                         : "r"(n), "r"(lo), "r"(hi)
                         : "lr", "q0", "q1", "q2", "cc", "memory");
    }
}

/* Eight neighbouring channels summed over n elements, `step` bytes apart, onto sums of 16 bits. */
EQ_INLINE void eq_mve_sum8(int16_t sums[8], const uint8_t *x, int32_t step, int32_t n, bool is_signed)
{
    if (is_signed) {
        __asm__ volatile("vldrh.u16 q0, [%3]\n\t"
                         "wls lr, %1, 2f\n"
                         "1:\n\t"
                         "vldrb.s16 q1, [%0]\n\t"
                         "add %0, %0, %2\n\t"
                         "vadd.i16 q0, q0, q1\n\t"
                         "le lr, 1b\n"
                         "2:\n\t"
                         "vstrh.16 q0, [%3]\n\t"
                         : "+&l"(x)
                         : "r"(n), "r"(step), "r"(sums)
                         : "lr", "q0", "q1", "cc", "memory");
    } else {
        __asm__ volatile("vldrh.u16 q0, [%3]\n\t"
                         "wls lr, %1, 2f\n"
                         "1:\n\t"
                         "vldrb.u16 q1, [%0]\n\t"
                         "add %0, %0, %2\n\t"
                         "vadd.i16 q0, q0, q1\n\t"
                         "le lr, 1b\n"
                         "2:\n\t"
                         "vstrh.16 q0, [%3]\n\t"
                         : "+&l"(x)
                         : "r"(n), "r"(step), "r"(sums)
                         : "lr", "q0", "q1", "cc", "memory");
    }
}
/* The greatest of `rows` by `columns` elements, `row` and `column` bytes apart, of up to 16 neighbouring channels. */
#define EQ_MVE_MOST_(TYPE)                                                                                             \
    __asm__ volatile("vctp.8 %6\n\t"                                                                                   \
                     "vpst\n\t"                                                                                        \
                     "vldrbt.u8 q0, [%0]\n"                                                                            \
                     "1:\n\t"                                                                                          \
                     "mov %2, %0\n\t"                                                                                  \
                     "dls lr, %3\n"                                                                                    \
                     "2:\n\t"                                                                                          \
                     "vpst\n\t"                                                                                        \
                     "vldrbt.u8 q1, [%2]\n\t"                                                                          \
                     "vmax." TYPE " q0, q0, q1\n\t"                                                                    \
                     "add %2, %2, %4\n\t"                                                                              \
                     "le lr, 2b\n\t"                                                                                   \
                     "add %0, %0, %5\n\t"                                                                              \
                     "subs %1, %1, #1\n\t"                                                                             \
                     "bne 1b\n\t"                                                                                      \
                     "vpst\n\t"                                                                                        \
                     "vstrbt.8 q0, [%7]\n\t"                                                                           \
                     : "+&r"(x), "+&r"(rows), "=&r"(at)                                                                \
                     : "r"(columns), "r"(column), "r"(row), "r"(lanes), "r"(y)                                         \
                     : "lr", "q0", "q1", "cc", "memory")

EQ_INLINE void eq_mve_most(uint8_t *y, const uint8_t *x, int32_t rows, int32_t columns, int32_t row, int32_t column,
                           int32_t lanes, bool is_signed)
{
    const uint8_t *at;
    if (is_signed) {
        EQ_MVE_MOST_("s8");
    } else {
        EQ_MVE_MOST_("u8");
    }
}
#else
EQ_INLINE void eq_mve_most(uint8_t *y, const uint8_t *x, int32_t rows, int32_t columns, int32_t row, int32_t column,
                           int32_t lanes, bool is_signed)
{
    const uint8_t top = is_signed ? 0x80u : 0u;
    for (int32_t k = 0; k < lanes; k++) {
        uint8_t most = x[k];
        for (int32_t i = 0; i < rows; i++) {
            for (int32_t j = 0; j < columns; j++) {
                const uint8_t v = x[i * row + j * column + k];
                most = (v ^ top) > (most ^ top) ? v : most;
            }
        }
        y[k] = most;
    }
}

EQ_INLINE void eq_mve_look_up(const uint8_t *table, const uint8_t *x, uint8_t *y, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = table[x[i]];
    }
}

EQ_INLINE void eq_mve_clamp(uint8_t *y, int32_t n, int32_t lo, int32_t hi, bool is_signed)
{
    for (int32_t i = 0; i < n; i++) {
        y[i] = (uint8_t)eq_clamp32(is_signed ? (int8_t)y[i] : y[i], lo, hi);
    }
}

EQ_INLINE void eq_mve_sum8(int16_t sums[8], const uint8_t *x, int32_t step, int32_t n, bool is_signed)
{
    for (int32_t i = 0; i < n; i++, x += step) {
        for (int32_t k = 0; k < 8; k++) {
            sums[k] = (int16_t)(uint16_t)((uint32_t)sums[k] + (uint32_t)(is_signed ? (int8_t)x[k] : x[k]));
        }
    }
}
#endif

/* What one element of a line is. */
EQ_INLINE uint8_t eq_mve_line_code(uint8_t a, uint8_t b, int32_t factor_a, int32_t factor_b, int32_t start,
                                   int32_t shift, bool is_signed)
{
    const uint32_t x = (uint32_t)(is_signed ? (int8_t)a : a), z = (uint32_t)(is_signed ? (int8_t)b : b);
    const int32_t v = (int32_t)((uint32_t)factor_a * x + (uint32_t)factor_b * z + (uint32_t)start);
    return (uint8_t)eq_clamp32(eq_asr32(v, shift), is_signed ? -128 : 0, is_signed ? 127 : 255);
}

/* What one element of a product is. */
EQ_INLINE uint8_t eq_mve_product_code(uint8_t a, uint8_t b, const eq_mve_product_t *p, int32_t rule, bool is_signed)
{
    const int32_t x = (is_signed ? (int8_t)a : a) - p->a_zero, z = (is_signed ? (int8_t)b : b) - p->b_zero;
    return eq_mve_code(eq_mve_scale(x * z, p->multiplier, p->shift, rule), p->zero, p->lo[0], p->hi[0]);
}

#if !EQ_MVE_ASM
EQ_INLINE void eq_mve_product(const eq_mve_elements_t *job, const eq_mve_product_t *p, int32_t rule, bool is_signed)
{
    for (int32_t i = 0; i < job->count; i++) {
        job->y[i] = eq_mve_product_code(job->a[i], job->b[i], p, rule, is_signed);
    }
}

EQ_INLINE void eq_mve_line(const eq_mve_elements_t *job, int32_t factor_a, int32_t factor_b, int32_t start,
                           int32_t shift, bool is_signed)
{
    for (int32_t i = 0; i < job->count; i++) {
        job->y[i] = eq_mve_line_code(job->a[i], job->b[i], factor_a, factor_b, start, shift, is_signed);
    }
}
#endif

#endif
