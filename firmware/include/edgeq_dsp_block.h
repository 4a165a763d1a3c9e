/* edgeq_dsp_block.h: the inner loop of convolutions with DSP: four output channels by two pixels at a time.
 *
 * Weights lie in flash as a stream of 32-bit words in the order in which they are read. A block of four output
 * channels is
 *     4 words       start values
 *     2 words each  for every unit, that is a pair of elements a, b of x: channels 0 and 1, then channels 2 and 3
 *     1 word        shifts of the four channels, one byte each; in front of it eight more constants where a sum has a
 *                   multiplier (edgeq_dsp_scale.h)
 * and x is, for every unit, one word with the lanes (a, b) of the first pixel and one of the second.
 *
 * Two ways to put the weights e (even channel) and o (odd channel) of a pair into a word:
 *   dual   the lanes are 256 o + e. One SMLAD with the lanes as they are sums 256 o x + e x, one with their low bytes,
 *          sign-extended, sums e x; the difference of both is 256 times the sum of the odd channel, exactly as long as
 *          that sum needs no more than 24 bits. Start values are those of channel 0, 256 times channel 1's plus
 *          channel 0's, and so on; the shifts of odd channels are larger by 8. Twelve instructions for sixteen MACs.
 *   plain  bytes e(a), o(a), e(b), o(b), extended one by one, for any weights and sums: fifteen instructions.
 *
 * Sums wrap modulo 2^32 on the way and are right at the end, as range analysis has proved.
 */
#ifndef EDGEQ_DSP_BLOCK_H
#define EDGEQ_DSP_BLOCK_H

#include "edgeq_dsp_scale.h"

/* Outputs go to y[0..3] for the first pixel and then to y[step..step + 3] for the second; y moves on by 4 with each
 * block. */
typedef struct {
    const eq_u32 *x, *x_end; /* units of the two pixels; at least one */
    uint8_t *y;
    int32_t step;
    const eq_u32 *w_end, *w; /* one block or more */
} eq_dsp_block_t;

#if EQ_DSP_ASM
/* The registers: r0 weights, r1 x, r2..r5 sums of the first pixel, r6..r9 of the second, r10..r12 and lr operands. */
#define EQ_DSP_DUAL_UNIT_          \
    "ldrd r10, r11, [r0], #8\n\t"  \
    "ldrd r12, lr, [r1], #8\n\t"   \
    "smlad r3, r10, r12, r3\n\t"   \
    "smlad r7, r10, lr, r7\n\t"    \
    "smlad r5, r11, r12, r5\n\t"   \
    "smlad r9, r11, lr, r9\n\t"    \
    "sxtb16 r10, r10\n\t"          \
    "sxtb16 r11, r11\n\t"          \
    "smlad r2, r10, r12, r2\n\t"   \
    "smlad r6, r10, lr, r6\n\t"    \
    "smlad r4, r11, r12, r4\n\t"   \
    "smlad r8, r11, lr, r8\n\t"
#define EQ_DSP_DUAL_SKIP_ /* r3 = 8 n; n units are 48 n bytes of code */ \
    "add r3, r3, r3, lsl #1\n\t"   \
    "lsl r3, r3, #1\n\t"
#define EQ_DSP_DUAL_DRAIN_         \
    "sub r3, r3, r2\n\t"           \
    "sub r5, r5, r4\n\t"           \
    "sub r7, r7, r6\n\t"           \
    "sub r9, r9, r8\n\t"

#define EQ_DSP_PLAIN_UNIT_         \
    "ldr r10, [r0], #4\n\t"        \
    "ldrd r12, lr, [r1], #8\n\t"   \
    "sxtb16 r11, r10\n\t"          \
    "sxtb16 r10, r10, ror #8\n\t"  \
    "smlad r2, r11, r12, r2\n\t"   \
    "smlad r6, r11, lr, r6\n\t"    \
    "smlad r3, r10, r12, r3\n\t"   \
    "smlad r7, r10, lr, r7\n\t"    \
    "ldr.w r10, [r0], #4\n\t"      \
    "sxtb16 r11, r10\n\t"          \
    "sxtb16 r10, r10, ror #8\n\t"  \
    "smlad r4, r11, r12, r4\n\t"   \
    "smlad r8, r11, lr, r8\n\t"    \
    "smlad r5, r10, r12, r5\n\t"   \
    "smlad r9, r10, lr, r9\n\t"
#define EQ_DSP_PLAIN_SKIP_ /* r3 = 8 n; n units are 60 n bytes of code */ \
    "lsr r8, r3, #1\n\t"           \
    "rsb r3, r8, r3, lsl #3\n\t"
#define EQ_DSP_PLAIN_DRAIN_ ""

