/* conformance.c: the C primitives against the vector files of the numbers contract (docs/arithmetic.md).
 *
 * Usage: conformance FILE…   Each file states its own format in its head. Prints what was checked; exit status 0
 * when all agree, 1 when one differs, 2 when a file or a line cannot be read. Every vector goes through each path that
 * may compute it: 32 and 64 bits wide, by shift and by division, with the rounding constant folded and not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgeq_scale.h"

static unsigned long vectors, checks, failures;
static const char *line_text;

static void expect(const char *path, long long got, long long want)
{
    checks++;
    if (got != want) {
        failures++;
        if (failures <= 20) {
            printf("%s: got %lld\n  %s", path, got, line_text);
        }
    }
}

static void unreadable(const char *what)
{
    fprintf(stderr, "conformance: %s: %s", what, line_text);
    exit(2);
}

/* The words of the line after its kind. */
static const char *word(void)
{
    const char *w = strtok(NULL, " \n");
    if (w == NULL) {
        unreadable("line ends too early");
    }
    return w;
}

static int64_t number(void)
{
    char *end;
    const char *w = word();
    const long long v = strtoll(w, &end, 10);
    if (*end != '\0') {
        unreadable("not a number");
    }
    return v;
}

static int32_t small(void) { return (int32_t)number(); }

/* A number of up to 127 bits. */
static eq_wide wide_number(void)
{
    const char *w = word();
    const bool negative = *w == '-';
    eq_wide v = eq_wide_of(0);
    for (w += negative ? 1 : 0; *w != '\0'; w++) {
        if (*w < '0' || *w > '9') {
            unreadable("not a number");
        }
        v = eq_wide_add(eq_wide_add(eq_wide_shl(v, 3), eq_wide_shl(v, 1)), eq_wide_of(*w - '0'));
    }
    return negative ? eq_wide_negate(v) : v;
}

static int32_t rule_word(void)
{
    static const char *const names[] = {"half_down", "half_away", "half_to_zero", "to_zero"};
    const char *w = word();
    for (int32_t i = 0; i < 4; i++) {
        if (strcmp(w, names[i]) == 0) {
            return EQ_HALF_DOWN * (i + 1);
        }
    }
    if (strcmp(w, "half_up") == 0) {
        return EQ_HALF_UP;
    }
    if (strcmp(w, "half_even") == 0) {
        return EQ_HALF_EVEN;
    }
    if (strcmp(w, "tflite") == 0) {
        return EQ_TFLITE;
    }
    if (strcmp(w, "floor") != 0) {
        unreadable("unknown rounding rule");
    }
    return EQ_FLOOR;
}

static bool fits32(int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; }

/* The power of two that den is, or -1. */
static int32_t log2_of(int64_t den)
{
    return (den & (den - 1)) == 0 ? eq_bit_length((uint64_t)den) - 1 : -1;
}

static void check_round(void)
{
    const int32_t rule = rule_word();
    const int64_t num = number(), den = number(), want = number();
    const int32_t s = log2_of(den);
    const int64_t half = den / 2;
    const bool narrow = fits32(num - half) && fits32(num + half) && fits32(den);
    expect("ratio64", eq_ratio64(num, den, rule), want);
    if (s >= 0) {
        expect("round64", eq_round64(num, s, rule), want);
    }
    if (narrow) {
        expect("ratio32", eq_ratio32((int32_t)num, (int32_t)den, rule), want);
    }
    if (narrow && s >= 0 && s < 32) {
        expect("round32", eq_round32((int32_t)num, s, rule), want);
    }
}

static void check_scale(void)
{
    const int32_t rule = rule_word(), multiplier = small(), shift = small();
    const int64_t num = number(), want = number();
    const int8_t shifts[2] = {0, (int8_t)shift};
    const int32_t multipliers[2] = {1, multiplier};
    const eq_scale_t one = {multipliers + 1, shifts + 1, 1, 0, INT32_MIN, INT32_MAX};
    const eq_scale_t two = {multipliers, shifts, 2, 0, INT32_MIN, INT32_MAX};
    int32_t y[2] = {0, 0};
    expect("scale", eq_scale(num, multiplier, shift, rule), want);
    if (!fits32(want)) {
        return;
    }
    eq_put_scaled(y, 0, eq_acc_of(num, true), &one, 5, EQ_S(32), rule, true);
    expect("put scaled, wide", y[0], want);
    if (fits32(num)) {
        eq_put_scaled(y, 1, eq_acc_of(num, false), &two, 1, EQ_S(32), rule, false);
        expect("put scaled, narrow, of channel 1", y[1], want);
    }
}

