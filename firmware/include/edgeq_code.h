/* edgeq_code.h: the code of a minifloat from an exact sum, in a few instructions: by sign, leading zeros and one shift.
 *
 * The meaning is that of eq_put in edgeq_acc.h. A code grows with its magnitude by one step at a time, across exponents
 * too: what is rounded to q steps of a binade that has k more places than the grid is the code q + k * 2^mantissa.
 */
#ifndef EDGEQ_CODE_H
#define EDGEQ_CODE_H

#include "edgeq_acc.h"

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

/* Code of m / 2^s, or of its negative, without its sign and not yet saturated; 1 <= s <= 30, m <= 2^31. */
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

/* A code with its sign, saturated: least and most are codes of magnitudes; there is one zero. */
EQ_INLINE uint32_t eq_code_bound(uint32_t code, bool negative, uint32_t least, uint32_t most, eq_type t)
{
    const uint32_t top = negative ? least : most, bound = code < top ? code : top;
    return negative && bound > 0u ? bound | 1u << (eq_width(t) - 1) : bound;
}

/* The code of v / 2^s between -least and most; 1 <= s <= 30. */
EQ_INLINE uint8_t eq_code32(int32_t v, int32_t s, uint32_t least, uint32_t most, int32_t rule, eq_type t)
{
    const bool negative = v < 0;
    const uint32_t m = negative ? 0u - (uint32_t)v : (uint32_t)v;
    return (uint8_t)eq_code_bound(eq_code_magnitude(m, negative, s, rule, t), negative, least, most, t);
}

/* The same for 64 bits, 3 <= s <= 33; magnitudes of t are below 2^28. */
EQ_INLINE uint8_t eq_code64(int64_t v, int32_t s, uint32_t least, uint32_t most, int32_t rule, eq_type t)
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

/* The output stage of all channels. */
typedef struct {
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const int8_t *shifts; /* one for each channel, or null where all are `shift` */
} eq_code_stage;

/* n channels of one pixel from o on, to y[yi] and on; sums: theirs, of 32 bits, or 64 where `wide`; quick: whether they
 * become codes in the way of this file, or in that of eq_put. */
EQ_INLINE void eq_code_put(const eq_code_stage *p, const void *sums, void *y, int32_t yi, int32_t o, int32_t n,
                           eq_type yt, int32_t rule, bool wide, bool quick)
{
    const int8_t *shifts = p->shifts;
    const uint32_t least = quick ? eq_float_code(-p->lo, yt) : 0u, most = quick ? eq_float_code(p->hi, yt) : 0u;
    for (int32_t i = 0; i < n; i++) {
        const int32_t shift = eq_channel_shift(shifts, p->shift, o + i);
        if (!quick) {
            eq_put(y, yi + i, eq_acc_start(sums, i, wide), shift, p->lo, p->hi, yt, rule, wide);
        } else if (wide) {
            ((eq_u8 *)y)[yi + i] = eq_code64(((const eq_i64 *)sums)[i], shift, least, most, rule, yt);
        } else {
            ((eq_u8 *)y)[yi + i] = eq_code32(((const eq_i32 *)sums)[i], shift, least, most, rule, yt);
        }
    }
}

#endif
