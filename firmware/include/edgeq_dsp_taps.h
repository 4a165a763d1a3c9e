/* edgeq_dsp_taps.h: the inner loop of depthwise convolutions with DSP: one pixel, four channels at a time.
 *
 * A window is a list of taps, two at a time: where each lies, in bytes from the first element of the window. Taps
 * beyond an end of x lie on codes that stand for zero. Weights lie in flash as a stream of 32-bit words; a block of
 * four channels is
 *     4 words       start values
 *     4 words each  for every pair of taps a, b: the lanes (a, b) of each channel
 *     1 word        shifts of the four channels, one byte each; in front of it eight more constants where a sum has a
 *                   multiplier (edgeq_dsp_scale.h)
 * Where the number of channels is no multiple of four, the last block takes the last four: some are computed twice.
 */
#ifndef EDGEQ_DSP_TAPS_H
#define EDGEQ_DSP_TAPS_H

#include "edgeq_dsp_scale.h"

/* Blocks of channels 0..3, 4..7, … and at last last..last + 3. */
typedef struct {
    const eq_u32 *taps, *taps_end; /* pairs, one or more */
    const uint8_t *x;              /* first element of the window, which may lie in front of x */
    uint8_t *y;
    int32_t last;
    int32_t skip; /* eq_dsp_taps_skip(pairs) */
    const uint32_t *w;
    uint32_t fill; /* four times the code that stands for zero, which is what lies around x */
} eq_dsp_taps_t;

enum { EQ_DSP_TAPS_UNROLL = 5, EQ_DSP_TAPS_CODE = 56 };

/* Bytes of code in front of the place where the unrolled loop is entered. */
EQ_INLINE int32_t eq_dsp_taps_skip(int32_t pairs)
{
    const int32_t over = pairs % EQ_DSP_TAPS_UNROLL;
    return over == 0 ? 0 : (EQ_DSP_TAPS_UNROLL - over) * EQ_DSP_TAPS_CODE;
}

#if EQ_DSP_ASM
/* A tap on zeros, for a window that starts at x. */
EQ_INLINE uint32_t eq_dsp_no_tap(const uint8_t *zeros, const uint8_t *x)
{
    return (uint32_t)(uintptr_t)zeros - (uint32_t)(uintptr_t)x;
}

/* The registers: r0 weights, r1 taps, r2 x, r3..r6 sums, r7, r8 and lr operands, r9..r12 weights. */
#define EQ_DSP_TAPS_PAIR_(X)        \
    "ldrd r7, r8, [r1], #8\n\t"     \
    "ldr.w r7, [r7, r2]\n\t"        \
    "ldr.w r8, [r8, r2]\n\t"        \
    "ldm r0!, {r9-r12}\n\t"         \
    "pkhbt lr, r7, r8, lsl #16\n\t" \
    "pkhtb r8, r8, r7, asr #16\n\t" \
    X " r7, lr\n\t"                 \
    X " lr, lr, ror #8\n\t"         \
    "smlad r3, r7, r9, r3\n\t"      \
    "smlad r4, lr, r10, r4\n\t"     \
    X " r7, r8\n\t"                 \
    X " r8, r8, ror #8\n\t"         \
    "smlad r5, r7, r11, r5\n\t"     \
    "smlad r6, r8, r12, r6\n\t"

#define EQ_DSP_TAPS_SHIFT_(a) "asr " a ", " a ", r10\n\t"

/* The loop over pairs is unrolled five times, as many as 3 x 3 taps make. SHIFT: of a sum; MAP: what becomes of the four
 * sums when they are saturated. */
