// A function of a code for each channel, by table: prelu with a slope per channel, output stage included.
//
// BEATS              codes, a multiple of CHANNELS
// IN_BITS, OUT_BITS  width of a code and of an entry
// CHANNELS           the last axis; one channel after another, 1 lane
// ROM                kind of memory
// s, m               in: codes; out: entries
// entries            CHANNELS times 2^IN_BITS words, within a channel addressed by the raw bits of the code
#ifndef EQ_PRELU_HPP
#define EQ_PRELU_HPP

#include "eq_types.hpp"

template <int BEATS, int IN_BITS = 8, int OUT_BITS = 8, int CHANNELS = 2, int ROM = EQ_AUTO>
void eq_prelu(hls::stream<ap_uint<IN_BITS>>& s, hls::stream<ap_uint<OUT_BITS>>& m,
              const ap_uint<OUT_BITS> entries[CHANNELS << IN_BITS]) {
    static_assert(BEATS % CHANNELS == 0, "whole pixels");
    eq_keep(entries, eq_choice<ROM>());
    int channel = 0;
prelu:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<IN_BITS> code = s.read();
        m.write(entries[(channel << IN_BITS) + code.to_int()]);
        eq_step(channel, CHANNELS);
    }
}

#endif
