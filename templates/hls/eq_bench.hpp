// What every test bench does: codes from files to packets, packets to codes, comparison.
#ifndef EQ_BENCH_HPP
#define EQ_BENCH_HPP

#include "eq_axis.hpp"

#include <cstdio>
#include <string>
#include <vector>

typedef std::vector<long long> eq_codes;

// Codes from a text file, one a line; false where there is no such file.
inline bool eq_read(const std::string &path, eq_codes &codes) {
    std::FILE *file = std::fopen(path.c_str(), "r");
    if (!file)
        return false;
    long long code;
    while (std::fscanf(file, "%lld", &code) == 1)
        codes.push_back(code);
    std::fclose(file);
    return true;
}

inline bool eq_write(const std::string &path, const eq_codes &codes) {
    std::FILE *file = std::fopen(path.c_str(), "w");
    if (!file)
        return false;
    for (long long code : codes)
        std::fprintf(file, "%lld\n", code);
    return std::fclose(file) == 0;
}

// One inference as beats; the last of them with TLAST where it ends the batch.
template <int WIDTH, int CONTAINER>
void eq_send(const long long *codes, int count, bool ends, hls::stream<eq_axis<WIDTH> > &stream) {
    const int per = WIDTH / CONTAINER;
    for (int first = 0; first < count; first += per) {
        ap_uint<WIDTH> data = 0;
        for (int k = 0; k < per && first + k < count; ++k)
            data.range((k + 1) * CONTAINER - 1, k * CONTAINER) = ap_uint<CONTAINER>(codes[first + k]);
        stream.write(eq_axis_beat<WIDTH>(data, WIDTH / 8, ends && first + per >= count));
    }
}

// One inference from beats; false where beats are missing, or TLAST or TKEEP are not where they belong.
template <int WIDTH, int CONTAINER>
bool eq_take(int count, bool is_signed, bool ends, hls::stream<eq_axis<WIDTH> > &stream, eq_codes &codes) {
    const int per = WIDTH / CONTAINER;
    for (int first = 0; first < count; first += per) {
        if (stream.empty())
            return false;
        eq_axis<WIDTH> beat = stream.read();
        const bool last = ends && first + per >= count;
        for (int k = 0; k < per && first + k < count; ++k) {
            ap_uint<CONTAINER> code = beat.data.range((k + 1) * CONTAINER - 1, k * CONTAINER);
            codes.push_back(is_signed ? ap_int<CONTAINER>(code).to_int64() : (long long)code.to_uint64());
            if (!beat.keep[k * CONTAINER / 8])
                return false;
        }
        if (last != (beat.last == 1))
            return false;
    }
    return true;
}

// Number of codes that differ; the first one is printed.
inline int eq_compare(const char *name, const eq_codes &found, const eq_codes &wanted) {
    int wrong = found.size() != wanted.size();
    if (wrong)
        std::printf("%s: %zu codes, %zu expected\n", name, found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size() && i < wanted.size(); ++i) {
        if (found[i] == wanted[i])
            continue;
        if (!wrong)
            std::printf("%s: code %zu is %lld, %lld expected\n", name, i, found[i], wanted[i]);
        ++wrong;
    }
    return wrong;
}

#endif
