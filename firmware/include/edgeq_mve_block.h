/* edgeq_mve_block.h: the inner loops of convolutions and linear layers with Helium.
 *
 * Weights lie in flash as a stream of blocks of some output channels:
 *     one word each  start values (of four channels, or of two)
 *     one word       their shifts, one byte each
 *     n bytes each   the weights of the channels, then padding up to a multiple of four bytes
 * where n is the number of elements of a window. Sixteen products are summed by one VMLADAVA, and the loop predicates
 * what is left of n by itself. Sums wrap modulo 2^32 on the way and are right at the end.
 */
#ifndef EDGEQ_MVE_BLOCK_H
#define EDGEQ_MVE_BLOCK_H

#include "edgeq_mve.h"

/* Two channels by three pixels. Changed as it runs: y moves on by 2 with each block, w by `bytes`. The assembler below
 * knows the places of the fields. */
typedef struct {
    const uint8_t *x0, *x1, *x2; /* windows of three pixels, n bytes each */
    uint8_t *y;
    int32_t n, bytes; /* elements of a window; bytes of a block */
    const uint8_t *w, *w_end;
    int32_t step1, step2; /* of the second and third pixel's outputs from the first's */
} eq_mve_block_t;

/* Four channels of one vector. Changed as it runs: y moves on by 4 with each block. */
typedef struct {
    const uint8_t *x;
    int32_t n, bytes;
    const uint8_t *w, *w_end;
    uint8_t *y;
} eq_mve_row_t;

#if EQ_MVE_ASM
/* The registers: r0, r2, r4 sums of the first channel, r6, r8, r10 of the second (the instruction takes even ones),
 * r1, r3, r5 pixels, r7, r9 weights, r11 the job, r12 shifts, lr the loop. Twelve instructions for 96 MACs. */
#define EQ_MVE_BLOCK_(name, OP, BITS)                                                                                  \
    EQ_SHARED void name(eq_mve_block_t *from)                                                                          \
    {                                                                                                                  \
        register eq_mve_block_t *job __asm__("r0") = from;                                                             \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r11, r0\n\t"                                                                                          \
            "1:\n"                                                                                                     \
            "ldr r7, [r11, #24]\n\t"                                                                                   \
            "ldrd lr, r10, [r11, #16]\n\t"                                                                             \
            "ldrd r1, r3, [r11]\n\t"                                                                                   \
            "ldr r5, [r11, #8]\n\t"                                                                                    \
            "add r10, r10, r7\n\t"                                                                                     \
            "str r10, [r11, #24]\n\t"                                                                                  \
            "ldrd r0, r6, [r7], #8\n\t"                                                                                \
            "ldr r12, [r7], #4\n\t"                                                                                    \
            "add r9, r7, lr\n\t"                                                                                       \
            "mov r2, r0\n\t"                                                                                           \
            "mov r4, r0\n\t"                                                                                           \
            "mov r8, r6\n\t"                                                                                           \
            "mov r10, r6\n\t"                                                                                          \
            "dlstp.8 lr, lr\n\t"                                                                                       \
            "2:\n"                                                                                                     \
            "vldrb.u8 q0, [r7], #16\n\t"                                                                               \
            "vldrb.u8 q1, [r1], #16\n\t"                                                                               \
            "vmladava.s8 r0, q0, q1\n\t"                                                                               \
            "vldrb.u8 q2, [r9], #16\n\t"                                                                               \
            "vmladava.s8 r6, q2, q1\n\t"                                                                               \
            "vldrb.u8 q3, [r3], #16\n\t"                                                                               \
            "vmladava.s8 r2, q0, q3\n\t"                                                                               \
            "vmladava.s8 r8, q2, q3\n\t"                                                                               \
            "vldrb.u8 q1, [r5], #16\n\t"                                                                               \
            "vmladava.s8 r4, q0, q1\n\t"                                                                               \
            "vmladava.s8 r10, q2, q1\n\t"                                                                              \
            "letp lr, 2b\n\t"                                                                                          \
            "asr r0, r0, r12\n\t"                                                                                      \
            "asr r2, r2, r12\n\t"                                                                                      \
            "asr r4, r4, r12\n\t"                                                                                      \
            "lsr r12, r12, #8\n\t"                                                                                     \
            "asr r6, r6, r12\n\t"                                                                                      \
            "asr r8, r8, r12\n\t"                                                                                      \
            "asr r10, r10, r12\n\t"                                                                                    \
            EQ_DSP_SAT_(OP, BITS, "r0")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r2")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r4")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r6")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r8")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r10")                                                                               \
            "ldr r5, [r11, #12]\n\t"                                                                                   \
            "ldrd r7, r9, [r11, #32]\n\t"                                                                              \
            "strb r0, [r5]\n\t"                                                                                        \
            "strb r2, [r5, r7]\n\t"                                                                                    \
            "strb r4, [r5, r9]\n\t"                                                                                    \
            "add r5, r5, #1\n\t"                                                                                       \
            "strb r6, [r5]\n\t"                                                                                        \
            "strb r8, [r5, r7]\n\t"                                                                                    \
            "strb r10, [r5, r9]\n\t"                                                                                   \
            "add r5, r5, #1\n\t"                                                                                       \
            "str r5, [r11, #12]\n\t"                                                                                   \
            "ldrd r1, r3, [r11, #24]\n\t"                                                                              \
            "cmp r1, r3\n\t"                                                                                           \
            "bne.w 1b\n\t"                                                                                             \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "cc", "memory");                             \
    }

