/* edgeq_dsp_gather.h: windows of 8-bit codes expanded to 16-bit lanes, in the order in which blocks read them.
 *
 * A run of n neighbouring bytes becomes units (see edgeq_dsp_block.h): bytes 0, 2 then 1, 3 of every four, which is
 * what SXTB16 makes of a word; of a rest, one unit (0, nothing) or (0, 1), or two units (0, 2), (1, nothing).
 */
#ifndef EDGEQ_DSP_GATHER_H
#define EDGEQ_DSP_GATHER_H

#include "edgeq_dsp.h"

/* Units that a run of n bytes takes. */
EQ_INLINE int32_t eq_dsp_units(int32_t n) { return n / 4 * 2 + (n % 4 + 1) / 2; }

/* The last n < 4 bytes of a run, given as a word whose other bytes are zero: one lane pair every two words. */
EQ_INLINE eq_u32 *eq_dsp_expand_rest(eq_u32 *to, uint32_t v, int32_t n, bool is_signed)
{
    if (n == 3) {
        to[0] = eq_even(v, is_signed);
        to[2] = eq_odd(v, is_signed);
        return to + 4;
    }
    if (n > 0) {
        /* Byte 1 moves to where byte 2 is. */
        to[0] = eq_even((v & 0xFFu) | (v & 0xFF00u) << 8, is_signed);
        return to + 2;
    }
    return to;
}

/* n < 4 bytes as a word. */
EQ_INLINE uint32_t eq_dsp_rest(const uint8_t *x, int32_t n)
{
    uint32_t v = n > 0 ? x[0] : 0u;
    v |= n > 1 ? (uint32_t)x[1] << 8 : 0u;
    return v | (n > 2 ? (uint32_t)x[2] << 16 : 0u);
}

/* A run of n bytes of one pixel, into every second word from `to` on; returns what follows. */
EQ_INLINE eq_u32 *eq_dsp_expand1(eq_u32 *to, const uint8_t *x, int32_t n, bool is_signed)
{
    for (; n >= 4; n -= 4, x += 4, to += 4) {
        const uint32_t v = eq_word(x);
        to[0] = eq_even(v, is_signed);
        to[2] = eq_odd(v, is_signed);
    }
    return eq_dsp_expand_rest(to, eq_dsp_rest(x, n), n, is_signed);
}

/* A run of n bytes beyond x of one pixel; `lanes` is two of them. */
EQ_INLINE eq_u32 *eq_dsp_fill1(eq_u32 *to, int32_t n, uint32_t lanes)
{
    for (int32_t units = eq_dsp_units(n); units > 0; units--, to += 2) {
        to[0] = lanes;
    }
    return to;
}

/* Bytes from..from + n - 1, n <= 4, of a row of `size` bytes as a word; those beyond it are taken from `fill`. */
EQ_INLINE uint32_t eq_dsp_border_word(const uint8_t *row, int32_t from, int32_t size, int32_t n, uint32_t fill)
{
    uint32_t v = fill;
    for (int32_t i = 0; i < n; i++) {
        if (from + i >= 0 && from + i < size) {
            v = (v & ~(0xFFu << (8 * i))) | (uint32_t)row[from + i] << (8 * i);
        }
    }
    return v;
}

/* Four bytes, of which some lie beyond an end of the row. */
EQ_INLINE eq_u32 *eq_dsp_mixed1(eq_u32 *to, const uint8_t *row, int32_t from, int32_t size, uint32_t fill,
                                bool is_signed)
{
    const uint32_t v = eq_dsp_border_word(row, from, size, 4, fill);
    to[0] = eq_even(v, is_signed);
    to[2] = eq_odd(v, is_signed);
    return to + 4;
}

/* A run of n bytes of one pixel that starts at byte `from` of a row of `size` bytes, of which it may leave either end:
 * words in front of the row, the one across its start, those inside, the one across its end, those behind, a rest. */
