/* edgeq_dsp_row.h: the inner loop of a matrix times one vector with DSP: four outputs at a time, bytes as they lie.
 *
 * Weights lie in flash in the order of edgeq_dsp_block.h. x is read as bytes, four to a group of two units; what is
 * left of it, fewer than four bytes, comes expanded. Where one multiplier stands for all channels, the stream has no
 * constants.
 */
#ifndef EDGEQ_DSP_ROW_H
#define EDGEQ_DSP_ROW_H

#include "edgeq_dsp_block.h"

/* Outputs go to y[0..3], y moves on by 4 with each block. */
typedef struct {
    const uint8_t *x, *x_end; /* whole groups; may be none */
    uint8_t *y;
    const uint32_t *rest, *rest_end; /* up to two units of one word */
    const uint32_t *w_end, *w;       /* one block or more */
    uint32_t m, c, shift; /* where all channels share a multiplier: M, c and e of edgeq_dsp_scale.h */
} eq_dsp_row_t;

#if EQ_DSP_ASM
/* The registers: r0 weights, r1 x, r2..r5 sums, r6..r9 weights, r10 and r11 x in lanes, r12 end of x. */
#define EQ_DSP_ROW_DUAL_GROUP_(X) \
    "ldr r11, [r1], #4\n\t"       \
    "ldm r0!, {r6-r9}\n\t"        \
    X " r10, r11\n\t"             \
    X " r11, r11, ror #8\n\t"     \
    "smlad r3, r6, r10, r3\n\t"   \
    "smlad r5, r7, r10, r5\n\t"   \
    "smlad r3, r8, r11, r3\n\t"   \
    "smlad r5, r9, r11, r5\n\t"   \
    "sxtb16 r6, r6\n\t"           \
    "sxtb16 r7, r7\n\t"           \
    "sxtb16 r8, r8\n\t"           \
    "sxtb16 r9, r9\n\t"           \
    "smlad r2, r6, r10, r2\n\t"   \
    "smlad r4, r7, r10, r4\n\t"   \
    "smlad r2, r8, r11, r2\n\t"   \
    "smlad r4, r9, r11, r4\n\t"
#define EQ_DSP_ROW_DUAL_UNIT_   \
    "ldr r10, [r1], #4\n\t"     \
    "ldm r0!, {r6, r7}\n\t"     \
    "smlad r3, r6, r10, r3\n\t" \
    "smlad r5, r7, r10, r5\n\t" \
    "sxtb16 r6, r6\n\t"         \
    "sxtb16 r7, r7\n\t"         \
    "smlad r2, r6, r10, r2\n\t" \
    "smlad r4, r7, r10, r4\n\t"
#define EQ_DSP_ROW_DUAL_SKIP_ /* r3 = 4 n; n groups are 64 n bytes of code */ \
    "lsl r3, r3, #4\n\t"
#define EQ_DSP_ROW_DUAL_DRAIN_ \
    "sub r3, r3, r2\n\t"       \
    "sub r5, r5, r4\n\t"

#define EQ_DSP_ROW_PLAIN_GROUP_(X) \
    "ldr r11, [r1], #4\n\t"        \
    "ldm r0!, {r6-r9}\n\t"         \
    X " r10, r11\n\t"              \
    X " r11, r11, ror #8\n\t"      \
    "sxtb16 lr, r6\n\t"            \
    "sxtb16 r6, r6, ror #8\n\t"    \
    "smlad r2, lr, r10, r2\n\t"    \
    "smlad r3, r6, r10, r3\n\t"    \
    "sxtb16 lr, r7\n\t"            \
    "sxtb16 r7, r7, ror #8\n\t"    \
    "smlad r4, lr, r10, r4\n\t"    \
    "smlad r5, r7, r10, r5\n\t"    \
    "sxtb16 lr, r8\n\t"            \
    "sxtb16 r8, r8, ror #8\n\t"    \
    "smlad r2, lr, r11, r2\n\t"    \
    "smlad r3, r8, r11, r3\n\t"    \
    "sxtb16 lr, r9\n\t"            \
    "sxtb16 r9, r9, ror #8\n\t"    \
    "smlad r4, lr, r11, r4\n\t"    \
    "smlad r5, r9, r11, r5\n\t"
#define EQ_DSP_ROW_PLAIN_UNIT_  \
    "ldr r10, [r1], #4\n\t"     \
    "ldm r0!, {r6, r7}\n\t"     \
    "sxtb16 lr, r6\n\t"         \
    "sxtb16 r6, r6, ror #8\n\t" \
    "smlad r2, lr, r10, r2\n\t" \
    "smlad r3, r6, r10, r3\n\t" \
    "sxtb16 lr, r7\n\t"         \
    "sxtb16 r7, r7, ror #8\n\t" \
    "smlad r4, lr, r10, r4\n\t" \
    "smlad r5, r7, r10, r5\n\t"
