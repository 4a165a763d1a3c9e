// The real ap_fixed as an oracle: every quantisation and overflow mode on the raw numbers that come on stdin.
//
// CASES (defined when compiled) lists X(source width, source integer bits, source signed, width, integer bits, signed).
// For each case in that order: a count on stdin and as many raw source numbers (text); on stdout one line for each
// pair of modes, in the order of the loops below, with the raw bits of every result.
#include <ap_fixed.h>
#include <cstdio>
#include <type_traits>
#include <vector>

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O>
using Fixed = typename std::conditional<S, ap_fixed<W, I, Q, O>, ap_ufixed<W, I, Q, O>>::type;

template <int SW, int SI, bool SS, int W, int I, bool S, ap_q_mode Q, ap_o_mode O>
void convert(const std::vector<long long> &raw)
{
    for (long long v : raw) {
        Fixed<SW, SI, SS, AP_TRN, AP_WRAP> x;
        x.V = v;
        Fixed<W, I, S, Q, O> y = x;
        std::printf("%llu ", (unsigned long long)y.range().to_uint64());
    }
    std::printf("\n");
}

template <int SW, int SI, bool SS, int W, int I, bool S, ap_q_mode Q> void overflows(const std::vector<long long> &raw)
{
    convert<SW, SI, SS, W, I, S, Q, AP_WRAP>(raw);
    convert<SW, SI, SS, W, I, S, Q, AP_SAT>(raw);
    convert<SW, SI, SS, W, I, S, Q, AP_SAT_ZERO>(raw);
    convert<SW, SI, SS, W, I, S, Q, AP_SAT_SYM>(raw);
}

template <int SW, int SI, bool SS, int W, int I, bool S> void quantizations()
{
    int count = 0;
    if (std::scanf("%d", &count) != 1) return;
    std::vector<long long> raw(count);
    for (long long &v : raw)
        if (std::scanf("%lld", &v) != 1) return;
    overflows<SW, SI, SS, W, I, S, AP_TRN>(raw);
    overflows<SW, SI, SS, W, I, S, AP_TRN_ZERO>(raw);
    overflows<SW, SI, SS, W, I, S, AP_RND>(raw);
    overflows<SW, SI, SS, W, I, S, AP_RND_ZERO>(raw);
    overflows<SW, SI, SS, W, I, S, AP_RND_INF>(raw);
    overflows<SW, SI, SS, W, I, S, AP_RND_MIN_INF>(raw);
    overflows<SW, SI, SS, W, I, S, AP_RND_CONV>(raw);
}

int main()
{
#define X(...) quantizations<__VA_ARGS__>();
    CASES
    return 0;
}