EQ_MVE_BLOCK_(eq_mve_block_s8, "ssat", "#8")
EQ_MVE_BLOCK_(eq_mve_block_u8, "usat", "#8")
EQ_MVE_BLOCK_(eq_mve_block_u7, "usat", "#7")

/* The registers: r0, r2, r4, r6 sums, r3 x, r1, r5, r7, r9 weights, r11 the job, r12 shifts, lr the loop. */
#define EQ_MVE_ROW_(name, FLIP, OP, BITS)                                                                              \
    EQ_SHARED void name(eq_mve_row_t *from)                                                                            \
    {                                                                                                                  \
        register eq_mve_row_t *job __asm__("r0") = from;                                                               \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r11, r0\n\t"                                                                                          \
            "vmov.i8 q3, #0x80\n\t"                                                                                    \
            "1:\n"                                                                                                     \
            "ldr r1, [r11, #12]\n\t"                                                                                   \
            "ldrd lr, r10, [r11, #4]\n\t"                                                                              \
            "ldr r3, [r11]\n\t"                                                                                        \
            "add r10, r10, r1\n\t"                                                                                     \
            "str r10, [r11, #12]\n\t"                                                                                  \
            "ldrd r0, r2, [r1], #8\n\t"                                                                                \
            "ldrd r4, r6, [r1], #8\n\t"                                                                                \
            "ldr r12, [r1], #4\n\t"                                                                                    \
            "add r5, r1, lr\n\t"                                                                                       \
            "add r7, r5, lr\n\t"                                                                                       \
            "add r9, r7, lr\n\t"                                                                                       \
            "dlstp.8 lr, lr\n\t"                                                                                       \
            "2:\n"                                                                                                     \
            "vldrb.u8 q0, [r3], #16\n\t"                                                                               \
            FLIP                                                                                                       \
            "vldrb.u8 q1, [r1], #16\n\t"                                                                               \
            "vmladava.s8 r0, q0, q1\n\t"                                                                               \
            "vldrb.u8 q2, [r5], #16\n\t"                                                                               \
            "vmladava.s8 r2, q0, q2\n\t"                                                                               \
            "vldrb.u8 q1, [r7], #16\n\t"                                                                               \
            "vmladava.s8 r4, q0, q1\n\t"                                                                               \
            "vldrb.u8 q2, [r9], #16\n\t"                                                                               \
            "vmladava.s8 r6, q0, q2\n\t"                                                                               \
            "letp lr, 2b\n\t"                                                                                          \
            "asr r0, r0, r12\n\t"                                                                                      \
            "lsr r12, r12, #8\n\t"                                                                                     \
            "asr r2, r2, r12\n\t"                                                                                      \
            "lsr r12, r12, #8\n\t"                                                                                     \
            "asr r4, r4, r12\n\t"                                                                                      \
            "lsr r12, r12, #8\n\t"                                                                                     \
            "asr r6, r6, r12\n\t"                                                                                      \
            EQ_DSP_SAT_(OP, BITS, "r0")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r2")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r4")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r6")                                                                                \
            "ldr r5, [r11, #20]\n\t"                                                                                   \
            "strb r0, [r5], #1\n\t"                                                                                    \
            "strb r2, [r5], #1\n\t"                                                                                    \
            "strb r4, [r5], #1\n\t"                                                                                    \
            "strb r6, [r5], #1\n\t"                                                                                    \
            "str r5, [r11, #20]\n\t"                                                                                   \
            "ldrd r1, r3, [r11, #12]\n\t"                                                                              \
            "cmp r1, r3\n\t"                                                                                           \
            "bne.w 1b\n\t"                                                                                             \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "cc", "memory");                             \
    }