EQ_INLINE eq_u32 *eq_dsp_row1(eq_u32 *to, const uint8_t *row, int32_t from, int32_t size, int32_t n, uint32_t fill,
                              bool is_signed)
{
    const int32_t end = from + n / 4 * 4;
    const uint32_t lanes = eq_even(fill, is_signed);
    if (from < 0) {
        const int32_t before = eq_min(-from, end - from) / 4 * 4;
        to = eq_dsp_fill1(to, before, lanes);
        from += before;
        if (from < 0 && from < end) {
            to = eq_dsp_mixed1(to, row, from, size, fill, is_signed);
            from += 4;
        }
    }
    if (from < size && from < end) {
        const int32_t inside = eq_min(size, end) - from;
        to = eq_dsp_expand1(to, row + from, inside / 4 * 4, is_signed);
        from += inside / 4 * 4;
        if (from < size && from < end) {
            to = eq_dsp_mixed1(to, row, from, size, fill, is_signed);
            from += 4;
        }
    }
    to = eq_dsp_fill1(to, end - from, lanes);
    return eq_dsp_expand_rest(to, eq_dsp_border_word(row, end, size, n % 4, fill), n % 4, is_signed);
}

/* A plane of rows: `size` bytes each, `height` of them; a window of `rows` runs of `run` bytes on it. The assembler
 * below knows the places of the fields. */
typedef struct {
    const uint8_t *x;
    int32_t size, height;
    int32_t run, rows;
    uint32_t fill; /* four times the code that stands for zero, which is what lies around x */
} eq_dsp_plane;

/* The window of one pixel from row `top` and byte `from` on, into every second word from `to` on. */
EQ_INLINE void eq_dsp_window1(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to, bool is_signed)
{
    for (int32_t i = top; i < top + p->rows; i++) {
        to = i >= 0 && i < p->height ? eq_dsp_row1(to, p->x + i * p->size, from, p->size, p->run, p->fill, is_signed)
                                     : eq_dsp_fill1(to, p->run, eq_even(p->fill, is_signed));
    }
}

#if EQ_DSP_ASM
#define EQ_DSP_WINDOW_FOUR_(X) /* four bytes of each pixel: seven instructions for eight lanes */ \
    "ldr r6, [r1], #4\n\t"                                                                        \
    "ldr r7, [r2], #4\n\t"                                                                        \
    X " r4, r6\n\t"                                                                               \
    X " r5, r7\n\t"                                                                               \
    X " r6, r6, ror #8\n\t"                                                                       \
    X " r7, r7, ror #8\n\t"                                                                       \
    "stm r0!, {r4-r7}\n\t"
