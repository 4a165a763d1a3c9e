// Codes as signed integers without their zero point: sign or zero extended, ZERO taken off.
//
// BEATS         beats
// LANES, BITS   elements of a beat, width of a code
// SIGNED        whether codes are two's complement
// ZERO          code of the number zero
// OUT_BITS      width of the result, at least what code - ZERO needs
// s, m          in, out
#ifndef EQ_EXTEND_HPP
#define EQ_EXTEND_HPP

#include "eq_types.hpp"

template <int BEATS, int LANES = 1, int BITS = 8, int SIGNED = 1, long long ZERO = 0, int OUT_BITS = 9>
void eq_extend(hls::stream<ap_uint<LANES * BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
extend:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * BITS> word = s.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<BITS + 2> grid = eq_grid<BITS, SIGNED>(eq_get<BITS>(word, lane), ZERO);
            eq_put<OUT_BITS>(out, lane, ap_uint<OUT_BITS>(ap_int<OUT_BITS>(grid)));
        }
        m.write(out);
    }
}

#endif
