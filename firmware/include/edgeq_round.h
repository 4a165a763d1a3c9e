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
/* Rules that only fixed point has, and what masks all of them out of the rest of the word. */
enum { EQ_HALF_DOWN = 8, EQ_HALF_AWAY = 16, EQ_HALF_TO_ZERO = 24, EQ_TO_ZERO = 32, EQ_RULE = 59 };
/* Added to a rule where a number beyond the bounds does not saturate: it becomes zero, or the number of its lowest bits.
 * The node's own bounds clamp all the same: EQ_CLAMP_LO and EQ_CLAMP_HI say which of both they are. */
enum { EQ_OVER_ZERO = 64, EQ_OVER_WRAP = 128, EQ_CLAMP_LO = 256, EQ_CLAMP_HI = 512, EQ_WRAP_SIGNED_ = 1 << 16 };
#define EQ_WRAP_U(bits) (EQ_OVER_WRAP | (bits) << 10)
#define EQ_WRAP_S(bits) (EQ_WRAP_U(bits) | EQ_WRAP_SIGNED_)

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
    const int32_t kind = rule & EQ_RULE;
    if (kind == EQ_HALF_UP && s > 0) {
        v += (int32_t)(1u << (s - 1));
    } else if (kind == EQ_HALF_EVEN && s > 0) {
        v += (int32_t)(1u << (s - 1)) - 1 + (eq_asr32(v, s) & 1);
    } else if (kind == EQ_HALF_DOWN && s > 0) {
        v += (int32_t)(1u << (s - 1)) - 1;
    } else if (kind == EQ_HALF_AWAY && s > 0) {
        v += (int32_t)(1u << (s - 1)) - (v < 0 ? 1 : 0);
    } else if (kind == EQ_HALF_TO_ZERO && s > 0) {
        v += (int32_t)(1u << (s - 1)) - (v < 0 ? 0 : 1);
    } else if (kind == EQ_TO_ZERO && v < 0) {
        v += (int32_t)((1u << s) - 1u);
    }
    return eq_asr32(v, s);
}

/* v / 2^s, rounded; 0 <= s <= 62 and v plus half of 2^s fits. */
EQ_INLINE int64_t eq_round64(int64_t v, int32_t s, int32_t rule)
{
    const int32_t kind = rule & EQ_RULE;
    if (kind == EQ_HALF_UP && s > 0) {
        v += (int64_t)(1ull << (s - 1));
    } else if (kind == EQ_HALF_EVEN && s > 0) {
        v += (int64_t)(1ull << (s - 1)) - 1 + (eq_asr64(v, s) & 1);
    } else if (kind == EQ_HALF_DOWN && s > 0) {
        v += (int64_t)(1ull << (s - 1)) - 1;
    } else if (kind == EQ_HALF_AWAY && s > 0) {
        v += (int64_t)(1ull << (s - 1)) - (v < 0 ? 1 : 0);
    } else if (kind == EQ_HALF_TO_ZERO && s > 0) {
        v += (int64_t)(1ull << (s - 1)) - (v < 0 ? 0 : 1);
    } else if (kind == EQ_TO_ZERO && v < 0) {
        v += (int64_t)((1ull << s) - 1u);
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

/* Whether a tie goes up that lies above q, an odd or even one. */
EQ_INLINE bool eq_tie_up(bool negative, bool odd, int32_t rule)
{
    const int32_t kind = rule & EQ_RULE;
    return kind == EQ_HALF_UP || (kind == EQ_HALF_EVEN && odd) || (kind == EQ_HALF_AWAY && !negative) ||
           (kind == EQ_HALF_TO_ZERO && negative);
}

/* num / den, rounded; den > 0. */
EQ_INLINE int32_t eq_ratio32(int32_t num, int32_t den, int32_t rule)
{
    int32_t r;
    const int32_t q = eq_floor_div32(num, den, &r), kind = rule & EQ_RULE;
    const bool nearest = r > den - r || (r == den - r && eq_tie_up(num < 0, (q & 1) != 0, rule));
    const bool up = kind == EQ_TO_ZERO ? num < 0 && r > 0 : kind != EQ_FLOOR && nearest;
    return up ? q + 1 : q;
}

EQ_INLINE int64_t eq_ratio64(int64_t num, int64_t den, int32_t rule)
{
    int64_t r;
    const int64_t q = eq_floor_div64(num, den, &r);
    const int32_t kind = rule & EQ_RULE;
    const bool nearest = r > den - r || (r == den - r && eq_tie_up(num < 0, (q & 1) != 0, rule));
    const bool up = kind == EQ_TO_ZERO ? num < 0 && r > 0 : kind != EQ_FLOOR && nearest;
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

/* The number of the lowest bits of v, as EQ_WRAP_U and EQ_WRAP_S in `rule` count and read them. */
EQ_INLINE int64_t eq_wrap(int64_t v, int32_t rule)
{
    const int32_t unused = 64 - ((rule >> 10) & 63);
    const uint64_t high = (uint64_t)v << unused;
    return (rule & EQ_WRAP_SIGNED_) != 0 ? eq_asr64((int64_t)high, unused) : (int64_t)(high >> unused);
}

/* v within lo..hi; beyond them the nearest of both, or what `rule` says of overflow. */
EQ_INLINE int32_t eq_bound32(int32_t v, int32_t lo, int32_t hi, int32_t rule)
{
    if ((rule & (EQ_OVER_ZERO | EQ_OVER_WRAP)) == 0 || (v < lo && (rule & EQ_CLAMP_LO) != 0) ||
        (v > hi && (rule & EQ_CLAMP_HI) != 0)) {
        return eq_clamp32(v, lo, hi);
    }
    return v >= lo && v <= hi ? v : (rule & EQ_OVER_ZERO) != 0 ? 0 : (int32_t)eq_wrap(v, rule);
}

/* The same for 64 bits. */
EQ_INLINE int64_t eq_bound64(int64_t v, int64_t lo, int64_t hi, int32_t rule)
{
    if ((rule & (EQ_OVER_ZERO | EQ_OVER_WRAP)) == 0 || (v < lo && (rule & EQ_CLAMP_LO) != 0) ||
        (v > hi && (rule & EQ_CLAMP_HI) != 0)) {
        return eq_clamp64(v, lo, hi);
    }
    return v >= lo && v <= hi ? v : (rule & EQ_OVER_ZERO) != 0 ? 0 : eq_wrap(v, rule);
}

#endif
