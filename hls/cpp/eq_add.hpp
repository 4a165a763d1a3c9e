// Two operands, element by element: sum, difference, product, greater, lesser. Exact; an output stage follows.
//
// m = ((a - ZERO_A) << LEFT_A) op ((b - ZERO_B) << LEFT_B)
//
// BEATS     beats
// LANES     elements of a beat
// BITS_A, SIGNED_A, ZERO_A, LEFT_A   width of a code of a, 1: two's complement, zero point, shift to the common grid
// BITS_B, SIGNED_B, ZERO_B, LEFT_B   the same of b
// OUT_BITS  width of the result, two's complement; wide enough by the range analysis
// OP        0 a + b, 1 a - b, 2 a * b, 3 max, 4 min
// a, b, m   in, in, out
#ifndef EQ_ADD_HPP
#define EQ_ADD_HPP

#include "eq_types.hpp"

template <int BEATS, int LANES = 1, int BITS_A = 8, int SIGNED_A = 1, long long ZERO_A = 0, int LEFT_A = 0,
          int BITS_B = 8, int SIGNED_B = 1, long long ZERO_B = 0, int LEFT_B = 0, int OUT_BITS = 16, int OP = 0>
void eq_add(hls::stream<ap_uint<LANES * BITS_A>>& a, hls::stream<ap_uint<LANES * BITS_B>>& b,
            hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    constexpr int A = BITS_A + 2 + LEFT_A, B = BITS_B + 2 + LEFT_B, WIDE = eq_greater(A, B) + 1;
add:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * BITS_A> word_a = a.read();
        const ap_uint<LANES * BITS_B> word_b = b.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<A> x = ap_int<A>(eq_grid<BITS_A, SIGNED_A>(eq_get<BITS_A>(word_a, lane), ZERO_A)) << LEFT_A;
            const ap_int<B> y = ap_int<B>(eq_grid<BITS_B, SIGNED_B>(eq_get<BITS_B>(word_b, lane), ZERO_B)) << LEFT_B;
            const ap_int<WIDE> wide_x = x, wide_y = y;
            ap_int<OUT_BITS> value = 0;
            if (OP == 0) value = wide_x + wide_y;
            if (OP == 1) value = wide_x - wide_y;
            if (OP == 2) value = x * y;
            if (OP == 3) value = wide_x > wide_y ? wide_x : wide_y;
            if (OP == 4) value = wide_x > wide_y ? wide_y : wide_x;
            eq_put<OUT_BITS>(out, lane, ap_uint<OUT_BITS>(value));
        }
        m.write(out);
    }
}

#endif
