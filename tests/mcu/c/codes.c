/* Codes of minifloats from sums by edgeq_code.h against eq_float_round: every sum near every tie, and far beyond the range. */
#include <stdio.h>

#include "edgeq_code.h"

static long bad, seen;

static void compare(int64_t v, int32_t s, int64_t lo, int64_t hi, int32_t rule, eq_type t, bool wide)
{
    const int32_t least = eq_code_key(lo, t), most = eq_code_key(hi, t);
    const int64_t left = s < 0 ? v * (1ll << -s) : v;
    const uint8_t want = (uint8_t)eq_float_code(eq_clamp64(eq_float_round(left, s < 0 ? 0 : s, rule, t), lo, hi), t);
    const uint8_t found = wide ? eq_code64(v, s, least, most, rule, t) : eq_code32((int32_t)v, s, least, most, rule, t);
    bad += found != want;
    seen++;
}

/* Around each eighth of each code's step, and around what 32 and 64 bits hold. */
static void near(int32_t s, int64_t lo, int64_t hi, int64_t top, int32_t rule, eq_type t, bool wide)
{
    const int32_t codes = (int32_t)(1u << (eq_width(t) - 1));
    for (int32_t code = 0; code < codes; code++) {
        const int64_t at = eq_decode((uint32_t)code, t), next = eq_decode((uint32_t)code + 1u, t);
        for (int32_t i = 0; i < 8 && code + 1 < codes; i++) {
            const int64_t v = at * (1ll << s) + (next - at) * (1ll << s) * i / 8;
            for (int32_t d = -2; d <= 2; d++) {
                if (v + d <= top) {
                    compare(v + d, s, lo, hi, rule, t, wide);
                    compare(-v - d, s, lo, hi, rule, t, wide);
                }
            }
        }
    }
    for (int64_t v = top; v > 0; v /= 3) {
        compare(v, s, lo, hi, rule, t, wide);
        compare(-v, s, lo, hi, rule, t, wide);
    }
}

/* Every shift of 32-bit sums: those to the left, those of all bits, and bounds on one side of zero. */
static void far(int32_t rule, eq_type t)
{
    const int64_t most = eq_decode((1u << (eq_width(t) - 1)) - 1u, t), some = eq_decode(3, t), more = eq_decode(5, t);
    for (int32_t s = -31; s <= 62; s++) {
        for (int64_t v = 1; v <= 2147483648ll; v = v < 40 ? v + 1 : v * 5 / 4) {
            for (int64_t u = v < 3 ? v : v - 1; u <= v + 1 && u <= 2147483647ll; u++) {
                compare(u, s, -most, most, rule, t, false);
                compare(-u - 1, s, -most, most, rule, t, false);
                compare(u, s, some, more, rule, t, false);
                compare(-u - 1, s, -more, -some, rule, t, false);
                compare(-u - 1, s, some, more, rule, t, false);
            }
        }
        compare(0, s, -most, most, rule, t, false);
        compare(-2147483648ll, s, -most, most, rule, t, false);
    }
}

#define ALL(t)                                                                                                         \
    for (int32_t rule = EQ_FLOOR; rule <= EQ_HALF_EVEN; rule++) {                                                      \
        far(rule, t);                                                                                                  \
        const int64_t most = eq_decode((1u << (eq_width(t) - 1)) - 1u, t);                                             \
        for (int32_t s = 1; s <= 30; s += 4) {                                                                         \
            near(s, -most, most, 2147483647, rule, t, false);                                             \
            near(s, 0, eq_decode(5, t), 2147483647, rule, t, false);                                      \
        }                                                                                                              \
        for (int32_t s = 3; s <= 33; s += 3) {                                                                         \
            near(s, -most, most, 1ll << 60, rule, t, true);                                                            \
            near(s, -eq_decode(3, t), most, 1ll << 60, rule, t, true);                                                 \
        }                                                                                                              \
    }

int main(void)
{
    ALL(EQ_F(2, 1))
    ALL(EQ_F(3, 2))
    ALL(EQ_F(4, 3))
    ALL(EQ_F(4, 0))
    ALL(EQ_F(3, 4))
    ALL(EQ_F(1, 3))
    printf("%ld %ld\n", seen, bad);
    return 0;
}