#define EQ_DSP_TAPS_MAPPED_(name, X, STAGE, SHIFT, OP, BITS, MAP)                                                      \
    EQ_SHARED void name(const eq_dsp_taps_t *from)                                                                     \
    {                                                                                                                  \
        register const eq_dsp_taps_t *job __asm__("r0") = from;                                                        \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldm r0, {r1, r2, r4, r5, r6, r7, r8}\n\t"                                                                 \
            "sub r5, r5, r4\n\t"                                                                                       \
            "add r6, r6, r4\n\t"                                                                                       \
            ".p2align 2\n\t"                                                                                           \
            "adr.w r3, 2f\n\t"                                                                                         \
            "add r3, r3, r7\n\t"                                                                                       \
            "orr r3, r3, #1\n\t"                                                                                       \
            "push {r1, r2, r3, r5, r6}\n\t"                                                                            \
            "mov r0, r8\n\t"                                                                                           \
            "mov r2, r4\n\t"                                                                                           \
            "1:\n"                                                                                                     \
            "ldm r0!, {r3-r6}\n\t"                                                                                     \
            "ldr r1, [sp]\n\t"                                                                                         \
            "ldr pc, [sp, #8]\n\t"                                                                                     \
            "2:\n"                                                                                                     \
            ".rept 5\n\t" EQ_DSP_TAPS_PAIR_(X) ".endr\n\t"                                                             \
            "ldr r10, [sp, #4]\n\t"                                                                                    \
            "cmp r1, r10\n\t"                                                                                          \
            "bne.w 2b\n\t"                                                                                             \
            STAGE                                                                                                      \
            "ldr r10, [r0], #4\n\t"                                                                                    \
            "ldrd r11, r12, [sp, #12]\n\t"                                                                             \
            SHIFT("r3")                                                                                                \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r4")                                                                                                \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r5")                                                                                                \
            "lsr r10, r10, #8\n\t"                                                                                     \
            SHIFT("r6")                                                                                                \
            "add r11, r11, r2\n\t"                                                                                     \
            EQ_DSP_SAT_(OP, BITS, "r3")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r4")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r5")                                                                                \
            EQ_DSP_SAT_(OP, BITS, "r6")                                                                                \
            MAP                                                                                                        \
            "strb r3, [r11]\n\t"                                                                                       \
            "strb r4, [r11, #1]\n\t"                                                                                   \
            "strb r5, [r11, #2]\n\t"                                                                                   \
            "strb r6, [r11, #3]\n\t"                                                                                   \
            "cmp r2, r12\n\t"                                                                                          \
            "beq 3f\n\t"                                                                                               \
            "add r2, r2, #4\n\t"                                                                                       \
            "cmp r2, r12\n\t"                                                                                          \
            "it hi\n\t"                                                                                                \
            "movhi r2, r12\n\t"                                                                                        \
            "b.w 1b\n\t"                                                                                               \
            "3:\n"                                                                                                     \
            "add sp, sp, #20\n\t"                                                                                      \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");                                                    \
    }

#define EQ_DSP_TAPS_(name, X, STAGE, OP, BITS) EQ_DSP_TAPS_MAPPED_(name, X, STAGE, EQ_DSP_TAPS_SHIFT_, OP, BITS, "")

EQ_DSP_TAPS_(eq_dsp_taps_s_s8, "sxtb16", "", "ssat", "#8")
EQ_DSP_TAPS_(eq_dsp_taps_s_u8, "sxtb16", "", "usat", "#8")
EQ_DSP_TAPS_(eq_dsp_taps_s_u7, "sxtb16", "", "usat", "#7")
EQ_DSP_TAPS_(eq_dsp_taps_u_s8, "uxtb16", "", "ssat", "#8")
EQ_DSP_TAPS_(eq_dsp_taps_u_u8, "uxtb16", "", "usat", "#8")
EQ_DSP_TAPS_(eq_dsp_taps_u_u7, "uxtb16", "", "usat", "#7")

#define EQ_DSP_TAPS_STAGE_(stage, STAGE)                                  \
    EQ_DSP_TAPS_(eq_dsp_taps_s_##stage##_s8, "sxtb16", STAGE, "ssat", "#8") \
    EQ_DSP_TAPS_(eq_dsp_taps_s_##stage##_u8, "sxtb16", STAGE, "usat", "#8") \
    EQ_DSP_TAPS_(eq_dsp_taps_u_##stage##_s8, "uxtb16", STAGE, "ssat", "#8") \
    EQ_DSP_TAPS_(eq_dsp_taps_u_##stage##_u8, "uxtb16", STAGE, "usat", "#8")
EQ_DSP_TAPS_STAGE_(relu, EQ_DSP_FOUR_RELU_("r3", "r4", "r5", "r6"))
EQ_DSP_TAPS_STAGE_(any, EQ_DSP_FOUR_ANY_("r3", "r4", "r5", "r6"))
EQ_DSP_TAPS_STAGE_(once, EQ_DSP_FOUR_ONCE_("r3", "r4", "r5", "r6"))

/* Sums are looked up in the bytes that lie in front of the taps: 256 of them from -128 on, or 512 from -256 on. */
#define EQ_DSP_TAPS_LOOK_UP_(OFFSET)   \
    "ldr r1, [sp]\n\t"                 \
    "sub r1, r1, " OFFSET "\n\t"       \
    "ldrb r3, [r1, r3]\n\t"            \
    "ldrb r4, [r1, r4]\n\t"            \
    "ldrb r5, [r1, r5]\n\t"            \
    "ldrb r6, [r1, r6]\n\t"
/* Twice the shifted sum, less one where the shift loses nothing. */
#define EQ_DSP_TAPS_EXACT_(a)      \
    "sub lr, " a ", #1\n\t"        \
    "asr lr, lr, r10\n\t"          \
    "asr " a ", " a ", r10\n\t"    \
    "add " a ", " a ", lr\n\t"
EQ_DSP_TAPS_MAPPED_(eq_dsp_taps_s_mapped, "sxtb16", "", EQ_DSP_TAPS_SHIFT_, "ssat", "#8", EQ_DSP_TAPS_LOOK_UP_("#128"))
EQ_DSP_TAPS_MAPPED_(eq_dsp_taps_u_mapped, "uxtb16", "", EQ_DSP_TAPS_SHIFT_, "ssat", "#8", EQ_DSP_TAPS_LOOK_UP_("#128"))
EQ_DSP_TAPS_MAPPED_(eq_dsp_taps_s_exact, "sxtb16", "", EQ_DSP_TAPS_EXACT_, "ssat", "#9", EQ_DSP_TAPS_LOOK_UP_("#256"))
EQ_DSP_TAPS_MAPPED_(eq_dsp_taps_u_exact, "uxtb16", "", EQ_DSP_TAPS_EXACT_, "ssat", "#9", EQ_DSP_TAPS_LOOK_UP_("#256"))

#define EQ_DSP_TAPS_CALL_(name)    \
    if (sat == EQ_SAT_S8) {        \
        name##_s8(job);            \
    } else {                       \
        name##_u8(job);            \
    }

/* All channels of one pixel, with what follows `job` known when compiling; EQ_SAT_U7 exists for shifts only, EQ_STAGE_MAP
 * and EQ_STAGE_EXACT with EQ_SAT_S8. */
EQ_INLINE void eq_dsp_taps(const eq_dsp_taps_t *job, bool xs, int32_t sat, int32_t stage)
{
    if (stage == EQ_STAGE_MAP) {
        if (xs) {
            eq_dsp_taps_s_mapped(job);
        } else {
            eq_dsp_taps_u_mapped(job);
        }
    } else if (stage == EQ_STAGE_EXACT) {
        if (xs) {
            eq_dsp_taps_s_exact(job);
        } else {
            eq_dsp_taps_u_exact(job);
        }
    } else if (stage == EQ_STAGE_ONCE && xs) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_s_once)
    } else if (stage == EQ_STAGE_ONCE) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_u_once)
    } else if (stage == EQ_STAGE_RELU && xs) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_s_relu)
    } else if (stage == EQ_STAGE_RELU) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_u_relu)
    } else if (stage == EQ_STAGE_ANY && xs) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_s_any)
    } else if (stage == EQ_STAGE_ANY) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_u_any)
    } else if (sat == EQ_SAT_U7) {
        if (xs) {
            eq_dsp_taps_s_u7(job);
        } else {
            eq_dsp_taps_u_u7(job);
        }
    } else if (xs) {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_s)
    } else {
        EQ_DSP_TAPS_CALL_(eq_dsp_taps_u)
    }
}
#else
/* Here a tap on zeros is a mark. */
EQ_INLINE uint32_t eq_dsp_no_tap(const uint8_t *zeros, const uint8_t *x)
{
    (void)zeros;
    (void)x;
    return 0x80000000u;
}