#define EQ_DSP_WINDOW_(name, X)                                                                                        \
    EQ_SHARED void name(eq_u32 *units, const uint8_t *first, const uint8_t *second, const eq_dsp_plane *plane)         \
    {                                                                                                                  \
        register eq_u32 *to __asm__("r0") = units;                                                                     \
        register const uint8_t *a __asm__("r1") = first;                                                               \
        register const uint8_t *b __asm__("r2") = second;                                                              \
        register const eq_dsp_plane *p __asm__("r3") = plane;                                                          \
        __asm__ volatile(                                                                                              \
            "push {r4-r11, lr}\n\t"                                                                                    \
            "ldr lr, [r3, #4]\n\t"                                                                                     \
            "ldrd r9, r10, [r3, #12]\n\t"                                                                              \
            "sub lr, lr, r9\n\t"                                                                                       \
            "asr r8, r9, #2\n\t"                                                                                       \
            "and r9, r9, #3\n\t"                                                                                       \
            "1:\n"                                                                                                     \
            "tst r8, #1\n\t"                                                                                           \
            "beq 2f\n\t"                                                                                               \
            EQ_DSP_WINDOW_FOUR_(X)                                                                                     \
            "2:\n"                                                                                                     \
            "asrs r11, r8, #1\n\t"                                                                                     \
            "beq 4f\n\t"                                                                                               \
            "3:\n"                                                                                                     \
            EQ_DSP_WINDOW_FOUR_(X) EQ_DSP_WINDOW_FOUR_(X)                                                              \
            "subs r11, r11, #1\n\t"                                                                                    \
            "bne 3b\n\t"                                                                                               \
            "4:\n"                                                                                                     \
            "cmp r9, #2\n\t"                                                                                           \
            "blt 7f\n\t"                                                                                               \
            "beq 5f\n\t"                                                                                               \
            "ldrh r6, [r1], #2\n\t"                                                                                    \
            "ldrh r7, [r2], #2\n\t"                                                                                    \
            "ldrb r4, [r1], #1\n\t"                                                                                    \
            "ldrb r5, [r2], #1\n\t"                                                                                    \
            "orr r6, r6, r4, lsl #16\n\t"                                                                              \
            "orr r7, r7, r5, lsl #16\n\t"                                                                              \
            X " r4, r6\n\t"                                                                                            \
            X " r5, r7\n\t"                                                                                            \
            X " r6, r6, ror #8\n\t"                                                                                    \
            X " r7, r7, ror #8\n\t"                                                                                    \
            "stm r0!, {r4-r7}\n\t"                                                                                     \
            "b 8f\n\t"                                                                                                 \
            "5:\n"                                                                                                     \
            "ldrh r6, [r1], #2\n\t"                                                                                    \
            "ldrh r7, [r2], #2\n\t"                                                                                    \
            "orr r6, r6, r6, lsl #8\n\t"                                                                               \
            "orr r7, r7, r7, lsl #8\n\t"                                                                               \
            "6:\n"                                                                                                     \
            X " r4, r6\n\t"                                                                                            \
            X " r5, r7\n\t"                                                                                            \
            "stm r0!, {r4, r5}\n\t"                                                                                    \
            "b 8f\n\t"                                                                                                 \
            "7:\n"                                                                                                     \
            "cmp r9, #0\n\t"                                                                                           \
            "beq 8f\n\t"                                                                                               \
            "ldrb r6, [r1], #1\n\t"                                                                                    \
            "ldrb r7, [r2], #1\n\t"                                                                                    \
            "b 6b\n\t"                                                                                                 \
            "8:\n"                                                                                                     \
            "add r1, r1, lr\n\t"                                                                                       \
            "add r2, r2, lr\n\t"                                                                                       \
            "subs r10, r10, #1\n\t"                                                                                    \
            "bne 1b\n\t"                                                                                               \
            "pop {r4-r11, lr}\n\t"                                                                                     \
            : "+&r"(to), "+&r"(a), "+&r"(b), "+&r"(p)::"r12", "cc", "memory");                                         \
    }

/* The windows of two pixels that lie inside, from `first` and `second` on. */
EQ_DSP_WINDOW_(eq_dsp_window2_s, "sxtb16")
EQ_DSP_WINDOW_(eq_dsp_window2_u, "uxtb16")
#else
/* The windows of two pixels that lie inside, from `first` and `second` on: each in every second word. */
EQ_INLINE void eq_dsp_window2(eq_u32 *units, const uint8_t *first, const uint8_t *second, const eq_dsp_plane *plane,
                              bool is_signed)
{
    for (int32_t i = 0; i < plane->rows; i++, first += plane->size, second += plane->size) {
        (void)eq_dsp_expand1(units + 1, second, plane->run, is_signed);
        units = eq_dsp_expand1(units, first, plane->run, is_signed);
    }
}

EQ_SHARED void eq_dsp_window2_s(eq_u32 *units, const uint8_t *first, const uint8_t *second, const eq_dsp_plane *plane)
{
    eq_dsp_window2(units, first, second, plane, true);
}

EQ_SHARED void eq_dsp_window2_u(eq_u32 *units, const uint8_t *first, const uint8_t *second, const eq_dsp_plane *plane)
{
    eq_dsp_window2(units, first, second, plane, false);
}
#endif

EQ_SHARED void eq_dsp_window1_s(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to)
{
    eq_dsp_window1(p, top, from, to, true);
}

EQ_SHARED void eq_dsp_window1_u(const eq_dsp_plane *p, int32_t top, int32_t from, eq_u32 *to)
{
    eq_dsp_window1(p, top, from, to, false);
}

#endif
