/* edgeq_dsp.h: the DSP instructions that kernels use, and their meaning in C for machines that lack them.
 *
 * The names are those of the Arm architecture. Where EQ_DSP_ASM is 0 every function below is plain C of the same
 * result, so that a project made for a Cortex-M with DSP also runs its self-test on any other computer.
 */
#ifndef EDGEQ_DSP_H
#define EDGEQ_DSP_H

#include "edgeq_kernel.h"

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
#define EQ_DSP_ASM 1
#else
#define EQ_DSP_ASM 0
#endif

/* Two 16-bit lanes as one word. */
EQ_INLINE uint32_t eq_lanes(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | (uint32_t)high << 16;
}

EQ_INLINE int32_t eq_low_lane(uint32_t v) { return (int16_t)(uint16_t)v; }
EQ_INLINE int32_t eq_high_lane(uint32_t v) { return (int16_t)(uint16_t)(v >> 16); }

#if EQ_DSP_ASM
#define EQ_DSP_UNARY_(name, text)                           \
    EQ_INLINE uint32_t name(uint32_t a)                     \
    {                                                       \
        uint32_t r;                                         \
        __asm__(text : "=r"(r) : "r"(a));                   \
        return r;                                           \
    }
#define EQ_DSP_BINARY_(name, text)                          \
    EQ_INLINE uint32_t name(uint32_t a, uint32_t b)         \
    {                                                       \
        uint32_t r;                                         \
        __asm__(text : "=r"(r) : "r"(a), "r"(b));           \
        return r;                                           \
    }
#define EQ_DSP_SUM_(name, text)                             \
    EQ_INLINE int32_t name(uint32_t a, uint32_t b, int32_t c) \
    {                                                       \
        int32_t r;                                          \
        __asm__(text : "=r"(r) : "r"(a), "r"(b), "r"(c));   \
        return r;                                           \
    }

EQ_DSP_UNARY_(eq_sxtb16, "sxtb16 %0, %1")
EQ_DSP_UNARY_(eq_uxtb16, "uxtb16 %0, %1")
EQ_DSP_UNARY_(eq_sxtb16_8, "sxtb16 %0, %1, ror #8")
EQ_DSP_UNARY_(eq_uxtb16_8, "uxtb16 %0, %1, ror #8")
EQ_DSP_BINARY_(eq_qadd8, "qadd8 %0, %1, %2")
EQ_DSP_BINARY_(eq_qsub8, "qsub8 %0, %1, %2")
EQ_DSP_BINARY_(eq_uqadd8, "uqadd8 %0, %1, %2")
EQ_DSP_BINARY_(eq_uqsub8, "uqsub8 %0, %1, %2")
EQ_DSP_BINARY_(eq_ssub16, "ssub16 %0, %1, %2")
EQ_DSP_BINARY_(eq_pkhbt, "pkhbt %0, %1, %2, lsl #16")
EQ_DSP_BINARY_(eq_pkhtb, "pkhtb %0, %2, %1, asr #16")
EQ_DSP_BINARY_(eq_sxtab16, "sxtab16 %0, %1, %2")
EQ_DSP_BINARY_(eq_uxtab16, "uxtab16 %0, %1, %2")
EQ_DSP_BINARY_(eq_sxtab16_8, "sxtab16 %0, %1, %2, ror #8")
EQ_DSP_BINARY_(eq_uxtab16_8, "uxtab16 %0, %1, %2, ror #8")
EQ_DSP_SUM_(eq_smlad, "smlad %0, %1, %2, %3")
EQ_DSP_SUM_(eq_smmla, "smmla %0, %1, %2, %3")
EQ_DSP_SUM_(eq_smmlar, "smmlar %0, %1, %2, %3")
EQ_DSP_SUM_(eq_smlawb, "smlawb %0, %1, %2, %3")
EQ_DSP_SUM_(eq_smlawt, "smlawt %0, %1, %2, %3")

/* The greater of each pair of bytes. */
EQ_INLINE uint32_t eq_max8(uint32_t a, uint32_t b, bool is_signed)
{
    uint32_t r;
    if (is_signed) {
        __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(r) : "r"(a), "r"(b) : "cc");
    } else {
        __asm__("usub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(r) : "r"(a), "r"(b) : "cc");
    }
    return r;
}

/* The difference of each pair of bytes, modulo 2^8. */
EQ_INLINE uint32_t eq_less8(uint32_t a, uint32_t b)
{
    uint32_t r;
    __asm__("usub8 %0, %1, %2" : "=r"(r) : "r"(a), "r"(b) : "cc");
    return r;
}

