// Products of two streams summed: a matrix product of two computed operands, behind two eq_window.
//
// m[lane] = sum over k < TERMS of (a - ZERO_A) * (b[lane] - ZERO_B)
//
// BEATS       beats that go out
// LANES       columns of b in a beat, that many sums at once
// TERMS       beats of a sum
// BITS_A, SIGNED_A, ZERO_A   width of a code of a, 1: two's complement, its zero point
// BITS_B, SIGNED_B, ZERO_B   the same of b
// OUT_BITS    width of a sum, two's complement; wide enough by the range analysis
// STYLE       multipliers: EQ_DSP, EQ_LUT
// a, b, m     in: one element; in: LANES elements; out: LANES sums
#ifndef EQ_MATMUL_HPP
#define EQ_MATMUL_HPP

#include "eq_types.hpp"

template <int BEATS, int LANES = 1, int TERMS = 4, int BITS_A = 8, int SIGNED_A = 1, long long ZERO_A = 0,
          int BITS_B = 8, int SIGNED_B = 1, long long ZERO_B = 0, int OUT_BITS = 24, int STYLE = EQ_DSP>
void eq_matmul(hls::stream<ap_uint<BITS_A>>& a, hls::stream<ap_uint<LANES * BITS_B>>& b,
               hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    // Codes less their zero points: a bit more, unless nothing is taken away and the sign is there.
    constexpr int A = BITS_A + (SIGNED_A == 0 || ZERO_A != 0), B = BITS_B + (SIGNED_B == 0 || ZERO_B != 0);
    ap_int<OUT_BITS> sums[LANES];
#pragma HLS ARRAY_PARTITION variable=sums complete
    int term = 0;
terms:
    for (int i = 0; i < BEATS * TERMS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_int<A> x = eq_grid<BITS_A, SIGNED_A>(a.read(), ZERO_A);
        const ap_uint<LANES * BITS_B> word = b.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<B> y = eq_grid<BITS_B, SIGNED_B>(eq_get<BITS_B>(word, lane), ZERO_B);
            const ap_int<OUT_BITS> before = term == 0 ? ap_int<OUT_BITS>(0) : sums[lane];
            sums[lane] = before + eq_product(x, y, eq_choice<STYLE>());
            eq_put<OUT_BITS>(out, lane, ap_uint<OUT_BITS>(sums[lane]));
        }
        if (eq_step(term, TERMS)) m.write(out);
    }
}

#endif
