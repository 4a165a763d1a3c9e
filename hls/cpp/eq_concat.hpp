// Streams one after another along the last axis: so many beats of each input in turn, over and over.
//
// BEATS        beats that go out
// BITS, LANES  width of an element, elements of a beat
// N            inputs
// COUNTS       beats of each input for one pixel, 1 or more (BEATS of the Verilog module), the first input's first
// streams...   in: N streams; the last one: out
#ifndef EQ_CONCAT_HPP
#define EQ_CONCAT_HPP

#include "eq_types.hpp"

// A beat of input `turn`; what is left when all inputs have been counted is the output, which is written.
template <int WIDTH>
void eq_concat_pass(int, ap_uint<WIDTH> word, hls::stream<ap_uint<WIDTH>>& m) {
#pragma HLS INLINE
    m.write(word);
}
template <int WIDTH, class... MORE>
void eq_concat_pass(int turn, ap_uint<WIDTH> word, hls::stream<ap_uint<WIDTH>>& s, MORE&... more) {
#pragma HLS INLINE
    if (turn == 0) word = s.read();
    eq_concat_pass<WIDTH>(turn - 1, word, more...);
}

template <int BEATS, int BITS = 8, int N = 2, int LANES = 1, int... COUNTS, class... STREAMS>
void eq_concat(STREAMS&... streams) {
    static_assert(sizeof...(COUNTS) == N && sizeof...(STREAMS) == N + 1, "N counts, N inputs, one output");
    const int counts[N] = {COUNTS...};
#pragma HLS ARRAY_PARTITION variable=counts complete
    int turn = 0, beat = 0;
concat:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        eq_concat_pass<LANES * BITS>(turn, ap_uint<LANES * BITS>(0), streams...);
        if (eq_step(beat, counts[turn])) eq_step(turn, N);
    }
}

#endif
