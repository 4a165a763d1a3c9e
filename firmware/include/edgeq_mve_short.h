/* edgeq_mve_short.h: blocks of four channels for pairs of pixels whose windows have up to 48 elements, with Helium.
 *
 * The first 32 elements of both windows stay in registers for all channels. The stream is that of edgeq_mve_scaled.h,
 * of one to three groups.
 */
#ifndef EDGEQ_MVE_SHORT_H
#define EDGEQ_MVE_SHORT_H

#include "edgeq_mve_scaled.h"

/* How codes are made of numbers: clamped to lo and hi, or where those are the ends of a byte, saturated. */
enum { EQ_MVE_CLAMP, EQ_MVE_S8, EQ_MVE_U8 };

/* Changed as it runs. The assembler knows the places of the fields. */
typedef struct {
    const uint8_t *x0, *x1; /* windows of the first two pixels */
    uint8_t *y0, *y1;       /* y1 is written after y0 */
    const uint8_t *w, *w_end;
    int32_t zero, pairs;
    int32_t x_step, y_step; /* from one pair's windows, and ends of outputs, to the next pair's */
    int16_t lo[8], hi[8];
} eq_mve_short_t;

#if EQ_MVE_ASM
/* Sixteen elements of four channels: 12 instructions for 128 MACs. */
#define EQ_MVE_SHORT_GROUP_(OP, a, b)  \
    "vldrb.u8 q0, [r5], #16\n\t"       \
    "vldrb.u8 q1, [r5], #16\n\t"       \
    OP " r0, q0, " a "\n\t"            \
    OP " r8, q0, " b "\n\t"            \
    "vldrb.u8 q2, [r5], #16\n\t"       \
    OP " r2, q1, " a "\n\t"            \
    OP " r10, q1, " b "\n\t"           \
    "vldrb.u8 q3, [r5], #16\n\t"       \
    OP " r4, q2, " a "\n\t"            \
    OP " r12, q2, " b "\n\t"           \
    OP " r6, q3, " a "\n\t"            \
    OP " lr, q3, " b "\n\t"
#define EQ_MVE_SHORT_ONE_ EQ_MVE_SHORT_GROUP_("vmladav.s8", "q4", "q5")
#define EQ_MVE_SHORT_TWO_ EQ_MVE_SHORT_ONE_ EQ_MVE_SHORT_GROUP_("vmladava.s8", "q6", "q7")
#define EQ_MVE_SHORT_THREE_            \
    EQ_MVE_SHORT_TWO_                  \
    "vldrb.u8 q2, [r9, #32]\n\t"       \
    "vldrb.u8 q3, [r11, #32]\n\t"      \
    "vldrb.u8 q0, [r5], #16\n\t"       \
    "vldrb.u8 q1, [r5], #16\n\t"       \
    "vmladava.s8 r0, q0, q2\n\t"       \
    "vmladava.s8 r8, q0, q3\n\t"       \
    "vldrb.u8 q0, [r5], #16\n\t"       \
    "vmladava.s8 r2, q1, q2\n\t"       \
    "vmladava.s8 r10, q1, q3\n\t"      \
    "vldrb.u8 q1, [r5], #16\n\t"       \
    "vmladava.s8 r4, q0, q2\n\t"       \
    "vmladava.s8 r12, q0, q3\n\t"      \
    "vmladava.s8 r6, q1, q2\n\t"       \
    "vmladava.s8 lr, q1, q3\n\t"

/* The second group of both windows; r9 and r11 are their addresses where there is a third. */
#define EQ_MVE_SHORT_LOAD_         \
    "vldrb.u8 q6, [r0, #16]\n\t"   \
    "vldrb.u8 q7, [r2, #16]\n\t"
#define EQ_MVE_SHORT_KEEP_         \
    EQ_MVE_SHORT_LOAD_             \
    "mov r9, r0\n\t"               \
    "mov r11, r2\n\t"

