/* edgeq_code.h: the code of a minifloat from an exact sum, in a few instructions: by sign, leading zeros and one shift.
 *
 * The meaning is that of eq_float_round in edgeq_round.h, bounds and all. A code grows with its magnitude by one step at a time, across exponents
 * too: what is rounded to q steps of a binade that has k more places than the grid is the code q + k * 2^mantissa.
 */
#ifndef EDGEQ_CODE_H
#define EDGEQ_CODE_H

#include "edgeq_round.h"

/* Places of a sum below the grid that are left of a sum of 64 bits; what lies below makes the last of them odd. */
enum { EQ_CODE_PLACES = 2 };

/* Number of leading zeros; v > 0. */
EQ_INLINE int32_t eq_leading_zeros(uint32_t v)
{
#if defined(__GNUC__)
    return __builtin_clz(v);
#else
    return 32 - eq_bit_length(v);
#endif
}

/* Code of m / 2^s, or of its negative, without its sign and not yet saturated; 1 <= s <= 31, m <= 2^31. */
EQ_INLINE uint32_t eq_code_magnitude(uint32_t m, bool negative, int32_t s, int32_t rule, eq_type t)
{
    const int32_t room = 31 - eq_mantissa(t) - s - eq_leading_zeros(m | 1u), k = room > 0 ? room : 0;
    const int32_t shift = s + k, kind = rule & EQ_RULE;
    const uint32_t half = 1u << (shift - 1);
    if (kind == EQ_HALF_EVEN) {
        m += half - 1u + (m >> shift & 1u);
    } else if (kind == EQ_HALF_UP) {
        m += half - (negative ? 1u : 0u);
    } else if (negative) {
        m += 2u * half - 1u;
    }
    return (m >> shift) + ((uint32_t)k << eq_mantissa(t));
}

/* A code with its sign, saturated: least and most are keys, codes of magnitudes with the sign of the number. */
EQ_INLINE uint32_t eq_code_bound(uint32_t code, bool negative, int32_t least, int32_t most, eq_type t)
{
    return eq_key_code(eq_clamp32(negative ? -(int32_t)code : (int32_t)code, least, most), t);
}

/* The key of a bound, a grid integer that t holds. */
EQ_INLINE int32_t eq_code_key(int64_t grid, eq_type t)
{
    return grid < 0 ? -(int32_t)eq_float_code(-grid, t) : (int32_t)eq_float_code(grid, t);
}

/* Whether magnitudes of a minifloat are below 2^28. */
EQ_INLINE bool eq_code_fits(eq_type t) { return eq_mantissa(t) + (1 << eq_exponent(t)) - 1 <= 28; }

/* The code of v / 2^s between two keys, whatever s; magnitudes of t are below 2^28. */
EQ_INLINE uint8_t eq_code32(int32_t v, int32_t s, int32_t least, int32_t most, int32_t rule, eq_type t)
{
    const bool negative = v < 0;
    uint32_t m = negative ? 0u - (uint32_t)v : (uint32_t)v;
    if (s < 1) {
        /* What leaves 31 bits is beyond every magnitude. */
        const int32_t p = eq_min(1 - s, 31);
        m = m > 0x80000000u >> p ? 0x80000000u : m << p;
        s = 1;
    } else if (s > 31) {
        /* What is lost makes the last place odd. */
        const int32_t p = eq_min(s - 31, 31);
        m = m >> p | ((m & ((1u << p) - 1u)) != 0u ? 1u : 0u);
        s = 31;
    }
    return (uint8_t)eq_code_bound(eq_code_magnitude(m, negative, s, rule, t), negative, least, most, t);
}

/* The same for 64 bits, 3 <= s <= 33. */
EQ_INLINE uint8_t eq_code64(int64_t v, int32_t s, int32_t least, int32_t most, int32_t rule, eq_type t)
{
    const bool negative = v < 0;
    const uint64_t m = negative ? 0u - (uint64_t)v : (uint64_t)v;
    const uint32_t low = (uint32_t)m, high = (uint32_t)(m >> 32);
    const int32_t p = s - EQ_CODE_PLACES;
    const uint32_t lost = low << (32 - p), kept = low >> p | high << (32 - p) | (lost != 0u ? 1u : 0u);
    /* Beyond 31 bits is beyond every magnitude. */
    const uint32_t near = high >> (p - 1) != 0u ? 0x7FFFFFFFu : kept;
    return (uint8_t)eq_code_bound(eq_code_magnitude(near, negative, EQ_CODE_PLACES, rule, t), negative, least, most, t);
}

#endif
