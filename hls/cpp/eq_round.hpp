// Rounding by a power of two, saturation, exact division: what output stages share. Not stages themselves.
//
// Rules: 0 half_up, 1 half_even, 2 floor, 3 tflite (in eq_scale), 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero
// (docs/arithmetic.md); 8 to odd (in eq_divide), for a stage behind that rounds once more: a quotient that is not exact
// ends in a one.
// Overflow: what becomes of a number beyond the bounds: 0 the bound, 1 zero, 2 its lowest bits (1 and 2: no zero point).
// Clamp, with overflow 1 and 2: bit 0: the lower bound clamps all the same, bit 1: the upper one does.
#ifndef EQ_ROUND_HPP
#define EQ_ROUND_HPP

#include "eq_types.hpp"

// x / 2^right, rounded; right is 0 or more and may be greater than WIDTH.
template <int WIDTH>
ap_int<WIDTH + 1> eq_rounded(const ap_int<WIDTH>& x, int right, int rule) {
#pragma HLS INLINE
    // From WIDTH + 1 places on, the result does not change any more.
    const int places = right > WIDTH + 1 ? WIDTH + 1 : right;
    const ap_int<WIDTH + 3> twice = ap_int<WIDTH + 3>(x) << 1;
    const ap_int<WIDTH + 3> below = (ap_int<WIDTH + 3>(1) << places) - 1;
    const ap_int<WIDTH + 3> shifted = twice >> places;
    // The bit below the floor, and whether anything lies below that.
    const bool guard = shifted[0];
    const bool sticky = (twice & below) != 0;
    const ap_int<WIDTH + 1> floor = shifted >> 1;
    const bool odd = floor[0];
    const bool negative = x < 0;
    const bool up = rule == 0   ? guard
                    : rule == 1 ? guard && (sticky || odd)
                    : rule == 4 ? guard && (sticky || !negative)
                    : rule == 5 ? guard && sticky
                    : rule == 6 ? guard && (sticky || negative)
                    : rule == 7 ? negative && (guard || sticky)
                                : false;
    return floor + ap_int<2>(up ? 1 : 0);
}

// The code of a grid integer: clamped to lo..hi, plus the zero point.
template <int OUT_BITS, int WIDTH>
ap_uint<OUT_BITS> eq_code(const ap_int<WIDTH>& grid, long long lo, long long hi, long long zero) {
#pragma HLS INLINE
    const ap_uint<OUT_BITS> kept = grid < lo   ? ap_uint<OUT_BITS>(lo)
                                   : grid > hi ? ap_uint<OUT_BITS>(hi)
                                               : ap_uint<OUT_BITS>(grid);
    return kept + ap_uint<OUT_BITS>(zero);
}

// The same where a number beyond the bounds may become zero or its lowest bits; there is no zero point then.
template <int OUT_BITS, int OVERFLOW, int CLAMP, int WIDTH>
ap_uint<OUT_BITS> eq_code_overflowing(const ap_int<WIDTH>& grid, long long lo, long long hi, long long zero) {
#pragma HLS INLINE
    const bool below = grid < lo, above = grid > hi;
    if (OVERFLOW == 0 || (below && (CLAMP & 1) != 0) || (above && (CLAMP & 2) != 0))
        return eq_code<OUT_BITS>(grid, lo, hi, zero);
    return OVERFLOW == 1 && (below || above) ? ap_uint<OUT_BITS>(0) : ap_uint<OUT_BITS>(grid);
}

// Bits of the quotients that may lie within bounds.
constexpr long long eq_magnitude(long long v) {
    return v < 0 ? -v : v;
}
constexpr int eq_bits(long long v) {
    return v <= 0 ? 0 : 1 + eq_bits(v >> 1);
}
constexpr int eq_quotient_bits(long long lo, long long hi) {
    return eq_bits((eq_magnitude(lo) > eq_magnitude(hi) ? eq_magnitude(lo) : eq_magnitude(hi)) + 1);
}

// code[i] = clamp(round(num[i] * 2^LEFT / (den * 2^RIGHT)), LO, HI) + ZERO, a bit of all quotients a cycle; den > 0.
// The first step tells whether the quotient is beyond the bounds, the last compares the remainder with half.
template <int LANES, int NUM_BITS, int DEN_BITS, int LEFT, int RIGHT, int RULE, long long LO, long long HI,
          long long ZERO, int OUT_BITS>
void eq_divide(const ap_int<NUM_BITS> num[LANES], const ap_uint<DEN_BITS>& den, ap_uint<OUT_BITS> code[LANES]) {
    constexpr int Q = eq_quotient_bits(LO, HI);
    constexpr int MAGNITUDE = NUM_BITS + LEFT;
    constexpr int REST = eq_greater(MAGNITUDE > Q ? MAGNITUDE - Q : 1, DEN_BITS + RIGHT) + 2;
    ap_uint<REST> rest[LANES];
    ap_uint<MAGNITUDE + Q> bits[LANES];
    ap_uint<Q> quotient[LANES];
    bool beyond[LANES];
#pragma HLS ARRAY_PARTITION variable=rest complete
#pragma HLS ARRAY_PARTITION variable=bits complete
#pragma HLS ARRAY_PARTITION variable=quotient complete
#pragma HLS ARRAY_PARTITION variable=beyond complete
    const ap_uint<REST> divisor = ap_uint<REST>(den) << RIGHT;
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
        const ap_int<NUM_BITS + 1> wide = num[lane];
        const ap_uint<NUM_BITS> magnitude = wide < 0 ? ap_int<NUM_BITS + 1>(-wide) : wide;
        bits[lane] = ap_uint<MAGNITUDE + Q>(magnitude) << LEFT;
        rest[lane] = bits[lane] >> Q;
        quotient[lane] = 0;
        beyond[lane] = rest[lane] >= divisor;
    }
divide:
    for (int bit = Q - 1; bit >= 0; bit--) {
#pragma HLS PIPELINE II=1
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<REST> trial = (rest[lane] << 1) | ap_uint<REST>(bits[lane][bit]);
            const bool fits = trial >= divisor;
            rest[lane] = fits ? ap_uint<REST>(trial - divisor) : trial;
            quotient[lane] = (quotient[lane] << 1) | ap_uint<Q>(fits ? 1 : 0);
        }
    }
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
        const ap_uint<REST + 1> twice = ap_uint<REST + 1>(rest[lane]) << 1;
        const bool negative = num[lane] < 0, half = twice >= divisor, tie = twice == divisor, some = rest[lane] != 0;
        const bool up = RULE == 0   ? half && !(negative && tie)
                        : RULE == 1 ? half && (!tie || quotient[lane][0])
                        : RULE == 2 ? negative && some
                        : RULE == 5 ? half && !(!negative && tie)
                        : RULE == 6 ? half && !tie
                        : RULE == 7 ? false
                        : RULE == 8 ? some && !quotient[lane][0]
                                    : half;
        ap_int<Q + 3> value = quotient[lane] + ap_uint<1>(up);
        if (beyond[lane]) value = ap_int<Q + 3>(1) << Q;
        if (negative) value = -value;
        code[lane] = eq_code<OUT_BITS>(value, LO, HI, ZERO);
    }
}

#endif