/* What is added to a number, and the end of the weights: in r9 and r11, or loaded to r0 and r2. */
#define EQ_MVE_SHORT_ADD_ "vqadd.s16 q0, q0, r9\n\t"
#define EQ_MVE_SHORT_END_ "cmp r5, r11\n\t"
#define EQ_MVE_SHORT_LOAD_ADD_         \
    "ldr r0, [r1, #24]\n\t"            \
    "vqadd.s16 q0, q0, r0\n\t"
#define EQ_MVE_SHORT_LOAD_END_         \
    "ldr r2, [r1, #20]\n\t"            \
    "cmp r5, r2\n\t"
#define EQ_MVE_SHORT_CLAMP_        \
    "vldrh.u16 q2, [r1, #40]\n\t"  \
    "vldrh.u16 q3, [r1, #56]\n\t"  \
    "vmax.s16 q0, q0, q2\n\t"      \
    "vmin.s16 q0, q0, q3\n\t"
#define EQ_MVE_SHORT_S8_ "vqmovnb.s16 q0, q0\n\t"
#define EQ_MVE_SHORT_U8_ "vqmovunb.s16 q0, q0\n\t"

/* The registers: r0, r2, r4, r6 sums of the first pixel, r8, r10, r12, lr of the second, r1 the job, r5 weights,
 * r7, r3 outputs, q4 to q7 windows, r9 zero and r11 the end of the weights where there is no third group. */
