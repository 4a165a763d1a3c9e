/* edgeq_dsp_scale.h: output stages with multipliers with DSP: times multiplier / 2^shift, rounded, plus a zero point.
 *
 * As TensorFlow Lite rounds, a code is v * m / 2^(31 + e), rounded half up at 31 bits and half away from zero for the
 * rest, plus the zero point z.
 * With M = 2 m - 2^32, which is negative and has 32 bits (2^30 <= m < 2^31), and c = half of 2^e + z * 2^e,
 *     y = SMMLAR(v, M, v)      is v * m / 2^31, rounded half up
 *     y += y >> 31             makes a tie of a negative number go down
 *     code = (y + c) >> e      saturated
 * Where codes below z are clipped (ReLU), a tie below zero makes no difference: the second step falls away. Then both
 * roundings down are one, and a sum that comes multiplied by 256 (see edgeq_dsp_block.h) needs no shift before:
 *     code = SMMLA(256 v, m, 64 + 128 c) >> (7 + e)      since 256 v m / 2^32 = 128 (v m / 2^31)
 * Rounded once, a code is v * m / 2^(32 + e); c holds half a step (where ties go up or no sum is one) and z:
 *     code = SMMLA(v, m, c) >> e,      or SMMLA(256 v, m, 256 c) >> (8 + e)
 *
 * Where every channel has constants of its own they follow its weights in the stream: for channels 0 and 1 four words,
 * M (or m) of both, then c of both (of channel 1, where it comes multiplied by 256: m and the third operand), the same
 * for channels 2 and 3, then the shifts.
 */
#ifndef EDGEQ_DSP_SCALE_H
#define EDGEQ_DSP_SCALE_H

#include "edgeq_dsp.h"

/* Stages: a shift to the right; those above for codes that are clipped below zero, and for any; rounded once; and
 * shifts whose results are looked up (edgeq_dsp_block.h), the last one with a mark where it loses nothing. */
enum { EQ_STAGE_SHIFT, EQ_STAGE_RELU, EQ_STAGE_ANY, EQ_STAGE_ONCE, EQ_STAGE_MAP, EQ_STAGE_EXACT };
EQ_INLINE bool eq_dsp_only_shifts(int32_t stage) { return stage == EQ_STAGE_SHIFT || stage >= EQ_STAGE_MAP; }

/* Words of constants that follow the weights of four channels. */
EQ_INLINE int32_t eq_dsp_stage_words(int32_t stage) { return eq_dsp_only_shifts(stage) ? 1 : 9; }

/* The sum of channel i of four, before the last shift: w are the constants behind the weights.
 * v: where `dual` and i is odd multiplied by 256. */
EQ_INLINE int32_t eq_dsp_scaled(int32_t v, const uint32_t *w, int32_t i, bool dual, int32_t stage)
{
    if (eq_dsp_only_shifts(stage)) {
        return v;
    }
    const uint32_t *pair = w + i / 2 * 4 + i % 2;
    if (stage == EQ_STAGE_ONCE) {
        return eq_smmla((uint32_t)v, pair[0], (int32_t)pair[2]);
    }
    if (dual && i % 2 == 1) {
        if (stage == EQ_STAGE_RELU) {
            return eq_smmla((uint32_t)v, pair[0], (int32_t)pair[2]);
        }
        v = eq_asr32(v, 8);
    }
    int32_t y = eq_smmlar((uint32_t)v, pair[0], v);
    if (stage == EQ_STAGE_ANY) {
        y += eq_asr32(y, 31);
    }
    return (int32_t)((uint32_t)y + pair[2]);
}

#if EQ_DSP_ASM
#define EQ_DSP_HIGH_(v, m) "smmlar " v ", " v ", " m ", " v "\n\t"
#define EQ_DSP_AWAY_(v) "add " v ", " v ", " v ", asr #31\n\t"
#define EQ_DSP_PLUS_(v, c) "add " v ", " v ", " c "\n\t"

/* Channels (a, b) of two pixels, constants in r10, r11, r12 and lr. */
#define EQ_DSP_PAIR_HIGH_(a0, a1, b0, b1)                 \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                    \
    EQ_DSP_HIGH_(a0, "r10") EQ_DSP_HIGH_(a1, "r10") EQ_DSP_HIGH_(b0, "r11") EQ_DSP_HIGH_(b1, "r11")
#define EQ_DSP_PAIR_PLUS_(a0, a1, b0, b1)                 \
    EQ_DSP_PLUS_(a0, "r12") EQ_DSP_PLUS_(a1, "r12") EQ_DSP_PLUS_(b0, "lr") EQ_DSP_PLUS_(b1, "lr")
