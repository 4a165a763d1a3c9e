// Depthwise engine: every channel is multiplied with its own taps and added up, LANES channels a cycle.
//
// BEATS                beats that go out: BLOCKS for each pixel
// LANES                channels of a word
// TAPS, BLOCKS         taps of a channel (KH*KW); words of a pixel (channels / LANES)
// X_BITS, X_SIGNED     elements: bits, and whether they are two's complement
// W_BITS               weights: bits, two's complement; EQ_KHOT: of the digits of a weight
// ACC_BITS             accumulators; they may wrap in between if every final result fits
// STYLE                multipliers: EQ_DSP, EQ_LUT, or none: EQ_KHOT
// TERMS, PLACES        EQ_KHOT: digits of a weight and where they stand (eq_khot.hpp)
// WEIGHT_ROM, BIAS_ROM kinds of memory
// s                    in:  window words in channel order (eq_window, ORDER 1): all taps of a block, then the next
// m                    out: LANES accumulators for each block of each pixel
// weights              word block*TAPS + tap holds LANES weights
// bias                 word block holds LANES biases of ACC_BITS
#ifndef EQ_DEPTHWISE_HPP
#define EQ_DEPTHWISE_HPP

#include "eq_khot.hpp"

template <int BEATS, int LANES = 1, int TAPS = 9, int BLOCKS = 8, int X_BITS = 8, int X_SIGNED = 1, int W_BITS = 8,
          int ACC_BITS = 24, int STYLE = EQ_DSP, int TERMS = 1, int PLACES = 0, int WEIGHT_ROM = EQ_BLOCK,
          int BIAS_ROM = EQ_DISTRIBUTED>
void eq_depthwise(hls::stream<ap_uint<LANES * X_BITS>>& s, hls::stream<ap_uint<LANES * ACC_BITS>>& m,
                  const ap_uint<LANES * W_BITS> weights[BLOCKS * TAPS], const ap_uint<LANES * ACC_BITS> bias[BLOCKS]) {
    static_assert(BEATS % BLOCKS == 0, "whole pixels");
    eq_keep(weights, eq_choice<WEIGHT_ROM>());
    eq_keep(bias, eq_choice<BIAS_ROM>());
    ap_int<ACC_BITS> acc[LANES];
#pragma HLS ARRAY_PARTITION variable=acc complete
    int tap = 0, block = 0, place = 0;
taps:
    for (int i = 0; i < BEATS * TAPS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * X_BITS> x = s.read();
        const ap_uint<LANES * W_BITS> w = weights[place];
        const ap_uint<LANES * ACC_BITS> start = bias[block];
        ap_uint<LANES * ACC_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<ACC_BITS> before = tap == 0 ? ap_int<ACC_BITS>(eq_get<ACC_BITS>(start, lane)) : acc[lane];
            const ap_int<X_BITS + 1> element = eq_number<X_BITS, X_SIGNED>(eq_get<X_BITS>(x, lane));
            acc[lane] = before + eq_weighted<TERMS, PLACES>(element, eq_get<W_BITS>(w, lane), eq_choice<STYLE>());
            eq_put<ACC_BITS>(out, lane, ap_uint<ACC_BITS>(acc[lane]));
        }
        eq_step(place, BLOCKS * TAPS);
        if (eq_step(tap, TAPS)) {
            m.write(out);
            eq_step(block, BLOCKS);
        }
    }
}

#endif