#define EQ_MVE_SHORT_(name, LOAD, SUMS, ADD, END, MULH, DOWN, CODES)                                                   \
    EQ_SHARED void name(eq_mve_short_t *from)                                                                          \
    {                                                                                                                  \
        register eq_mve_short_t *job __asm__("r0") = from;                                                             \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "mov r1, r0\n\t"                                                                                           \
            "ldrd r7, r3, [r1, #8]\n\t"                                                                                \
            "ldrd r11, r9, [r1, #20]\n\t"                                                                              \
            "1:\n"                                                                                                     \
            "ldrd r0, r2, [r1]\n\t"                                                                                    \
            "ldr r4, [r1, #32]\n\t"                                                                                    \
            "ldr r5, [r1, #16]\n\t"                                                                                    \
            "vldrb.u8 q4, [r0]\n\t"                                                                                    \
            "vldrb.u8 q5, [r2]\n\t"                                                                                    \
            LOAD                                                                                                       \
            "add r0, r0, r4\n\t"                                                                                       \
            "add r2, r2, r4\n\t"                                                                                       \
            "strd r0, r2, [r1]\n\t"                                                                                    \
            "2:\n"                                                                                                     \
            SUMS                                                                                                       \
            EQ_MVE_NUMBERS_(MULH, DOWN)                                                                                \
            "vqmovnb.s32 q0, q0\n\t"                                                                                   \
            "vqmovnt.s32 q0, q1\n\t"                                                                                   \
            ADD                                                                                                        \
            CODES                                                                                                      \
            "vstrb.32 q0, [r7], #4\n\t"                                                                                \
            "vshr.u32 q0, q0, #16\n\t"                                                                                 \
            "vstrb.32 q0, [r3], #4\n\t"                                                                                \
            END                                                                                                        \
            "bne.w 2b\n\t"                                                                                             \
            "ldr r0, [r1, #36]\n\t"                                                                                    \
            "ldr r2, [r1, #28]\n\t"                                                                                    \
            "add r7, r7, r0\n\t"                                                                                       \
            "add r3, r3, r0\n\t"                                                                                       \
            "subs r2, r2, #1\n\t"                                                                                      \
            "str r2, [r1, #28]\n\t"                                                                                    \
            "bne.w 1b\n\t"                                                                                             \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");    \
    }

#define EQ_MVE_SHORT_RULES_(name, LOAD, SUMS, ADD, END, CODES)                                 \
    EQ_MVE_SHORT_(name##_away, LOAD, SUMS, ADD, END, EQ_MVE_TWICE_, EQ_MVE_DOWN_, CODES)       \
    EQ_MVE_SHORT_(name##_up, LOAD, SUMS, ADD, END, EQ_MVE_TWICE_, "", CODES)                   \
    EQ_MVE_SHORT_(name##_once, LOAD, SUMS, ADD, END, EQ_MVE_TRUNCATE_, "", CODES)
#define EQ_MVE_SHORT_CODES_(name, LOAD, SUMS, ADD, END)                                        \
    EQ_MVE_SHORT_RULES_(name##_clamp, LOAD, SUMS, ADD, END, EQ_MVE_SHORT_CLAMP_)               \
    EQ_MVE_SHORT_RULES_(name##_s8, LOAD, SUMS, ADD, END, EQ_MVE_SHORT_S8_)                     \
    EQ_MVE_SHORT_RULES_(name##_u8, LOAD, SUMS, ADD, END, EQ_MVE_SHORT_U8_)

EQ_MVE_SHORT_CODES_(eq_mve_short_one, "", EQ_MVE_SHORT_ONE_, EQ_MVE_SHORT_ADD_, EQ_MVE_SHORT_END_)
EQ_MVE_SHORT_CODES_(eq_mve_short_two, EQ_MVE_SHORT_LOAD_, EQ_MVE_SHORT_TWO_, EQ_MVE_SHORT_ADD_, EQ_MVE_SHORT_END_)
EQ_MVE_SHORT_CODES_(eq_mve_short_three, EQ_MVE_SHORT_KEEP_, EQ_MVE_SHORT_THREE_, EQ_MVE_SHORT_LOAD_ADD_,
                    EQ_MVE_SHORT_LOAD_END_)

#define EQ_MVE_SHORT_CALL_(name)                   \
    if (codes == EQ_MVE_S8) {                      \
        EQ_MVE_RULE_(name##_s8, rule, job)         \
    } else if (codes == EQ_MVE_U8) {               \
        EQ_MVE_RULE_(name##_u8, rule, job)         \
    } else {                                       \
        EQ_MVE_RULE_(name##_clamp, rule, job)      \
    }

/* The blocks of one job of one to three groups, with what follows it known when compiling. */
EQ_INLINE void eq_mve_short(eq_mve_short_t *job, int32_t rule, int32_t groups, int32_t codes)
{
    if (groups == 1) {
        EQ_MVE_SHORT_CALL_(eq_mve_short_one)
    } else if (groups == 2) {
        EQ_MVE_SHORT_CALL_(eq_mve_short_two)
    } else {
        EQ_MVE_SHORT_CALL_(eq_mve_short_three)
    }
}
#else
EQ_INLINE void eq_mve_short(eq_mve_short_t *job, int32_t rule, int32_t groups, int32_t codes)
{
    const int32_t lo = codes == EQ_MVE_CLAMP ? job->lo[0] : codes == EQ_MVE_S8 ? -128 : 0;
    const int32_t hi = codes == EQ_MVE_CLAMP ? job->hi[0] : codes == EQ_MVE_S8 ? 127 : 255;
    for (; job->pairs > 0; job->pairs--) {
        for (const uint8_t *w = job->w; w != job->w_end; w += 64 * groups + 36) {
            for (int32_t k = 0; k < 4; k++) {
                *job->y0++ = eq_mve_four(job->x0, 1, w, k, groups, rule, job->zero, lo, hi, NULL);
            }
            for (int32_t k = 0; k < 4; k++) {
                *job->y1++ = eq_mve_four(job->x1, 1, w, k, groups, rule, job->zero, lo, hi, NULL);
            }
        }
        job->x0 += job->x_step;
        job->x1 += job->x_step;
        job->y0 += job->y_step;
        job->y1 += job->y_step;
    }
}
#endif

#endif