/* A format of the files: its eq_type, its binary point and its bounds on the grid. */
typedef struct {
    eq_type type;
    eq_type packed; /* as a bit stream; 0 where there is none */
    int32_t point;
    int64_t lo, hi;
} format;

static format fixed_format(void)
{
    const int32_t bits = small(), point = small();
    const bool is_signed = number() != 0;
    format f;
    f.type = is_signed ? EQ_S(bits) : EQ_U(bits);
    f.packed = bits < 8 ? f.type | EQ_PACKED_ : 0;
    f.point = point;
    f.lo = is_signed ? -((int64_t)1 << (bits - 1)) : 0;
    f.hi = is_signed ? ((int64_t)1 << (bits - 1)) - 1 : ((int64_t)1 << bits) - 1;
    return f;
}

static format minifloat_format(void)
{
    const int32_t e = small(), m = small(), bias = small();
    const bool ocp = strcmp(word(), "ocp") == 0;
    const int32_t scale = small();
    format f;
    uint32_t top = (1u << (e + m)) - 1u;
    if (ocp) {
        top = e == 4 ? top - 1u : top - (1u << m);
    }
    f.type = EQ_F(e, m);
    f.packed = 1 + e + m < 8 ? EQ_FP(e, m) : 0;
    f.point = bias - 1 + m - scale;
    f.hi = (int64_t)eq_float_magnitude(top, f.type);
    f.lo = -f.hi;
    return f;
}

static format format_words(void)
{
    const char *kind = word();
    if (strcmp(kind, "fixed") == 0) {
        return fixed_format();
    }
    if (strcmp(kind, "minifloat") != 0) {
        unreadable("unknown format");
    }
    return minifloat_format();
}

/* Write a code into a bit stream of zeros as element i. */
static void put_bits(uint8_t *stream, int32_t i, uint32_t code, eq_type t)
{
    for (int32_t b = 0; b < eq_width(t); b++) {
        const int32_t bit = i * eq_width(t) + b;
        stream[bit / 8] = (uint8_t)(stream[bit / 8] | ((code >> b) & 1u) << (bit % 8));
    }
}

static void check_decode(void)
{
    const format f = format_words();
    const int64_t code = number();
    const char *w = word();
    uint32_t memory[2] = {0, 0};
    if (strcmp(w, "invalid") == 0) {
        return;
    }
    const int64_t want = strtoll(w, NULL, 10);
    eq_store_code(memory, 1, (uint32_t)(uint64_t)code, f.type);
    expect("load64", eq_load64(memory, 1, f.type), want);
    if (fits32(want)) {
        expect("load", eq_load(memory, 1, f.type), want);
    }
    for (int32_t i = 0; f.packed != 0 && i < 9; i++) {
        uint8_t stream[9] = {0};
        put_bits(stream, i, (uint32_t)(uint64_t)code & ((1u << eq_width(f.type)) - 1u), f.type);
        expect("load packed", eq_load64(stream, i, f.packed), want);
    }
}

/* Code of what was put, as the files write it: signed for two's complement. */
static int64_t put_code(const format *f, int64_t num, int32_t shift, int64_t den, int32_t rule, bool ratio, int32_t wide)
{
    uint32_t memory[1] = {0};
    const eq_acc a = eq_acc_of(num, wide);
    if (ratio) {
        eq_put_ratio(memory, 0, a, shift, den, f->lo, f->hi, f->type, rule, wide);
    } else {
        eq_put(memory, 0, a, shift, f->lo, f->hi, f->type, rule | EQ_LEFT, wide);
    }
    return eq_is_float(f->type) ? (int64_t)eq_code(memory, 0, f->type) : eq_load64(memory, 0, f->type);
}