/* Each byte of v, negative where that of code is at least `sign`. */
EQ_INLINE uint32_t eq_negate8(uint32_t v, uint32_t code, uint32_t sign)
{
    uint32_t r;
    __asm__("usub8 %0, %2, %3\n\tusub8 %1, %1, %4\n\tsel %0, %0, %3"
            : "=&r"(r), "+&r"(code)
            : "r"(0), "r"(v), "r"(sign)
            : "cc");
    return r;
}

#undef EQ_DSP_UNARY_
#undef EQ_DSP_BINARY_
#undef EQ_DSP_SUM_
#else
EQ_INLINE int32_t eq_byte(uint32_t v, int32_t i) { return (int8_t)(uint8_t)(v >> (8 * i)); }

/* Bytes 0 and 2 (`_8`: 1 and 3) as lanes, sign- or zero-extended. */
EQ_INLINE uint32_t eq_sxtb16(uint32_t a) { return eq_lanes(eq_byte(a, 0), eq_byte(a, 2)); }
EQ_INLINE uint32_t eq_uxtb16(uint32_t a) { return a & 0x00FF00FFu; }
EQ_INLINE uint32_t eq_sxtb16_8(uint32_t a) { return eq_sxtb16(a >> 8); }
EQ_INLINE uint32_t eq_uxtb16_8(uint32_t a) { return a >> 8 & 0x00FF00FFu; }

/* The four bytes of a plus or minus those of b, each saturated: signed to -128..127, unsigned (u) to 0..255. */
EQ_INLINE uint32_t eq_bytes_sum(uint32_t a, uint32_t b, int32_t sign, bool is_signed)
{
    uint32_t r = 0;
    for (int32_t i = 0; i < 4; i++) {
        const int32_t x = is_signed ? eq_byte(a, i) : (int32_t)(a >> (8 * i) & 0xFFu);
        const int32_t y = is_signed ? eq_byte(b, i) : (int32_t)(b >> (8 * i) & 0xFFu);
        const int32_t sum = eq_clamp32(x + sign * y, is_signed ? -128 : 0, is_signed ? 127 : 255);
        r |= ((uint32_t)sum & 0xFFu) << (8 * i);
    }
    return r;
}

EQ_INLINE uint32_t eq_qadd8(uint32_t a, uint32_t b) { return eq_bytes_sum(a, b, 1, true); }
EQ_INLINE uint32_t eq_qsub8(uint32_t a, uint32_t b) { return eq_bytes_sum(a, b, -1, true); }
EQ_INLINE uint32_t eq_uqadd8(uint32_t a, uint32_t b) { return eq_bytes_sum(a, b, 1, false); }
EQ_INLINE uint32_t eq_uqsub8(uint32_t a, uint32_t b) { return eq_bytes_sum(a, b, -1, false); }

/* Lanes of a minus lanes of b. */
EQ_INLINE uint32_t eq_ssub16(uint32_t a, uint32_t b)
{
    return ((a - b) & 0xFFFFu) | ((a & 0xFFFF0000u) - (b & 0xFFFF0000u));
}

/* The low lanes of a and b; the high lanes of a and b. */
EQ_INLINE uint32_t eq_pkhbt(uint32_t a, uint32_t b) { return (a & 0xFFFFu) | b << 16; }
EQ_INLINE uint32_t eq_pkhtb(uint32_t a, uint32_t b) { return a >> 16 | (b & 0xFFFF0000u); }

/* Lanes of a plus bytes 0 and 2 (`_8`: 1 and 3) of b. */
EQ_INLINE uint32_t eq_lanes_sum(uint32_t a, uint32_t b)
{
    return ((a + b) & 0xFFFFu) | ((a & 0xFFFF0000u) + (b & 0xFFFF0000u));
}
EQ_INLINE uint32_t eq_sxtab16(uint32_t a, uint32_t b) { return eq_lanes_sum(a, eq_sxtb16(b)); }
EQ_INLINE uint32_t eq_uxtab16(uint32_t a, uint32_t b) { return eq_lanes_sum(a, eq_uxtb16(b)); }
EQ_INLINE uint32_t eq_sxtab16_8(uint32_t a, uint32_t b) { return eq_lanes_sum(a, eq_sxtb16_8(b)); }
EQ_INLINE uint32_t eq_uxtab16_8(uint32_t a, uint32_t b) { return eq_lanes_sum(a, eq_uxtb16_8(b)); }