#define EQ_DSP_BLOCK_SHIFT_(a, b) \
    "asr " a ", " a ", r10\n\t"    \
    "asr " b ", " b ", r10\n\t"

/* The loop over units is unrolled eight times and entered so that a multiple of eight is left. SHIFT: of the sums of a
 * channel; MAP: what becomes of them when they are saturated. */
#define EQ_DSP_BLOCK_MAPPED_(name, UNIT, SKIP, DRAIN, SHIFT, OP, BITS, MAP)                                                 \
    static __attribute__((noinline, unused)) void name(const eq_dsp_block_t *from)                                     \
    {                                                                                                                  \
        register const eq_dsp_block_t *job __asm__("r0") = from;                                                       \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldm r0, {r1, r2, r4, r5, r6, r7}\n\t"                                                                     \
            "sub r3, r1, r2\n\t"                                                                                       \
            "and r3, r3, #56\n\t"                                                                                      \
            SKIP                                                                                                       \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r8, 2f\n\t"                                                                                         \
            "add r3, r3, r8\n\t"                                                                                       \
            "orr r3, r3, #1\n\t"                                                                                       \
            "mov r0, r7\n\t"                                                                                           \
            "push {r1-r6}\n\t"                                                                                         \
            "1:\n"                                                                                                     \
            "ldm r0!, {r2-r5}\n\t"                                                                                     \
            "ldr r1, [sp]\n\t"                                                                                         \
            "mov r6, r2\n\t"                                                                                           \
            "mov r7, r3\n\t"                                                                                           \
            "mov r8, r4\n\t"                                                                                           \
            "mov r9, r5\n\t"                                                                                           \
            "ldr pc, [sp, #8]\n\t"                                                                                     \
            "2:\n"                                                                                                     \
            ".rept 8\n\t" UNIT ".endr\n\t"                                                                             \
            "ldr r10, [sp, #4]\n\t"                                                                                    \
            "cmp r1, r10\n\t"                                                                                          \
            "bne.w 2b\n\t"                                                                                             \
            DRAIN                                                                                                      \
            "ldr r10, [r0], #4\n\t"                                                                                    \
            "ldrd r11, r12, [sp, #12]\n\t"                                                                             \
            SHIFT("r2", "r6")                                                                                          \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r3", "r7")                                                                                          \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r4", "r8")                                                                                          \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r5", "r9")                                                                                          \
            "add r12, r12, r11\n\t"                                                                                    \
            EQ_DSP_SAT_(OP, BITS, "r2")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r3")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r4")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r5")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r6")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r7")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r8")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r9")                                                                                \
            MAP                                                                                                        \
            "strb r2, [r11], #1\n\t"                                                                                   \
            "strb r3, [r11], #1\n\t"                                                                                   \
            "strb r4, [r11], #1\n\t"                                                                                   \
            "strb r5, [r11], #1\n\t"                                                                                   \
            "strb r6, [r12]\n\t"                                                                                       \
            "strb r7, [r12, #1]\n\t"                                                                                   \
            "strb r8, [r12, #2]\n\t"                                                                                   \
            "strb r9, [r12, #3]\n\t"                                                                                   \
            "str r11, [sp, #12]\n\t"                                                                                   \
            "ldr r12, [sp, #20]\n\t"                                                                                   \
            "cmp r0, r12\n\t"                                                                                          \
            "bne.w 1b\n\t"                                                                                             \
            "add sp, sp, #24\n\t"                                                                                      \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");                                                    \
    }

#define EQ_DSP_BLOCK_(name, UNIT, SKIP, DRAIN, OP, BITS) \
    EQ_DSP_BLOCK_MAPPED_(name, UNIT, SKIP, DRAIN, EQ_DSP_BLOCK_SHIFT_, OP, BITS, "")

EQ_DSP_BLOCK_(eq_dsp_block_dual_s8, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, EQ_DSP_DUAL_DRAIN_, "ssat", "#8")
EQ_DSP_BLOCK_(eq_dsp_block_dual_u8, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, EQ_DSP_DUAL_DRAIN_, "usat", "#8")
EQ_DSP_BLOCK_(eq_dsp_block_dual_u7, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, EQ_DSP_DUAL_DRAIN_, "usat", "#7")
EQ_DSP_BLOCK_(eq_dsp_block_plain_s8, EQ_DSP_PLAIN_UNIT_, EQ_DSP_PLAIN_SKIP_, EQ_DSP_PLAIN_DRAIN_, "ssat", "#8")
EQ_DSP_BLOCK_(eq_dsp_block_plain_u8, EQ_DSP_PLAIN_UNIT_, EQ_DSP_PLAIN_SKIP_, EQ_DSP_PLAIN_DRAIN_, "usat", "#8")
EQ_DSP_BLOCK_(eq_dsp_block_plain_u7, EQ_DSP_PLAIN_UNIT_, EQ_DSP_PLAIN_SKIP_, EQ_DSP_PLAIN_DRAIN_, "usat", "#7")