#define EQ_DSP_ROW_PLAIN_SKIP_ /* r3 = 4 n; n groups are 80 n bytes of code */ \
    "add r3, r3, r3, lsl #2\n\t"                                               \
    "lsl r3, r3, #2\n\t"

/* The loop over groups is unrolled four times and entered so that a multiple of four is left. */
#define EQ_DSP_ROW_(name, X, GROUP, UNIT, SKIP, BEFORE, STAGE, AFTER, OP, BITS)                                        \
    EQ_SHARED void name(const eq_dsp_row_t *from)                                                                      \
    {                                                                                                                  \
        register const eq_dsp_row_t *job __asm__("r0") = from;                                                         \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldm r0, {r1, r2, r4, r5, r6, r7, r8}\n\t"                                                                 \
            BEFORE                                                                                                     \
            "mov r0, r8\n\t"                                                                                           \
            "sub r3, r1, r2\n\t"                                                                                       \
            "and r3, r3, #15\n\t"                                                                                      \
            SKIP                                                                                                       \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r8, 2f\n\t"                                                                                         \
            "adr.w r9, 3f\n\t"                                                                                         \
            "add r3, r3, r8\n\t"                                                                                       \
            "cmp r1, r2\n\t"                                                                                           \
            "it eq\n\t"                                                                                                \
            "moveq r3, r9\n\t"                                                                                         \
            "orr r3, r3, #1\n\t"                                                                                       \
            "push {r1-r7}\n\t"                                                                                         \
            "1:\n"                                                                                                     \
            "ldm r0!, {r2-r5}\n\t"                                                                                     \
            "ldrd r1, r12, [sp]\n\t"                                                                                   \
            "ldr pc, [sp, #8]\n\t"                                                                                     \
            "2:\n"                                                                                                     \
            ".rept 4\n\t" GROUP(X) ".endr\n\t"                                                                         \
            "cmp r1, r12\n\t"                                                                                          \
            "bne.w 2b\n\t"                                                                                             \
            "3:\n"                                                                                                     \
            "ldrd r1, r12, [sp, #16]\n\t"                                                                              \
            "cmp r1, r12\n\t"                                                                                          \
            "beq 5f\n\t"                                                                                               \
            "4:\n"                                                                                                     \
            UNIT                                                                                                       \
            "cmp r1, r12\n\t"                                                                                          \
            "bne 4b\n\t"                                                                                               \
            "5:\n"                                                                                                     \
            STAGE                                                                                                      \
            "ldr r11, [sp, #12]\n\t"                                                                                   \
            EQ_DSP_SAT_(OP, BITS, "r2")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r3")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r4")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r5")                                                                                \
            "strb r2, [r11], #1\n\t"                                                                                   \
            "strb r3, [r11], #1\n\t"                                                                                   \
            "strb r4, [r11], #1\n\t"                                                                                   \
            "strb r5, [r11], #1\n\t"                                                                                   \
            "str r11, [sp, #12]\n\t"                                                                                   \
            "ldr r12, [sp, #24]\n\t"                                                                                   \
            "cmp r0, r12\n\t"                                                                                          \
            "bne.w 1b\n\t"                                                                                             \
            "add sp, sp, #28\n\t"                                                                                      \
            AFTER                                                                                                      \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");                                                    \
    }

/* A shift for each channel, from the stream. */
#define EQ_DSP_ROW_SHIFTS_      \
    "ldr r10, [r0], #4\n\t"     \
    "asr r2, r2, r10\n\t"       \
    "lsr r10, r10, #8\n\t"      \
    "asr r3, r3, r10\n\t"       \
    "lsr r10, r10, #8\n\t"      \
    "asr r4, r4, r10\n\t"       \
    "lsr r10, r10, #8\n\t"      \
    "asr r5, r5, r10\n\t"

/* One multiplier for all channels, for any codes: put above what the function keeps on the stack. */
#define EQ_DSP_ROW_PUSH_ONE_        \
    "add r9, r0, #28\n\t"           \
    "ldm r9, {r9, r10, r11}\n\t"    \
    "push {r9, r10, r11}\n\t"