static void check_encode(void)
{
    format f = format_words();
    const int32_t rule = rule_word();
    const int64_t num = number();
    const int32_t frac = small();
    const int64_t den = number(), want = number();
    const int32_t up = eq_clamp32(f.point - frac, 0, 62), down = eq_clamp32(frac - f.point, 0, 62);
    const int64_t aligned = num * ((int64_t)1 << up), below = (int64_t)((uint64_t)den << down), half = below / 2;
    const int32_t log2den = log2_of(den), shift = eq_clamp32(frac - f.point + log2den, -62, 62);
    const bool narrow = fits32(aligned - half) && fits32(aligned + half) && fits32(below) && up < 32;

    expect("put ratio, wide", put_code(&f, num, up, below, rule, true, true), want);
    if (log2den >= 0) {
        expect("put, wide", put_code(&f, num, shift, 1, rule, false, true), want);
        expect("put, of 96 bits", put_code(&f, num, shift, 1, rule, false, EQ_96), want);
    }
    if (rule == EQ_HALF_UP && log2den >= 0 && !eq_is_float(f.type)) {
        const int64_t start = shift > 0 ? (int64_t)1 << (shift - 1) : 0;
        expect("put folded, wide", put_code(&f, num + start, shift, 1, EQ_FLOOR, false, true), want);
    }
    if (!narrow) {
        return;
    }
    if (!eq_is_float(f.type)) {
        f.lo = f.lo < INT32_MIN ? INT32_MIN : f.lo;
        f.hi = f.hi > INT32_MAX ? INT32_MAX : f.hi;
    }
    expect("put ratio, narrow", put_code(&f, num, up, below, rule, true, false), want);
    if (log2den >= 0 && shift < 32 && shift > -32) {
        expect("put, narrow", put_code(&f, num, shift, 1, rule, false, false), want);
    }
}

static void check_wide(void)
{
    format f = format_words();
    int32_t rule = rule_word();
    const char *mode = word();
    const bool is_float = eq_is_float(f.type), is_signed = eq_is_signed(f.type);
    const int32_t bits = eq_width(f.type);
    uint32_t memory[1] = {0};
    if (strcmp(mode, "wrap") == 0) {
        rule |= is_signed ? EQ_WRAP_S(bits) : EQ_WRAP_U(bits);
    } else if (strcmp(mode, "zero") == 0) {
        rule |= EQ_OVER_ZERO;
    }
    f.lo = number();
    f.hi = number();
    rule |= small() * EQ_CLAMP_LO;
    eq_acc a = eq_acc_of(0, EQ_96);
    eq_acc_add_wide(&a, wide_number());
    const int32_t shift = small();
    eq_put(memory, 0, a, shift, f.lo, f.hi, f.type, rule | EQ_LEFT, EQ_96);
    expect("put wide", is_float ? (int64_t)eq_code(memory, 0, f.type) : eq_load64(memory, 0, f.type), number());
}

static void check_file(const char *path)
{
    char text[512], copy[512];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "conformance: cannot read %s\n", path);
        exit(2);
    }
    line_text = copy;
    while (fgets(text, sizeof text, file) != NULL) {
        memcpy(copy, text, sizeof text);
        if (text[0] == '#' || text[0] == '\n') {
            continue;
        }
        const char *kind = strtok(text, " \n");
        if (strcmp(kind, "round") == 0) {
            check_round();
        } else if (strcmp(kind, "scale") == 0) {
            check_scale();
        } else if (strcmp(kind, "decode") == 0) {
            check_decode();
        } else if (strcmp(kind, "wide") == 0) {
            check_wide();
        } else if (strcmp(kind, "encode") == 0) {
            check_encode();
        } else {
            unreadable("unknown kind of vector");
        }
        vectors++;
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        check_file(argv[i]);
    }
    printf("%lu vectors, %lu checks, %lu failures\n", vectors, checks, failures);
    return failures != 0 ? 1 : vectors == 0 ? 2 : 0;
}