/* Sums are looked up in the bytes that lie in front of the units: 256 of them from -128 on, or 512 from -256 on. */
#define EQ_DSP_BLOCK_LOOK_UP_(OFFSET)  \
    "ldr r1, [sp]\n\t"                 \
    "sub r1, r1, " OFFSET "\n\t"       \
    "ldrb r2, [r1, r2]\n\t"            \
    "ldrb r3, [r1, r3]\n\t"            \
    "ldrb r4, [r1, r4]\n\t"            \
    "ldrb r5, [r1, r5]\n\t"            \
    "ldrb r6, [r1, r6]\n\t"            \
    "ldrb r7, [r1, r7]\n\t"            \
    "ldrb r8, [r1, r8]\n\t"            \
    "ldrb r9, [r1, r9]\n\t"
/* Twice the shifted sum, less one where the shift loses nothing. */
#define EQ_DSP_BLOCK_EXACT_(a, b)  \
    "sub lr, " a ", #1\n\t"        \
    "asr lr, lr, r10\n\t"          \
    "asr " a ", " a ", r10\n\t"    \
    "add " a ", " a ", lr\n\t"     \
    "sub lr, " b ", #1\n\t"        \
    "asr lr, lr, r10\n\t"          \
    "asr " b ", " b ", r10\n\t"    \
    "add " b ", " b ", lr\n\t"
EQ_DSP_BLOCK_MAPPED_(eq_dsp_block_dual_mapped, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, EQ_DSP_DUAL_DRAIN_,
                     EQ_DSP_BLOCK_SHIFT_, "ssat", "#8", EQ_DSP_BLOCK_LOOK_UP_("#128"))
EQ_DSP_BLOCK_MAPPED_(eq_dsp_block_dual_exact, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, EQ_DSP_DUAL_DRAIN_,
                     EQ_DSP_BLOCK_EXACT_, "ssat", "#9", EQ_DSP_BLOCK_LOOK_UP_("#256"))