#define EQ_DSP_ROW_POP_ONE_ "add sp, sp, #12\n\t"
#define EQ_DSP_ROW_ONE_                                                                             \
    "add r12, sp, #28\n\t"                                                                          \
    "ldm r12, {r10, r11, r12}\n\t"                                                                  \
    EQ_DSP_HIGH_("r2", "r10") EQ_DSP_HIGH_("r3", "r10") EQ_DSP_HIGH_("r4", "r10") EQ_DSP_HIGH_("r5", "r10") \
    EQ_DSP_AWAY_("r2") EQ_DSP_AWAY_("r3") EQ_DSP_AWAY_("r4") EQ_DSP_AWAY_("r5")                     \
    EQ_DSP_PLUS_("r2", "r11") EQ_DSP_PLUS_("r3", "r11") EQ_DSP_PLUS_("r4", "r11") EQ_DSP_PLUS_("r5", "r11") \
    "asr r2, r2, r12\n\t"                                                                           \
    "asr r3, r3, r12\n\t"                                                                           \
    "asr r4, r4, r12\n\t"                                                                           \
    "asr r5, r5, r12\n\t"
#define EQ_DSP_ROW_WHOLE_   \
    "asr r3, r3, #8\n\t"    \
    "asr r5, r5, #8\n\t"

