// Sigmoid or tanh of an argument by lines between the entries of a table (operator sigmoid_lines).
//
// v = entry j * 2^b + (entry j + 1 - entry j) * f, j = floor(|u| / 2^b), f = |u| modulo 2^b; then as the operator says:
// sigmoid (b 9): r = v / 2^10 half up, 2^15 - 1 for j = 255; m = r for u >= 0, 2^15 - r below.
// tanh    (b 8): r = v / 2^8 half up, 2^16 - 1 for j = 255; m = r - 2^15 for u >= 0, 2^15 - r below.
//
// BEATS     beats
// TANH      0: sigmoid, 1: tanh
// s         in:  argument u, two's complement, 18 bits, saturated to -255 * 2^b..255 * 2^b
// m         out: 16 bits, two's complement, 15 of them behind the point, saturated
// table     256 words of 33 bits: {next entry less this one, two's complement, 17; this one, unsigned, 16}
#ifndef EQ_SIGMOID_LINES_HPP
#define EQ_SIGMOID_LINES_HPP

#include "eq_types.hpp"

template <int BEATS, int TANH = 0>
void eq_sigmoid_lines(hls::stream<ap_uint<18>>& s, hls::stream<ap_uint<16>>& m, const ap_uint<33> table[256]) {
    constexpr int B = TANH != 0 ? 8 : 9, DROP = TANH != 0 ? 8 : 10;
    const ap_int<19> most = TANH != 0 ? 65535 : 32767, below = 32768, above = TANH != 0 ? 32768 : 0;
lines:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_int<19> u = ap_int<18>(s.read());
        const ap_uint<18> magnitude = u < 0 ? ap_int<19>(-u) : u;
        const int place = ap_uint<8>(magnitude >> B).to_int();
        const ap_uint<33> entry = table[place];
        const ap_int<17> difference = ap_uint<17>(entry >> 16);
        const ap_int<B + 1> part = ap_uint<B>(magnitude);
        const ap_int<29> v = (ap_int<29>(ap_uint<16>(entry)) << B) + difference * part + (1 << (DROP - 1));
        const ap_int<19> r = place == 255 ? most : ap_int<19>(v >> DROP);
        const ap_int<19> y = u < 0 ? below - r : r - above;
        m.write(y > 32767 ? ap_uint<16>(32767) : ap_uint<16>(y));
    }
}

#endif