/* The greater of each pair of bytes. */
EQ_INLINE uint32_t eq_max8(uint32_t a, uint32_t b, bool is_signed)
{
    uint32_t r = 0;
    for (int32_t i = 0; i < 4; i++) {
        const uint32_t x = a >> (8 * i) & 0xFFu, y = b >> (8 * i) & 0xFFu, top = is_signed ? 0x80u : 0u;
        r |= ((x ^ top) > (y ^ top) ? x : y) << (8 * i);
    }
    return r;
}

/* The difference of each pair of bytes, modulo 2^8: the top bits keep borrows apart. */
EQ_INLINE uint32_t eq_less8(uint32_t a, uint32_t b)
{
    return ((a | 0x80808080u) - (b & 0x7F7F7F7Fu)) ^ ((a ^ ~b) & 0x80808080u);
}

/* Each byte of v, negative where that of code is at least `sign`. */
EQ_INLINE uint32_t eq_negate8(uint32_t v, uint32_t code, uint32_t sign)
{
    uint32_t r = 0;
    for (int32_t i = 0; i < 32; i += 8) {
        const uint32_t byte = v >> i & 0xFFu;
        r |= ((code >> i & 0xFFu) >= (sign >> i & 0xFFu) ? (0u - byte) & 0xFFu : byte) << i;
    }
    return r;
}

/* Both products of lanes plus c, modulo 2^32. */
EQ_INLINE int32_t eq_smlad(uint32_t a, uint32_t b, int32_t c)
{
    const uint32_t low = (uint32_t)(eq_low_lane(a) * eq_low_lane(b));
    const uint32_t high = (uint32_t)(eq_high_lane(a) * eq_high_lane(b));
    return (int32_t)(low + high + (uint32_t)c);
}

/* c + a * b / 2^32, rounded down, or (`r`) half up; modulo 2^32. */
EQ_INLINE int32_t eq_smmla(uint32_t a, uint32_t b, int32_t c)
{
    return (int32_t)((uint32_t)c + (uint32_t)eq_asr64((int64_t)(int32_t)a * (int32_t)b, 32));
}
EQ_INLINE int32_t eq_smmlar(uint32_t a, uint32_t b, int32_t c)
{
    return (int32_t)((uint32_t)c + (uint32_t)eq_asr64((int64_t)(int32_t)a * (int32_t)b + 2147483648ll, 32));
}

/* c + a * low (`t`: high) lane of b / 2^16, rounded down; modulo 2^32. */
EQ_INLINE int32_t eq_smlawb(uint32_t a, uint32_t b, int32_t c)
{
    return (int32_t)((uint32_t)c + (uint32_t)eq_asr64((int64_t)(int32_t)a * eq_low_lane(b), 16));
}
EQ_INLINE int32_t eq_smlawt(uint32_t a, uint32_t b, int32_t c)
{
    return (int32_t)((uint32_t)c + (uint32_t)eq_asr64((int64_t)(int32_t)a * eq_high_lane(b), 16));
}
#endif

/* Bytes 0 and 2, or 1 and 3, as lanes. */
EQ_INLINE uint32_t eq_even(uint32_t v, bool is_signed) { return is_signed ? eq_sxtb16(v) : eq_uxtb16(v); }
EQ_INLINE uint32_t eq_odd(uint32_t v, bool is_signed) { return is_signed ? eq_sxtb16_8(v) : eq_uxtb16_8(v); }

/* Four neighbouring channels summed over up to 256 elements: lanes of bytes 0 and 2, and of bytes 1 and 3. */
typedef struct {
    uint32_t even, odd;
} eq_dsp_sums;

EQ_INLINE void eq_dsp_sum_word(eq_dsp_sums *s, uint32_t v, bool is_signed)
{
    s->even = is_signed ? eq_sxtab16(s->even, v) : eq_uxtab16(s->even, v);
    s->odd = is_signed ? eq_sxtab16_8(s->odd, v) : eq_uxtab16_8(s->odd, v);
}

/* Adds n elements that lie `step` bytes apart. */
EQ_INLINE void eq_dsp_sum_run(eq_dsp_sums *s, const uint8_t *x, int32_t step, int32_t n, bool is_signed)
{
    for (; n >= 4; n -= 4, x += step) {
        eq_dsp_sum_word(s, eq_word(x), is_signed);
        x += step;
        eq_dsp_sum_word(s, eq_word(x), is_signed);
        x += step;
        eq_dsp_sum_word(s, eq_word(x), is_signed);
        x += step;
        eq_dsp_sum_word(s, eq_word(x), is_signed);
    }
    for (; n > 0; n--, x += step) {
        eq_dsp_sum_word(s, eq_word(x), is_signed);
    }
}