/* Every combination of signs of x and of saturations for one stage. */
#define EQ_DSP_ROW_SIGNS_(name, KIND, BEFORE, STAGE, AFTER, SUFFIX, OP, BITS)                                   \
    EQ_DSP_ROW_(name##_s_##SUFFIX, "sxtb16", EQ_DSP_ROW_##KIND##_GROUP_, EQ_DSP_ROW_##KIND##_UNIT_,             \
                EQ_DSP_ROW_##KIND##_SKIP_, BEFORE, STAGE, AFTER, OP, BITS)                                      \
    EQ_DSP_ROW_(name##_u_##SUFFIX, "uxtb16", EQ_DSP_ROW_##KIND##_GROUP_, EQ_DSP_ROW_##KIND##_UNIT_,             \
                EQ_DSP_ROW_##KIND##_SKIP_, BEFORE, STAGE, AFTER, OP, BITS)
#define EQ_DSP_ROW_BYTES_(name, KIND, BEFORE, STAGE, AFTER)                      \
    EQ_DSP_ROW_SIGNS_(name, KIND, BEFORE, STAGE, AFTER, s8, "ssat", "#8")        \
    EQ_DSP_ROW_SIGNS_(name, KIND, BEFORE, STAGE, AFTER, u8, "usat", "#8")

EQ_DSP_ROW_BYTES_(eq_dsp_row_dual, DUAL, "", EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_plain, PLAIN, "", EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_SIGNS_(eq_dsp_row_dual, DUAL, "", EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_ROW_SHIFTS_, "", u7, "usat", "#7")
EQ_DSP_ROW_SIGNS_(eq_dsp_row_plain, PLAIN, "", EQ_DSP_ROW_SHIFTS_, "", u7, "usat", "#7")
EQ_DSP_ROW_BYTES_(eq_dsp_row_dual_relu, DUAL, "",
                  EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_FOUR_FINE_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_plain_relu, PLAIN, "", EQ_DSP_FOUR_RELU_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_dual_once, DUAL, "",
                  EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_FOUR_ONCE_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_plain_once, PLAIN, "", EQ_DSP_FOUR_ONCE_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_dual_any, DUAL, "", EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_ROW_WHOLE_
                  EQ_DSP_FOUR_ANY_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_plain_any, PLAIN, "", EQ_DSP_FOUR_ANY_("r2", "r3", "r4", "r5") EQ_DSP_ROW_SHIFTS_, "")
EQ_DSP_ROW_BYTES_(eq_dsp_row_dual_one, DUAL, EQ_DSP_ROW_PUSH_ONE_,
                  EQ_DSP_ROW_DUAL_DRAIN_ EQ_DSP_ROW_WHOLE_ EQ_DSP_ROW_ONE_, EQ_DSP_ROW_POP_ONE_)
EQ_DSP_ROW_BYTES_(eq_dsp_row_plain_one, PLAIN, EQ_DSP_ROW_PUSH_ONE_, EQ_DSP_ROW_ONE_, EQ_DSP_ROW_POP_ONE_)

#define EQ_DSP_ROW_CALL_(name)            \
    if (sat == EQ_SAT_S8 && xs) {         \
        name##_s_s8(job);                 \
    } else if (sat == EQ_SAT_S8) {        \
        name##_u_s8(job);                 \
    } else if (xs) {                      \
        name##_s_u8(job);                 \
    } else {                              \
        name##_u_u8(job);                 \
    }
#define EQ_DSP_ROW_CALL_7_(name)          \
    if (xs) {                             \
        name##_s_u7(job);                 \
    } else {                              \
        name##_u_u7(job);                 \
    }

/* The blocks of one job, with what follows it known when compiling; EQ_SAT_U7 exists for shifts only.
 * one: whether all channels share a multiplier, which is then for EQ_STAGE_ANY. */
EQ_INLINE void eq_dsp_row(const eq_dsp_row_t *job, bool xs, bool dual, int32_t sat, int32_t stage, bool one)
{
    if (one && dual) {
        EQ_DSP_ROW_CALL_(eq_dsp_row_dual_one)
    } else if (one) {
        EQ_DSP_ROW_CALL_(eq_dsp_row_plain_one)
    } else if (stage == EQ_STAGE_ONCE) {
        if (dual) {
            EQ_DSP_ROW_CALL_(eq_dsp_row_dual_once)
        } else {
            EQ_DSP_ROW_CALL_(eq_dsp_row_plain_once)
        }
    } else if (stage == EQ_STAGE_RELU) {
        if (dual) {
            EQ_DSP_ROW_CALL_(eq_dsp_row_dual_relu)
        } else {
            EQ_DSP_ROW_CALL_(eq_dsp_row_plain_relu)
        }
    } else if (stage == EQ_STAGE_ANY) {
        if (dual) {
            EQ_DSP_ROW_CALL_(eq_dsp_row_dual_any)
        } else {
            EQ_DSP_ROW_CALL_(eq_dsp_row_plain_any)
        }
    } else if (dual && sat == EQ_SAT_U7) {
        EQ_DSP_ROW_CALL_7_(eq_dsp_row_dual)
    } else if (dual) {
        EQ_DSP_ROW_CALL_(eq_dsp_row_dual)
    } else if (sat == EQ_SAT_U7) {
        EQ_DSP_ROW_CALL_7_(eq_dsp_row_plain)
    } else {
        EQ_DSP_ROW_CALL_(eq_dsp_row_plain)
    }
}
#else
/* One output: what the assembler does. */
EQ_INLINE int32_t eq_dsp_row_sum(const eq_dsp_row_t *job, const uint32_t *w, int32_t i, bool xs, bool dual)
{
    int32_t sum = (int32_t)w[i];
    w += 4 + i / 2;
    for (const uint8_t *x = job->x; x != job->x_end; x += 4, w += 4) {
        for (int32_t u = 0; u < 2; u++) {
            const uint32_t v = u == 0 ? eq_even(eq_word(x), xs) : eq_odd(eq_word(x), xs);
            const uint32_t odd = dual ? w[2 * u] : eq_sxtb16_8(w[2 * u]);
            sum = eq_smlad(i % 2 == 0 ? eq_sxtb16(w[2 * u]) : odd, v, sum);
        }
    }
    for (const uint32_t *x = job->rest; x != job->rest_end; x++, w += 2) {
        const uint32_t odd = dual ? *w : eq_sxtb16_8(*w);
        sum = eq_smlad(i % 2 == 0 ? eq_sxtb16(*w) : odd, *x, sum);
    }
    return sum;
}

EQ_INLINE void eq_dsp_row(const eq_dsp_row_t *job, bool xs, bool dual, int32_t sat, int32_t stage, bool one)
{
    const int32_t units = (int32_t)(job->x_end - job->x) / 2 + (int32_t)(job->rest_end - job->rest);
    const int32_t words = 4 + 2 * units + (one ? 0 : eq_dsp_stage_words(stage));
    const uint32_t all[4] = {job->m, job->m, job->c, job->c};
    uint8_t *y = job->y;
    for (const uint32_t *w = job->w; w != job->w_end; w += words, y += 4) {
        int32_t sum[4];
        for (int32_t i = 0; i < 4; i++) {
            sum[i] = eq_dsp_row_sum(job, w, i, xs, dual);
        }
        for (int32_t i = 0; i < 4; i++) {
            const bool drain = dual && i % 2 == 1;
            int32_t v = drain ? (int32_t)((uint32_t)sum[i] - (uint32_t)sum[i - 1]) : sum[i];
            uint32_t shift = job->shift;
            if (one) {
                v = eq_dsp_scaled(drain ? eq_asr32(v, 8) : v, all, 0, false, stage);
            } else {
                v = eq_dsp_scaled(v, w + 4 + 2 * units, i, dual, stage);
                shift = w[words - 1] >> (8 * i) & 0xFFu;
            }
            y[i] = (uint8_t)eq_saturate(eq_dsp_asr(v, shift), sat);
        }
    }
}
#endif

#endif
