// Sliding window: keeps rows of a tensor in a ring and gives out the words of every window, padding included.
//
// Rows are read in as windows need them; while a row of windows is given out, words of later rows come in where they
// are there and the ring has room, also those of the next inference (never waited for, so what is complete is always
// given out). So the ring and what is in it outlive a call: a stage has a function of its own, by its number STAGE.
// ROWS as in the Verilog.
//
// BEATS                words given out
// BITS, LANES          bits of an element, elements of a word; LANES divides C
// H, W, C              the tensor; exactly H*W*C elements are taken, also those that no window needs
// KH, KW, SH, SW, DH, DW   kernel, stride, dilation
// PT, PL               rows and columns of padding above and to the left (negative: cropped)
// OH, OW               windows; where they reach over the tensor's border the taps are padding
// PAD                  the code of a padding element
// REPEAT               how often each window is given out, one after the other
// ORDER                words of a window, innermost last: 0: ky, kx, block; 1: block, ky, kx (block: LANES channels)
// ROWS                 rows of the ring, at least (KH-1)*DH + 1
// STYLE                kind of memory
// STAGE                a number that no other call of eq_window in the same program has
// s                    in:  LANES elements, row-major, channels last
// m                    out: LANES elements (PAD for a padding tap); one bit more, where it is there: inside the tensor
// Cycles: a word a cycle where words come in time, and what it takes to leave a loop and enter the next one for each row
// of windows.
#ifndef EQ_WINDOW_HPP
#define EQ_WINDOW_HPP

#include "eq_types.hpp"

template <int BEATS, int BITS = 8, int LANES = 1, int H = 8, int W = 8, int C = 4, int KH = 3, int KW = 3, int SH = 1,
          int SW = 1, int DH = 1, int DW = 1, int PT = 1, int PL = 1, int OH = 8, int OW = 8, long long PAD = 0,
          int REPEAT = 1, int ORDER = 0, int ROWS = 4, int STYLE = EQ_AUTO, int STAGE = 0, int OUT_WIDTH>
void eq_window(hls::stream<ap_uint<LANES * BITS>>& s, hls::stream<ap_uint<OUT_WIDTH>>& m) {
    constexpr int WIDTH = LANES * BITS, BLOCKS = C / LANES, LINE = W * BLOCKS, SPAN = (KH - 1) * DH + 1;
    constexpr int WHOLE = H * LINE, WORDS = OW * REPEAT * KH * KW * BLOCKS;  // given out for a row of windows
    static_assert(BEATS == OH * WORDS, "the words of all windows");
    static_assert(C % LANES == 0 && ROWS >= SPAN, "whole words, and a ring that holds a window");
    static_assert(OUT_WIDTH == WIDTH || OUT_WIDTH == WIDTH + 1, "one bit more at most: inside");
    static ap_uint<WIDTH> ring[ROWS * LINE];
    static int ahead = 0;   // words of this inference that came in during the one before
    static int head = 0;    // where the next word goes
    static int origin = 0;  // where in the ring row 0 is
#pragma HLS RESET variable=ahead
#pragma HLS RESET variable=head
#pragma HLS RESET variable=origin
#pragma HLS DEPENDENCE variable=ring type=inter false
#pragma HLS DEPENDENCE variable=ring type=intra false
    eq_keep_ram(ring, eq_choice<STYLE>());
    ap_uint<WIDTH> filler = 0;
    for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
        eq_put<BITS>(filler, lane, ap_uint<BITS>(PAD));
    }

    constexpr int ABOVE = (-PT % ROWS + ROWS) % ROWS;
    int taken = ahead;                             // words read in, of the next inference behind those of this one
    int first = -PT;                               // the row at which windows begin, and its place in the ring
    int slot = origin + ABOVE >= ROWS ? origin + ABOVE - ROWS : origin + ABOVE;
rows:
    for (int oy = 0; oy < OH; oy++) {
        const int needed = eq_clipped(first + SPAN, 0, H) * LINE;
        const int room = (eq_clipped(first, 0, H) + ROWS) * LINE;
    fill:
        while (taken < needed) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS LOOP_TRIPCOUNT min=0 max=WHOLE
            ring[head] = s.read();
            taken++;
            eq_step(head, ROWS * LINE);
        }
        int block = 0, kx = 0, ky = 0, repeat = 0, left = -PL;
    give:
        for (int word = 0; word < WORDS; word++) {
#pragma HLS PIPELINE II=1 style=flp
            if (taken < room && !s.empty()) {
                ring[head] = s.read();
                taken++;
                eq_step(head, ROWS * LINE);
            }
            const int y = first + ky * DH, x = left + kx * DW;
            const int place = slot + ky * DH;
            const bool inside = y >= 0 && y < H && x >= 0 && x < W;
            const int address = (place >= ROWS ? place - ROWS : place) * LINE + x * BLOCKS + block;
            ap_uint<OUT_WIDTH> out = inside ? ring[inside ? address : 0] : filler;
            if (OUT_WIDTH > WIDTH) out[OUT_WIDTH - 1] = inside;
            m.write(out);
            if (ORDER == 0) {
                if (eq_step(block, BLOCKS) && eq_step(kx, KW) && eq_step(ky, KH) && eq_step(repeat, REPEAT)) left += SW;
            } else {
                if (eq_step(kx, KW) && eq_step(ky, KH) && eq_step(block, BLOCKS) && eq_step(repeat, REPEAT)) left += SW;
            }
        }
        first += SH;
        slot = slot + SH % ROWS >= ROWS ? slot + SH % ROWS - ROWS : slot + SH % ROWS;
    }
rest:
    while (taken < WHOLE) {
#pragma HLS PIPELINE II=1 style=flp
#pragma HLS LOOP_TRIPCOUNT min=0 max=WHOLE
        s.read();
        taken++;
        eq_step(head, ROWS * LINE);
    }
    ahead = taken - WHOLE;
    origin = origin + H % ROWS >= ROWS ? origin + H % ROWS - ROWS : origin + H % ROWS;
}

#endif
