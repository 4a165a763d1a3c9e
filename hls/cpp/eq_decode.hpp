// Codes of a minifloat as signed integers on the grid of its smallest subnormal (docs/arithmetic.md).
//
// A code is sign, exponent e, mantissa m; its magnitude is m where e is 0, else (2^MANTISSA + m) * 2^(e - 1).
//
// BEATS               beats
// LANES               elements of a beat
// EXPONENT, MANTISSA  bits of e (1 to 5) and of m (0 or more)
// OUT_BITS            width of the result, at least MANTISSA + 2^EXPONENT
// s, m                in: codes; out: grid integers
#ifndef EQ_DECODE_HPP
#define EQ_DECODE_HPP

#include "eq_types.hpp"

template <int EXPONENT, int MANTISSA, int OUT_BITS>
ap_int<OUT_BITS> eq_decoded(const ap_uint<1 + EXPONENT + MANTISSA>& code) {
#pragma HLS INLINE
    const ap_uint<EXPONENT> e = code >> MANTISSA;
    const ap_uint<MANTISSA + 1> one = ap_uint<MANTISSA + 1>(1) << MANTISSA;
    const ap_uint<MANTISSA + 1> low = code;
    const ap_uint<MANTISSA + 1> significand = e != 0 ? ap_uint<MANTISSA + 1>(low | one)
                                                     : ap_uint<MANTISSA + 1>(low & ap_uint<MANTISSA + 1>(one - 1));
    const int places = e != 0 ? e.to_int() - 1 : 0;
    const ap_int<OUT_BITS> magnitude = ap_int<OUT_BITS>(significand) << places;
    return code[EXPONENT + MANTISSA] ? ap_int<OUT_BITS>(-magnitude) : magnitude;
}

template <int BEATS, int LANES = 1, int EXPONENT = 2, int MANTISSA = 1, int OUT_BITS = 5>
void eq_decode(hls::stream<ap_uint<LANES * (1 + EXPONENT + MANTISSA)>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    constexpr int BITS = 1 + EXPONENT + MANTISSA;
decode:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * BITS> word = s.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<OUT_BITS> grid = eq_decoded<EXPONENT, MANTISSA, OUT_BITS>(eq_get<BITS>(word, lane));
            eq_put<OUT_BITS>(out, lane, ap_uint<OUT_BITS>(grid));
        }
        m.write(out);
    }
}

#endif