#define EQ_DSP_BLOCK_STAGE_(stage, DUAL, PLAIN)                                                                        \
    EQ_DSP_BLOCK_(eq_dsp_block_dual_##stage##_s8, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, DUAL, "ssat", "#8")            \
    EQ_DSP_BLOCK_(eq_dsp_block_dual_##stage##_u8, EQ_DSP_DUAL_UNIT_, EQ_DSP_DUAL_SKIP_, DUAL, "usat", "#8")            \
    EQ_DSP_BLOCK_(eq_dsp_block_plain_##stage##_s8, EQ_DSP_PLAIN_UNIT_, EQ_DSP_PLAIN_SKIP_, PLAIN, "ssat", "#8")        \
    EQ_DSP_BLOCK_(eq_dsp_block_plain_##stage##_u8, EQ_DSP_PLAIN_UNIT_, EQ_DSP_PLAIN_SKIP_, PLAIN, "usat", "#8")

#define EQ_DSP_DUAL_WHOLE_  /* odd channels no longer multiplied by 256 */                                             \
    "asr r3, r3, #8\n\t"                                                                                               \
    "asr r5, r5, #8\n\t"                                                                                               \
    "asr r7, r7, #8\n\t"                                                                                               \
    "asr r9, r9, #8\n\t"
EQ_DSP_BLOCK_STAGE_(relu,
                    EQ_DSP_DUAL_DRAIN_ EQ_DSP_PAIR_FINE_("r2", "r6", "r3", "r7")
                    EQ_DSP_PAIR_FINE_("r4", "r8", "r5", "r9"),
                    EQ_DSP_PAIR_RELU_("r2", "r6", "r3", "r7") EQ_DSP_PAIR_RELU_("r4", "r8", "r5", "r9"))
EQ_DSP_BLOCK_STAGE_(any,
                    EQ_DSP_DUAL_DRAIN_ EQ_DSP_DUAL_WHOLE_ EQ_DSP_PAIR_ANY_("r2", "r6", "r3", "r7")
                    EQ_DSP_PAIR_ANY_("r4", "r8", "r5", "r9"),
                    EQ_DSP_PAIR_ANY_("r2", "r6", "r3", "r7") EQ_DSP_PAIR_ANY_("r4", "r8", "r5", "r9"))

EQ_DSP_BLOCK_STAGE_(once,
                    EQ_DSP_DUAL_DRAIN_ EQ_DSP_PAIR_ONCE_("r2", "r6", "r3", "r7")
                    EQ_DSP_PAIR_ONCE_("r4", "r8", "r5", "r9"),
                    EQ_DSP_PAIR_ONCE_("r2", "r6", "r3", "r7") EQ_DSP_PAIR_ONCE_("r4", "r8", "r5", "r9"))

#define EQ_DSP_BLOCK_CALL_(name)   \
    if (sat == EQ_SAT_S8) {        \
        name##_s8(job);            \
    } else {                       \
        name##_u8(job);            \
    }

/* The blocks of one job, with what follows it known when compiling; EQ_SAT_U7 exists for shifts only, EQ_STAGE_MAP
 * and EQ_STAGE_EXACT for dual blocks with EQ_SAT_S8. */
EQ_INLINE void eq_dsp_block(const eq_dsp_block_t *job, bool dual, int32_t sat, int32_t stage)
{
    if (stage == EQ_STAGE_MAP) {
        eq_dsp_block_dual_mapped(job);
    } else if (stage == EQ_STAGE_EXACT) {
        eq_dsp_block_dual_exact(job);
    } else if (stage != EQ_STAGE_SHIFT) {
        if (dual && stage == EQ_STAGE_ONCE) {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_dual_once)
        } else if (stage == EQ_STAGE_ONCE) {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_plain_once)
        } else if (dual && stage == EQ_STAGE_RELU) {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_dual_relu)
        } else if (dual) {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_dual_any)
        } else if (stage == EQ_STAGE_RELU) {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_plain_relu)
        } else {
            EQ_DSP_BLOCK_CALL_(eq_dsp_block_plain_any)
        }
    } else if (sat == EQ_SAT_U7) {
        if (dual) {
            eq_dsp_block_dual_u7(job);
        } else {
            eq_dsp_block_plain_u7(job);
        }
    } else if (dual) {
        EQ_DSP_BLOCK_CALL_(eq_dsp_block_dual)
    } else {
        EQ_DSP_BLOCK_CALL_(eq_dsp_block_plain)
    }
}
#else
/* One pixel (0 or 1) of one block: what the assembler does, one output after the other. */
EQ_INLINE void eq_dsp_block_pixel(const eq_dsp_block_t *job, const eq_u32 *w, int32_t pixel, uint8_t *y, bool dual,
                                  int32_t sat, int32_t stage)
{
    const int32_t units = (int32_t)(job->x_end - job->x) / 2;
    const eq_u32 *constants = w + 4 + 2 * units;
    const uint32_t shifts = constants[eq_dsp_stage_words(stage) - 1];
    int32_t sum[4];
    for (int32_t i = 0; i < 4; i++) {
        sum[i] = (int32_t)w[i];
        for (int32_t u = 0; u < units; u++) {
            const uint32_t word = w[4 + 2 * u + i / 2], x = job->x[2 * u + pixel];
            const uint32_t odd = dual ? word : eq_sxtb16_8(word);
            sum[i] = eq_smlad(i % 2 == 0 ? eq_sxtb16(word) : odd, x, sum[i]);
        }
    }
    for (int32_t i = 0; i < 4; i++) {
        const bool drain = dual && i % 2 == 1;
        const int32_t v = drain ? (int32_t)((uint32_t)sum[i] - (uint32_t)sum[i - 1]) : sum[i];
        const int32_t scaled = eq_dsp_scaled(v, constants, i, dual, stage);
        const uint32_t shift = shifts >> (8 * i) & 0xFFu;
        const int32_t shifted = eq_dsp_asr(scaled, shift);
        const uint8_t *const units_at = (const uint8_t *)job->x;
        if (stage == EQ_STAGE_EXACT) {
            y[i] = (units_at - 256)[eq_clamp32(shifted + eq_dsp_asr(scaled - 1, shift), -256, 255)];
        } else {
            y[i] = stage == EQ_STAGE_MAP ? (units_at - 128)[eq_saturate(shifted, sat)]
                                         : (uint8_t)eq_saturate(shifted, sat);
        }
    }
}

EQ_INLINE void eq_dsp_block(const eq_dsp_block_t *job, bool dual, int32_t sat, int32_t stage)
{
    const int32_t words = 4 + (int32_t)(job->x_end - job->x) + eq_dsp_stage_words(stage);
    uint8_t *y = job->y;
    for (const eq_u32 *w = job->w; w != job->w_end; w += words, y += 4) {
        eq_dsp_block_pixel(job, w, 0, y, dual, sat, stage);
        eq_dsp_block_pixel(job, w, 1, y + job->step, dual, sat, stage);
    }
}
#endif

#endif
