// A small tensor in another order: padded, cut, transposed, repeated. A frame buffer and a table of addresses.
//
// BEATS       OUT_BEATS
// BITS        width of what moves
// IN_BEATS    beats of the tensor that comes in
// OUT_BEATS   beats of the tensor that goes out
// FILL        code of padding
// ROM, RAM    kinds of memory (RAM: the compiler chooses, since the buffer is a channel between processes)
// s, m        in, out
// addresses   OUT_BEATS words: which beat stands there; IN_BEATS: the code FILL
// The buffer between both loops is doubled (DATAFLOW): one frame comes in while the one before goes out.
#ifndef EQ_MOVE_HPP
#define EQ_MOVE_HPP

#include "eq_types.hpp"

template <int BITS, int IN_BEATS, int OUT_BEATS, long long FILL, int ROM>
void eq_move_give(const ap_uint<BITS> frame[IN_BEATS], hls::stream<ap_uint<BITS>>& m,
                  const ap_uint<eq_clog2(IN_BEATS + 1)> addresses[OUT_BEATS]) {
    eq_keep(addresses, eq_choice<ROM>());
give:
    for (int i = 0; i < OUT_BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const int address = addresses[i].to_int();
        const bool inside = address < IN_BEATS;
        const ap_uint<BITS> code = frame[inside ? address : 0];
        m.write(inside ? code : ap_uint<BITS>(FILL));
    }
}

template <int BEATS, int BITS = 8, int IN_BEATS = 16, int OUT_BEATS = 16, long long FILL = 0, int ROM = EQ_AUTO,
          int RAM = EQ_AUTO>
void eq_move(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<BITS>>& m,
             const ap_uint<eq_clog2(IN_BEATS + 1)> addresses[OUT_BEATS]) {
#pragma HLS DATAFLOW
    static_assert(BEATS == OUT_BEATS, "a frame an inference");
    ap_uint<BITS> frame[IN_BEATS];
    eq_load<IN_BEATS>(s, frame);
    eq_move_give<BITS, IN_BEATS, OUT_BEATS, FILL, ROM>(frame, m, addresses);
}

#endif
