/* edgeq_round.h: the output stage: one exact rounding by a named rule, saturation, and the code of what is left.
 *
 * The meaning is that of `encode` in edgeq/formats, to the bit; docs/arithmetic.md states it. Range analysis has
 * proved that an aligned accumulator with half an output step added fits the type that is used here.
 */
#ifndef EDGEQ_ROUND_H
#define EDGEQ_ROUND_H

#include "edgeq_type.h"

/* Rounding rules. Half up to a fixed-point output has its constant folded into the bias and runs as floor. */
enum { EQ_FLOOR = 0, EQ_HALF_UP = 1, EQ_HALF_EVEN = 2 };
/* Added to a rule where some shift may be negative, so to the left. */
enum { EQ_LEFT = 4 };

/* Arithmetic shift to the right, that is floor(v / 2^s), 0 <= s below the width. C leaves the shift of negative
 * numbers to the compiler: this is the one place that relies on it, and the line below refuses another compiler. */
typedef char eq_shift_must_be_arithmetic[(-3 >> 1) == -2 ? 1 : -1];
EQ_INLINE int32_t eq_asr32(int32_t v, int32_t s) { return v >> s; }
EQ_INLINE int64_t eq_asr64(int64_t v, int32_t s) { return v >> s; }

/* v * 2^s where the product fits: by way of unsigned, because shifting a negative number to the left is undefined.
 * Conversion back is modulo 2^32 (2^64) in every compiler that passes the line above. */
EQ_INLINE int32_t eq_shl32(int32_t v, int32_t s) { return (int32_t)((uint32_t)v << s); }
EQ_INLINE int64_t eq_shl64(int64_t v, int32_t s) { return (int64_t)((uint64_t)v << s); }

/* v / 2^s, rounded; 0 <= s <= 31 and v plus half of 2^s fits. */
EQ_INLINE int32_t eq_round32(int32_t v, int32_t s, int32_t rule)
{
    if ((rule & 3) == EQ_HALF_UP && s > 0) {
        v += (int32_t)(1u << (s - 1));
    } else if ((rule & 3) == EQ_HALF_EVEN && s > 0) {
        v += (int32_t)(1u << (s - 1)) - 1 + (eq_asr32(v, s) & 1);
    }
    return eq_asr32(v, s);
}

/* v / 2^s, rounded; 0 <= s <= 62 and v plus half of 2^s fits. */
EQ_INLINE int64_t eq_round64(int64_t v, int32_t s, int32_t rule)
{
    if ((rule & 3) == EQ_HALF_UP && s > 0) {
        v += (int64_t)(1ull << (s - 1));
    } else if ((rule & 3) == EQ_HALF_EVEN && s > 0) {
        v += (int64_t)(1ull << (s - 1)) - 1 + (eq_asr64(v, s) & 1);
    }
    return eq_asr64(v, s);
}

/* floor(num / den) and what is left, 0 <= *rest < den; den > 0. */
EQ_INLINE int32_t eq_floor_div32(int32_t num, int32_t den, int32_t *rest)
{
    const int32_t q = num / den, r = num % den;
    *rest = r < 0 ? r + den : r;
    return r < 0 ? q - 1 : q;
}

EQ_INLINE int64_t eq_floor_div64(int64_t num, int64_t den, int64_t *rest)
{
    const int64_t q = num / den, r = num % den;
    *rest = r < 0 ? r + den : r;
    return r < 0 ? q - 1 : q;
}

/* num / den, rounded; den > 0. */
EQ_INLINE int32_t eq_ratio32(int32_t num, int32_t den, int32_t rule)
{
    int32_t r;
    const int32_t q = eq_floor_div32(num, den, &r);
    const bool tie = r == den - r;
    const bool up = (rule & 3) != EQ_FLOOR && (r > den - r || (tie && ((rule & 3) == EQ_HALF_UP || (q & 1) != 0)));
    return up ? q + 1 : q;
}

EQ_INLINE int64_t eq_ratio64(int64_t num, int64_t den, int32_t rule)
{
    int64_t r;
    const int64_t q = eq_floor_div64(num, den, &r);
    const bool tie = r == den - r;
    const bool up = (rule & 3) != EQ_FLOOR && (r > den - r || (tie && ((rule & 3) == EQ_HALF_UP || (q & 1) != 0)));
    return up ? q + 1 : q;
}

/* Step, as a power of two, of a minifloat in the binade of a number whose magnitude truncates to m. */
EQ_INLINE int32_t eq_float_step(uint64_t m, eq_type t)
{
    const int32_t k = eq_bit_length(m) - 1 - eq_mantissa(t);
    return k > 0 ? k : 0;
}

/* v / 2^s in minifloat steps, rounded once, not yet saturated: a grid integer. */
EQ_INLINE int64_t eq_float_round(int64_t v, int32_t s, int32_t rule, eq_type t)
{
    const uint64_t m = v < 0 ? (uint64_t)-v : (uint64_t)v;
    const int32_t k = eq_float_step(m >> s, t);
    return eq_shl64(eq_round64(v, s + k, rule), k);
}

/* num / den in minifloat steps, rounded once, not yet saturated: a grid integer. */
EQ_INLINE int64_t eq_float_ratio(int64_t num, int64_t den, int32_t rule, eq_type t)
{
    int64_t rest;
    const int64_t whole = eq_floor_div64(num, den, &rest);
    const int64_t toward_zero = whole < 0 && rest > 0 ? whole + 1 : whole;
    const int32_t k = eq_float_step(toward_zero < 0 ? (uint64_t)-toward_zero : (uint64_t)toward_zero, t);
    if (k == 0) {
        return eq_ratio64(num, den, rule);
    }
    /* num / den / 2^k = q + (r + rest / den) / 2^k */
    const int64_t q = eq_asr64(whole, k), r = whole - eq_shl64(q, k), half = (int64_t)(1ull << (k - 1));
    const bool tie = r == half && rest == 0;
    const bool above = r > half || (r == half && rest > 0);
    const bool up = (rule & 3) != EQ_FLOOR && (above || (tie && ((rule & 3) == EQ_HALF_UP || (q & 1) != 0)));
    return eq_shl64(up ? q + 1 : q, k);
}

EQ_INLINE int32_t eq_min(int32_t a, int32_t b) { return a < b ? a : b; }
EQ_INLINE int32_t eq_clamp32(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }
EQ_INLINE int64_t eq_clamp64(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

#endif