#define EQ_DSP_PAIR_RELU_(a0, a1, b0, b1) EQ_DSP_PAIR_HIGH_(a0, a1, b0, b1) EQ_DSP_PAIR_PLUS_(a0, a1, b0, b1)
#define EQ_DSP_PAIR_ANY_(a0, a1, b0, b1)                                            \
    EQ_DSP_PAIR_HIGH_(a0, a1, b0, b1)                                               \
    EQ_DSP_AWAY_(a0) EQ_DSP_AWAY_(a1) EQ_DSP_AWAY_(b0) EQ_DSP_AWAY_(b1)             \
    EQ_DSP_PAIR_PLUS_(a0, a1, b0, b1)
/* The same where b comes multiplied by 256. */
#define EQ_DSP_PAIR_FINE_(a0, a1, b0, b1)                 \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                    \
    EQ_DSP_HIGH_(a0, "r10") EQ_DSP_HIGH_(a1, "r10")       \
    "smmla " b0 ", " b0 ", r11, lr\n\t"                   \
    "smmla " b1 ", " b1 ", r11, lr\n\t"                   \
    EQ_DSP_PLUS_(a0, "r12") EQ_DSP_PLUS_(a1, "r12")

/* Rounded once. */
#define EQ_DSP_ONCE_(v, m, c) "smmla " v ", " v ", " m ", " c "\n\t"
#define EQ_DSP_PAIR_ONCE_(a0, a1, b0, b1)                                           \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_ONCE_(a0, "r10", "r12") EQ_DSP_ONCE_(a1, "r10", "r12")                   \
    EQ_DSP_ONCE_(b0, "r11", "lr") EQ_DSP_ONCE_(b1, "r11", "lr")

/* Four channels (a, b, c, d) of one pixel. */
#define EQ_DSP_FOUR_ONCE_(a, b, c, d)                                               \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_ONCE_(a, "r10", "r12") EQ_DSP_ONCE_(b, "r11", "lr")                      \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_ONCE_(c, "r10", "r12") EQ_DSP_ONCE_(d, "r11", "lr")
#define EQ_DSP_FOUR_RELU_(a, b, c, d)                                               \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(a, "r10") EQ_DSP_HIGH_(b, "r11")                                   \
    EQ_DSP_PLUS_(a, "r12") EQ_DSP_PLUS_(b, "lr")                                    \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(c, "r10") EQ_DSP_HIGH_(d, "r11")                                   \
    EQ_DSP_PLUS_(c, "r12") EQ_DSP_PLUS_(d, "lr")
#define EQ_DSP_FOUR_ANY_(a, b, c, d)                                                \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(a, "r10") EQ_DSP_HIGH_(b, "r11") EQ_DSP_AWAY_(a) EQ_DSP_AWAY_(b)   \
    EQ_DSP_PLUS_(a, "r12") EQ_DSP_PLUS_(b, "lr")                                    \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(c, "r10") EQ_DSP_HIGH_(d, "r11") EQ_DSP_AWAY_(c) EQ_DSP_AWAY_(d)   \
    EQ_DSP_PLUS_(c, "r12") EQ_DSP_PLUS_(d, "lr")
#define EQ_DSP_FOUR_FINE_(a, b, c, d) /* b and d come multiplied by 256 */          \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(a, "r10") "smmla " b ", " b ", r11, lr\n\t" EQ_DSP_PLUS_(a, "r12") \
    "ldm r0!, {r10, r11, r12, lr}\n\t"                                              \
    EQ_DSP_HIGH_(c, "r10") "smmla " d ", " d ", r11, lr\n\t" EQ_DSP_PLUS_(c, "r12")
#endif

/* Clamp n codes to lo..hi, which saturation to 8 bits does not make. */
EQ_INLINE void eq_dsp_clamp_codes(uint8_t *y, int32_t n, int32_t lo, int32_t hi, bool is_signed)
{
    const uint32_t flip = is_signed ? 0x80808080u : 0u;
    const int32_t least = is_signed ? -128 : 0;
    const uint32_t under = 0x01010101u * (uint32_t)(lo - least), over = 0x01010101u * (uint32_t)(least + 255 - hi);
    for (; n >= 4; n -= 4, y += 4) {
        uint32_t v = eq_word(y) ^ flip;
        v = eq_uqadd8(eq_uqsub8(v, under), under);
        v = eq_uqsub8(eq_uqadd8(v, over), over);
        eq_put_word(y, v ^ flip);
    }
    for (; n > 0; n--, y++) {
        *y = (uint8_t)eq_clamp32(is_signed ? (int8_t)*y : *y, lo, hi);
    }
}

#endif
