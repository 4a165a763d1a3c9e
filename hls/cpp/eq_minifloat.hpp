// An integer divided by a power of two, rounded to a minifloat, saturated, as a code. Part of the output stage eq_shift.
//
// The step of a result is 1 on the grid of the smallest subnormal, or what leaves MANTISSA + 1 bits of the truncated
// number. A magnitude of q steps of 2^t has the code (t << MANTISSA) + q, whether q is subnormal, normal, or carried into
// the next exponent.
#ifndef EQ_MINIFLOAT_HPP
#define EQ_MINIFLOAT_HPP

#include "eq_round.hpp"

// x / 2^right; lo, hi: bounds, codes of magnitudes, lo negative for a number below zero.
template <int EXPONENT, int MANTISSA, int STEP_MAX, int WIDTH>
ap_uint<1 + EXPONENT + MANTISSA> eq_minifloat(const ap_int<WIDTH>& x, int right, int rule, long long lo, long long hi) {
#pragma HLS INLINE
    static_assert(WIDTH <= 128, "the search for the leading one");
    const ap_int<WIDTH + 1> wide = x;
    const ap_uint<WIDTH> magnitude = wide < 0 ? ap_int<WIDTH + 1>(-wide) : wide;
    int place = 0;
    ap_uint<WIDTH> rest = magnitude;
    for (int half = 64; half > 0; half /= 2) {
        if (half < WIDTH && (rest >> half) != 0) {
            rest >>= half;
            place += half;
        }
    }
    const int wanted = place - right - MANTISSA;
    const int step = wanted < 0 ? 0 : wanted > STEP_MAX ? STEP_MAX : wanted;
    const ap_int<WIDTH + 1> q = eq_rounded(x, right + step, rule);
    // What lies far beyond the greatest magnitude is kept short; it is clamped below.
    constexpr int MOST = 1 << (MANTISSA + 1);
    const int few = q > MOST ? MOST : q < -MOST ? -MOST : q.to_int();
    const int base = step << MANTISSA;
    const int code = few == 0 ? 0 : few < 0 ? few - base : few + base;
    const int kept = code < lo ? int(lo) : code > hi ? int(hi) : code;
    return kept < 0 ? ap_uint<1 + EXPONENT + MANTISSA>((1 << (EXPONENT + MANTISSA)) - kept)
                    : ap_uint<1 + EXPONENT + MANTISSA>(kept);
}

#endif
