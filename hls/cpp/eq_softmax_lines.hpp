// TensorFlow Lite's softmax of 16 bits (operator softmax_lines), from scaled distances.
//
// e = line(EXP, s); S: sum of e; r = line(RECIPROCAL, leading bits of S); m = e * r / 2^k, half up, at most 2^15 - 1.
// In front of it eq_row_distance gives distances from the greatest code, and eq_scale 2^15 - 1 + their multiples.
//
// BEATS      codes, a multiple of COUNT
// COUNT      codes of a row, 1 to 65536
// s          in: a row of COUNT arguments of 16 bits, two's complement; that of the greatest code is 2^15 - 1
// m          out: COUNT codes of 16 bits
// exponential, reciprocal   512 words of 31 bits: {next entry less this one, two's complement, 16; this one, unsigned,
//                           15}; the exponentials end with 1/2 or more
#ifndef EQ_SOFTMAX_LINES_HPP
#define EQ_SOFTMAX_LINES_HPP

#include "eq_types.hpp"

// entry j + floor(((entry j + 1 - entry j) * f + 64) / 128), j = floor(at / 128) + 256, f = at modulo 128.
inline ap_uint<15> eq_line(const ap_int<16>& at, const ap_uint<31> table[512]) {
#pragma HLS INLINE
    const ap_uint<31> entry = table[(at >> 7).to_int() + 256];
    const ap_int<16> difference = ap_uint<16>(entry >> 15);
    const ap_int<8> part = ap_uint<7>(at);
    const ap_int<24> step = ap_int<24>(difference * part + 64) >> 7;
    return ap_uint<15>(entry) + ap_uint<15>(step);
}

template <int BEATS, int COUNT = 10>
void eq_softmax_lines(hls::stream<ap_uint<16>>& s, hls::stream<ap_uint<16>>& m, const ap_uint<31> exponential[512],
                      const ap_uint<31> reciprocal[512]) {
    static_assert(BEATS % COUNT == 0, "whole rows");
    ap_uint<15> e[COUNT];
rows:
    for (int row = 0; row < BEATS / COUNT; row++) {
        ap_uint<31> total = 0;
    sums:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
            e[i] = eq_line(ap_int<16>(s.read()), exponential);
            total += e[i];
        }
        // The sum is shifted until its highest bit is at the top; what is divided by is 2^30 less a place each.
        int rest = 16;                                  // places of the division beyond 14
    normalise:
        for (int place = 0; place < 16; place++) {
#pragma HLS PIPELINE II=1
            if (!total[30]) {
                total <<= 1;
                rest--;
            }
        }
        const ap_uint<32> leading = ap_uint<32>(total) + 8192;    // 17 bits of it count
        const ap_uint<16> top = leading >> 14;
        const ap_int<16> at = leading[31] ? ap_uint<16>(32767) : ap_uint<16>(top ^ ap_uint<16>(32768));
        const ap_uint<15> r = eq_line(at, reciprocal);
    shares:
        for (int i = 0; i < COUNT; i++) {
#pragma HLS PIPELINE II=1 style=flp
            const ap_uint<31> product = ap_uint<31>(e[i] * r) + ap_uint<31>(ap_uint<31>(1) << (13 + rest));
            const ap_uint<31> code = product >> (14 + rest);
            m.write(code > 32767 ? ap_uint<16>(32767) : ap_uint<16>(code));
        }
    }
}

#endif
