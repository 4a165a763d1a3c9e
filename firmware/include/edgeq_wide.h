/* edgeq_wide.h: numbers of 128 bits in two words of 64, for sums beyond 63 bits, and their output stage.
 *
 * C99 has no such integers. Range analysis has proved that a sum, aligned and with half an output step, stays below 2^94;
 * the operands of a product stay below 2^34.
 */
#ifndef EDGEQ_WIDE_H
#define EDGEQ_WIDE_H

#include "edgeq_round.h"

/* high * 2^64 + low */
typedef struct {
    int64_t high;
    uint64_t low;
} eq_wide;

EQ_INLINE eq_wide eq_wide_of(int64_t v)
{
    const eq_wide a = {v < 0 ? -1 : 0, (uint64_t)v};
    return a;
}

EQ_INLINE eq_wide eq_wide_add(eq_wide a, eq_wide b)
{
    const uint64_t low = a.low + b.low;
    const eq_wide sum = {a.high + b.high + (low < a.low ? 1 : 0), low};
    return sum;
}

EQ_INLINE eq_wide eq_wide_negate(eq_wide a)
{
    const eq_wide n = {-a.high - (a.low != 0u ? 1 : 0), 0u - a.low};
    return n;
}

EQ_INLINE bool eq_wide_less(eq_wide a, eq_wide b) { return a.high < b.high || (a.high == b.high && a.low < b.low); }

/* a * 2^s, 0 <= s <= 127; what leaves 128 bits is lost. */
EQ_INLINE eq_wide eq_wide_shl(eq_wide a, int32_t s)
{
    const uint64_t high = (uint64_t)a.high;
    const uint64_t up = s >= 64 ? a.low << (s - 64) : s > 0 ? high << s | a.low >> (64 - s) : high;
    const eq_wide v = {(int64_t)up, s >= 64 ? 0u : a.low << s};
    return v;
}

/* floor(a / 2^s), 0 <= s <= 127 */
EQ_INLINE eq_wide eq_wide_asr(eq_wide a, int32_t s)
{
    const uint64_t high = (uint64_t)a.high;
    const uint64_t down = s >= 64 ? (uint64_t)eq_asr64(a.high, s - 64) : s > 0 ? a.low >> s | high << (64 - s) : a.low;
    const eq_wide v = {eq_asr64(a.high, s >= 64 ? 63 : s), down};
    return v;
}

/* v * w: v times what is above the lowest 16 bits of w, and v times these, in 64 bits each. */
EQ_INLINE eq_wide eq_wide_product(int64_t v, int64_t w)
{
    const int64_t above = v * eq_asr64(w, 16), below = v * (w & 0xFFFF), sum = above + eq_asr64(below, 16);
    const eq_wide product = {eq_asr64(sum, 48), (uint64_t)sum << 16 | ((uint64_t)below & 0xFFFFu)};
    return product;
}

/* v / 2^s, rounded; 0 <= s <= 126 */
EQ_INLINE eq_wide eq_wide_round(eq_wide v, int32_t s, int32_t rule)
{
    const bool negative = v.high < 0;
    const eq_wide q = eq_wide_asr(v, s), lost = s > 0 ? eq_wide_shl(v, 128 - s) : eq_wide_of(0);
    /* The bit below the floor, and whether anything lies below that. */
    const bool half = lost.high < 0, sticky = ((uint64_t)lost.high << 1 | lost.low) != 0u;
    const bool nearest = half && (sticky || eq_tie_up(negative, (q.low & 1u) != 0u, rule));
    const int32_t kind = rule & EQ_RULE;
    const bool up = kind == EQ_TO_ZERO ? negative && (half || sticky) : kind != EQ_FLOOR && nearest;
    return up ? eq_wide_add(q, eq_wide_of(1)) : q;
}

/* v within lo..hi; beyond them the nearest of both, or what `rule` says of overflow. */
EQ_INLINE int64_t eq_wide_bound(eq_wide v, int64_t lo, int64_t hi, int32_t rule)
{
    if (v.high == eq_asr64((int64_t)v.low, 63)) {
        return eq_bound64((int64_t)v.low, lo, hi, rule);
    }
    /* Beyond 64 bits is beyond every bound: of such a number only its sign counts, or its lowest bits. */
    const bool below = v.high < 0, clamps = (rule & (below ? EQ_CLAMP_LO : EQ_CLAMP_HI)) != 0;
    if ((rule & EQ_OVER_WRAP) != 0 && !clamps) {
        return eq_wrap((int64_t)v.low, rule);
    }
    return eq_bound64(below ? INT64_MIN : INT64_MAX, lo, hi, rule);
}

/* v / 2^s in minifloat steps, rounded once, saturated: a grid integer. */
EQ_INLINE int64_t eq_wide_float(eq_wide v, int32_t s, int64_t lo, int64_t hi, int32_t rule, eq_type t)
{
    const bool negative = v.high < 0;
    const eq_wide m = eq_wide_asr(negative ? eq_wide_negate(v) : v, s);
    /* No magnitude of a minifloat has 40 bits. */
    if (m.high != 0 || m.low >> 40 != 0u) {
        return negative ? lo : hi;
    }
    const int32_t k = eq_float_step(m.low, t);
    return eq_clamp64(eq_shl64((int64_t)eq_wide_round(v, s + k, rule).low, k), lo, hi);
}

/* y[i] = v / 2^shift: rounded by `rule`, brought within lo..hi as it says, encoded. Many places in a kernel call it. */
EQ_SHARED void eq_wide_put(void *y, int32_t i, eq_wide v, int32_t shift, int64_t lo, int64_t hi, eq_type yt,
                           int32_t rule)
{
    const eq_wide aligned = shift < 0 ? eq_wide_shl(v, -shift) : v;
    const int32_t right = shift < 0 ? 0 : shift;
    eq_store64(y, i,
               eq_is_float(yt) ? eq_wide_float(aligned, right, lo, hi, rule, yt)
                               : eq_wide_bound(eq_wide_round(aligned, right, rule), lo, hi, rule),
               yt);
}

#endif