/* Four channels from c on: what the assembler does. */
EQ_INLINE void eq_dsp_taps_block(const eq_dsp_taps_t *job, const uint32_t *w, int32_t c, bool xs, int32_t sat,
                                 int32_t stage)
{
    int32_t sum[4] = {(int32_t)w[0], (int32_t)w[1], (int32_t)w[2], (int32_t)w[3]};
    w += 4;
    for (const eq_u32 *tap = job->taps; tap != job->taps_end; tap += 2, w += 4) {
        const uint32_t none = eq_dsp_no_tap(NULL, NULL);
        const uint32_t a = tap[0] == none ? job->fill : eq_word(job->x + (int32_t)tap[0] + c);
        const uint32_t b = tap[1] == none ? job->fill : eq_word(job->x + (int32_t)tap[1] + c);
        const uint32_t low = eq_pkhbt(a, b), high = eq_pkhtb(a, b);
        sum[0] = eq_smlad(eq_even(low, xs), w[0], sum[0]);
        sum[1] = eq_smlad(eq_odd(low, xs), w[1], sum[1]);
        sum[2] = eq_smlad(eq_even(high, xs), w[2], sum[2]);
        sum[3] = eq_smlad(eq_odd(high, xs), w[3], sum[3]);
    }
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t shift = w[eq_dsp_stage_words(stage) - 1] >> (8 * i) & 0xFFu;
        const int32_t scaled = eq_dsp_scaled(sum[i], w, i, false, stage), shifted = eq_dsp_asr(scaled, shift);
        const uint8_t *const taps_at = (const uint8_t *)job->taps;
        if (stage == EQ_STAGE_EXACT) {
            job->y[c + i] = (taps_at - 256)[eq_clamp32(shifted + eq_dsp_asr(scaled - 1, shift), -256, 255)];
        } else {
            job->y[c + i] = stage == EQ_STAGE_MAP ? (taps_at - 128)[eq_saturate(shifted, sat)]
                                                  : (uint8_t)eq_saturate(shifted, sat);
        }
    }
}

EQ_INLINE void eq_dsp_taps(const eq_dsp_taps_t *job, bool xs, int32_t sat, int32_t stage)
{
    const int32_t words = 4 + 2 * (int32_t)(job->taps_end - job->taps) + eq_dsp_stage_words(stage);
    const uint32_t *w = job->w;
    for (int32_t c = 0; c < job->last; c += 4, w += words) {
        eq_dsp_taps_block(job, w, c, xs, sat, stage);
    }
    eq_dsp_taps_block(job, w, job->last, xs, sat, stage);
}
#endif

#endif
