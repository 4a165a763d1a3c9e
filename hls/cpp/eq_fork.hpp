// Fork: every beat goes to each of N outputs. Skip branches have their depth from the stream's pragma.
//
// BEATS    beats of an output
// WIDTH    bits of a beat
// N        outputs
// s        in
// m...     out: N streams, one after another
#ifndef EQ_FORK_HPP
#define EQ_FORK_HPP

#include "eq_types.hpp"

template <int WIDTH>
void eq_fork_write(const ap_uint<WIDTH>& word, hls::stream<ap_uint<WIDTH>>& m) {
#pragma HLS INLINE
    m.write(word);
}
template <int WIDTH, class... MORE>
void eq_fork_write(const ap_uint<WIDTH>& word, hls::stream<ap_uint<WIDTH>>& m, MORE&... more) {
#pragma HLS INLINE
    m.write(word);
    eq_fork_write<WIDTH>(word, more...);
}

template <int BEATS, int WIDTH = 8, int N = 2, class... OUTS>
void eq_fork(hls::stream<ap_uint<WIDTH>>& s, OUTS&... m) {
    static_assert(sizeof...(OUTS) == N, "N streams go out");
fork:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<WIDTH> word = s.read();
        eq_fork_write<WIDTH>(word, m...);
    }
}

#endif