EQ_MVE_ROW_(eq_mve_row_s_s8, "", "ssat", "#8")
EQ_MVE_ROW_(eq_mve_row_s_u8, "", "usat", "#8")
EQ_MVE_ROW_(eq_mve_row_s_u7, "", "usat", "#7")
EQ_MVE_ROW_(eq_mve_row_u_s8, "veor q0, q0, q3\n\t", "ssat", "#8")
EQ_MVE_ROW_(eq_mve_row_u_u8, "veor q0, q0, q3\n\t", "usat", "#8")
EQ_MVE_ROW_(eq_mve_row_u_u7, "veor q0, q0, q3\n\t", "usat", "#7")

#define EQ_MVE_CALL_(name)         \
    if (sat == EQ_SAT_S8) {        \
        name##_s8(job);            \
    } else if (sat == EQ_SAT_U8) { \
        name##_u8(job);            \
    } else {                       \
        name##_u7(job);            \
    }

/* The blocks of one job, with `sat` and `xs` known when compiling. */
EQ_INLINE void eq_mve_block(eq_mve_block_t *job, int32_t sat)
{
    EQ_MVE_CALL_(eq_mve_block)
}

EQ_INLINE void eq_mve_row(eq_mve_row_t *job, bool xs, int32_t sat)
{
    if (xs) {
        EQ_MVE_CALL_(eq_mve_row_s)
    } else {
        EQ_MVE_CALL_(eq_mve_row_u)
    }
}
#else
/* Output i of a block of `channels` for the window x: what the assembler does. */
EQ_INLINE uint8_t eq_mve_output(const uint8_t *w, int32_t channels, int32_t i, const uint8_t *x, int32_t n,
                                uint8_t flip, int32_t sat)
{
    const int32_t start = (int32_t)eq_word(w + 4 * i);
    const uint32_t shifts = eq_word(w + 4 * channels);
    const int32_t sum = eq_mve_dot(start, x, w + 4 * channels + 4 + i * n, n, flip);
    return (uint8_t)eq_saturate(eq_dsp_asr(sum, shifts >> (8 * i) & 0xFFu), sat);
}

EQ_INLINE void eq_mve_block(eq_mve_block_t *job, int32_t sat)
{
    for (; job->w != job->w_end; job->w += job->bytes, job->y += 2) {
        for (int32_t i = 0; i < 2; i++) {
            job->y[i] = eq_mve_output(job->w, 2, i, job->x0, job->n, 0, sat);
            job->y[i + job->step1] = eq_mve_output(job->w, 2, i, job->x1, job->n, 0, sat);
            job->y[i + job->step2] = eq_mve_output(job->w, 2, i, job->x2, job->n, 0, sat);
        }
    }
}

EQ_INLINE void eq_mve_row(eq_mve_row_t *job, bool xs, int32_t sat)
{
    for (; job->w != job->w_end; job->w += job->bytes, job->y += 4) {
        for (int32_t i = 0; i < 4; i++) {
            job->y[i] = eq_mve_output(job->w, 4, i, job->x, job->n, eq_mve_zero(xs), sat);
        }
    }
}
#endif

#endif