/* The sum of channel i of the four. */
EQ_INLINE int32_t eq_dsp_sum_of(const eq_dsp_sums *s, int32_t i, bool is_signed)
{
    const uint32_t lanes = i % 2 == 0 ? s->even : s->odd, lane = i < 2 ? lanes & 0xFFFFu : lanes >> 16;
    return is_signed ? (int16_t)(uint16_t)lane : (int32_t)lane;
}

/* How an output code is saturated: to 8 bits signed, 8 unsigned, or 7 unsigned (a ReLU in a signed byte). */
enum { EQ_SAT_S8, EQ_SAT_U8, EQ_SAT_U7 };

#if EQ_DSP_ASM
#define EQ_DSP_SAT_(OP, BITS, r) OP " " r ", " BITS ", " r "\n\t"
#endif

/* Shift by up to 255: beyond 31 only the sign is left. */
EQ_INLINE int32_t eq_dsp_asr(int32_t v, uint32_t s) { return eq_asr32(v, (int32_t)(s > 31u ? 31u : s)); }

#if EQ_DSP_ASM && !defined(__clang__)
/* GCC moves the bounds into registers before it looks for saturations; clang finds them in the C below. */
EQ_INLINE int32_t eq_saturate(int32_t v, int32_t sat)
{
    int32_t r;
    if (sat == EQ_SAT_S8) {
        __asm__("ssat %0, #8, %1" : "=r"(r) : "r"(v));
    } else if (sat == EQ_SAT_U8) {
        __asm__("usat %0, #8, %1" : "=r"(r) : "r"(v));
    } else {
        __asm__("usat %0, #7, %1" : "=r"(r) : "r"(v));
    }
    return r;
}

/* v / 2^shift, 0 <= shift <= 31, rounded down and saturated: one instruction where the shift is known. */
EQ_INLINE int32_t eq_saturate_asr(int32_t v, int32_t shift, int32_t sat)
{
    int32_t r;
    if (!__builtin_constant_p(shift) || shift == 0) {
        r = eq_saturate(eq_asr32(v, shift), sat);
    } else if (sat == EQ_SAT_S8) {
        __asm__("ssat %0, #8, %1, asr %2" : "=r"(r) : "r"(v), "I"(shift));
    } else if (sat == EQ_SAT_U8) {
        __asm__("usat %0, #8, %1, asr %2" : "=r"(r) : "r"(v), "I"(shift));
    } else {
        __asm__("usat %0, #7, %1, asr %2" : "=r"(r) : "r"(v), "I"(shift));
    }
    return r;
}
#else
EQ_INLINE int32_t eq_saturate(int32_t v, int32_t sat)
{
    return eq_clamp32(v, sat == EQ_SAT_S8 ? -128 : 0, sat == EQ_SAT_U8 ? 255 : 127);
}

/* v / 2^shift, 0 <= shift <= 31, rounded down and saturated. */
EQ_INLINE int32_t eq_saturate_asr(int32_t v, int32_t shift, int32_t sat)
{
    return eq_saturate(eq_asr32(v, shift), sat);
}
#endif

/* The code of a sum: / 2^shift, or, if `divide`, * 2^shift / divisor; rounded by `rule`, saturated. */
EQ_INLINE uint8_t eq_dsp_mean_code(int32_t sum, int32_t shift, int32_t divisor, bool divide, int32_t rule, int32_t sat)
{
    const int32_t v = divide ? eq_ratio32(eq_shl32(sum, shift), divisor, rule) : eq_round32(sum, shift, rule);
    return (uint8_t)eq_saturate(v, sat);
}

/* Clamp n saturated codes to lo..hi, which hold zero. */
EQ_INLINE void eq_dsp_clamp(uint8_t *y, int32_t n, int32_t lo, int32_t hi, int32_t sat)
{
    const uint32_t over = 0x01010101u * (uint32_t)(sat == EQ_SAT_S8 ? 127 - hi : 255 - hi);
    const uint32_t under = 0x01010101u * (uint32_t)(sat == EQ_SAT_S8 ? lo + 128 : 0);
    for (; n >= 4; n -= 4, y += 4) {
        uint32_t v = eq_word(y);
        if (sat == EQ_SAT_S8) {
            v = eq_qsub8(eq_qadd8(v, over), over);
            v = eq_qadd8(eq_qsub8(v, under), under);
        } else {
            v = eq_uqsub8(eq_uqadd8(v, over), over);
        }
        eq_put_word(y, v);
    }
    for (; n > 0; n--, y++) {
        const int32_t v = sat == EQ_SAT_S8 ? (int8_t)*y : *y;
        *y = (uint8_t)eq_clamp32(v, lo, hi);
    }
}

#endif
