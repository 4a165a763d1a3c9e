// Taps of a C simulation: with EQ_TAPS, every stream that carries a value of the network is recorded on its way.
//
// A simulated stage has put out all of an inference before the next one is called, so a tap takes all that is in the stream,
// writes it to <stream>.tap, one beat a line in hexadecimal, and puts it back. Synthesis never sees any of it.
#ifndef EQ_TAP_HPP
#define EQ_TAP_HPP

#ifdef EQ_TAPS

#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <vector>

template <int WIDTH> void eq_tap(hls::stream<ap_uint<WIDTH> > &stream, const char *file) {
    std::vector<ap_uint<WIDTH> > beats;
    while (!stream.empty())
        beats.push_back(stream.read());
    std::FILE *out = std::fopen(file, "a");
    if (!out)
        return;
    for (ap_uint<WIDTH> &beat : beats) {
        for (int digit = (WIDTH + 3) / 4 - 1; digit >= 0; --digit) {
            const int high = digit * 4 + 3 < WIDTH ? digit * 4 + 3 : WIDTH - 1;
            ap_uint<4> nibble = beat.range(high, digit * 4);
            std::fputc("0123456789abcdef"[nibble.to_uint()], out);
        }
        std::fputc('\n', out);
        stream.write(beat);
    }
    std::fclose(out);
}

#define EQ_TAP(stream) eq_tap(stream, #stream ".tap")

#else

#define EQ_TAP(stream)

#endif

#endif
