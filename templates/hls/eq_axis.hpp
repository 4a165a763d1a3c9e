// AXI-Stream border: packets of WIDTH bits with TKEEP and TLAST to streams of codes, and back.
//
// A code sits in a container of 8, 16 or 32 bits, the first one in the least significant bytes of its beat, as a DMA sees
// an array in memory. Each inference begins with a new beat; bytes that are left over in its last beat are 0 on the way
// out and not looked at on the way in. TLAST of the input's packet says that its inference is the last of a batch; the
// output's packet ends with the same inference.
#ifndef EQ_AXIS_HPP
#define EQ_AXIS_HPP

#include <ap_int.h>
#include <hls_stream.h>

// Vitis HLS makes TKEEP and TLAST of its own type only. Where its header is not there (C simulation with an ordinary
// compiler), a structure with the same members stands in.
#ifdef __has_include
#if __has_include("ap_axi_sdata.h")
#include "ap_axi_sdata.h"
#define EQ_AXIS_OF_VENDOR 1
#endif
#endif

#ifdef EQ_AXIS_OF_VENDOR
template <int WIDTH> using eq_axis = ap_axiu<WIDTH, 0, 0, 0>;
#else
template <int WIDTH> struct eq_axis {
    ap_uint<WIDTH> data;
    ap_uint<WIDTH / 8> keep;
    ap_uint<1> last;
};
#endif

// A beat of the given data; `bytes`: how many of its bytes count.
template <int WIDTH> eq_axis<WIDTH> eq_axis_beat(ap_uint<WIDTH> data, int bytes, bool last) {
#pragma HLS INLINE
    eq_axis<WIDTH> beat;
    beat.data = data;
    for (int i = 0; i < WIDTH / 8; ++i) {
#pragma HLS UNROLL
        beat.keep[i] = i < bytes;
    }
#ifdef EQ_AXIS_OF_VENDOR
    beat.strb = beat.keep;
#endif
    beat.last = last;
    return beat;
}

// Inward: one inference of BEATS * LANES codes; STEP codes a cycle (divides LANES and the codes of a beat).
// ended: one word for the output border, whether TLAST was seen. A packet that ends early is filled up with zeros, so
// that the network never loses step.
template <int WIDTH, int CONTAINER, int BITS, int LANES, int BEATS, int STEP>
void eq_axis_in(hls::stream<eq_axis<WIDTH> > &s, hls::stream<ap_uint<BITS * LANES> > &m, hls::stream<ap_uint<1> > &ended) {
    const int count = BEATS * LANES / STEP;
    const int turns = WIDTH / CONTAINER / STEP;
    ap_uint<WIDTH> data = 0;
    ap_uint<BITS * LANES> word = 0;
    bool last = false;
    int turn = 0, filled = 0;
    for (int i = 0; i < count; ++i) {
#pragma HLS PIPELINE II=1
        if (turn == 0) {
            data = 0;
            if (!last) {
                eq_axis<WIDTH> beat = s.read();
                data = beat.data;
                last = beat.last;
            }
        }
        for (int k = 0; k < STEP; ++k) {
#pragma HLS UNROLL
            ap_uint<BITS * LANES> code = data.range(turn * STEP * CONTAINER + k * CONTAINER + BITS - 1,
                                                    turn * STEP * CONTAINER + k * CONTAINER);
            word = (word >> (LANES > 1 ? BITS : 0)) | (code << (BITS * (LANES - 1)));
            if (LANES == 1)
                word = code;
        }
        turn = turn == turns - 1 ? 0 : turn + 1;
        filled += STEP;
        if (filled == LANES) {
            m.write(word);
            filled = 0;
        }
    }
    ended.write(last);
}

// Outward: the same the other way; upper bits of a container repeat the sign where codes are SIGNED. TKEEP marks the
// containers in use in the beat that ends a packet; a DMA wants all ones in the others.
template <int WIDTH, int CONTAINER, int BITS, int LANES, int BEATS, int STEP, int SIGNED>
void eq_axis_out(hls::stream<ap_uint<BITS * LANES> > &s, hls::stream<ap_uint<1> > &ended, hls::stream<eq_axis<WIDTH> > &m) {
    const int count = BEATS * LANES / STEP;
    const int turns = WIDTH / CONTAINER / STEP;
    ap_uint<WIDTH> data = 0;
    ap_uint<BITS * LANES> word = 0;
    int turn = 0, taken = 0;
    for (int i = 0; i < count; ++i) {
#pragma HLS PIPELINE II=1
        if (taken == 0)
            word = s.read();
        if (turn == 0)
            data = 0;
        for (int k = 0; k < STEP; ++k) {
#pragma HLS UNROLL
            const int low = (taken + k) * BITS;
            ap_uint<BITS> code = word.range(low + BITS - 1, low);
            ap_int<CONTAINER> wide = 0;
            wide.range(BITS - 1, 0) = code;
            if (SIGNED && BITS < CONTAINER && code[BITS - 1])
                wide.range(CONTAINER - 1, BITS < CONTAINER ? BITS : CONTAINER - 1) = -1;
            const int place = (turn * STEP + k) * CONTAINER;
            data.range(place + CONTAINER - 1, place) = wide;
        }
        taken = taken + STEP == LANES ? 0 : taken + STEP;
        const bool end = i == count - 1;
        if (turn == turns - 1 || end) {
            const bool last = end && ended.read() == 1;
            m.write(eq_axis_beat<WIDTH>(data, last ? (turn + 1) * STEP * CONTAINER / 8 : WIDTH / 8, last));
            turn = 0;
        } else {
            turn = turn + 1;
        }
    }
}

// A stream that nothing reads is emptied.
template <int BEATS, int WIDTH> void eq_drain(hls::stream<ap_uint<WIDTH> > &s) {
    for (int i = 0; i < BEATS; ++i) {
#pragma HLS PIPELINE II=1
        s.read();
    }
}

#endif
