/* edgeq_scalar_pair.h: the inner loop of the form of pairs: four output channels of two pixels, two products at a time.
 *
 * An element of x is a word: the byte u of the first pixel, and 2^16 times the byte v of the second. Both are unsigned,
 * and so is a weight w, so that the product p = w u + 2^16 w v fits a word, neither part reaching into the other, and
 * w v = p >> 16. With the sums P of p and V of w v, both modulo 2^32, the sum of w u is P - 2^16 V modulo 2^32: five
 * instructions (a load, a product, a shift, two additions) for two products, whatever the weights are.
 */
#ifndef EDGEQ_SCALAR_PAIR_H
#define EDGEQ_SCALAR_PAIR_H

#include "edgeq_scalar.h"

/* x: n words (a multiple of four, and not zero); w: four bytes for each. sum: the start values of the first pixel's
 * four channels, and eight entries later those of the second's. */
typedef struct {
    const eq_u32 *x, *x_end;
    const uint8_t *w;
    uint32_t *sum;
} eq_scalar_pair_t;

#if EQ_SCALAR_THUMB1
/* r0 x, r1 w, r2 an element, r3 a product, r4..r7 sums of products, r8..r11 of the second pixel, r12 the end of x. */
#define EQ_SCALAR_PAIR_SUM_(offset, both, second) \
    "ldrb r3, [r1, #" offset "]\n\t"              \
    "muls r3, r2, r3\n\t"                         \
    "adds " both ", " both ", r3\n\t"             \
    "lsrs r3, r3, #16\n\t"                        \
    "add " second ", r3\n\t"
#define EQ_SCALAR_PAIR_ELEMENT_(x, a, b, c, d) \
    "ldr r2, [r0, #" x "]\n\t"                 \
    EQ_SCALAR_PAIR_SUM_(a, "r4", "r8")         \
    EQ_SCALAR_PAIR_SUM_(b, "r5", "r9")         \
    EQ_SCALAR_PAIR_SUM_(c, "r6", "r10")        \
    EQ_SCALAR_PAIR_SUM_(d, "r7", "r11")
/* SUM: start of the first pixel in `both`, of the second in `second`; 2^16 times the latter goes into the former. */
#define EQ_SCALAR_PAIR_JOIN_(op, both, second) \
    "mov r3, " second "\n\t"                   \
    "lsls r3, r3, #16\n\t"                     \
    op " " both ", " both ", r3\n\t"

EQ_SCALAR_SHARED void eq_scalar_pair(const eq_scalar_pair_t *from)
{
    register const eq_scalar_pair_t *job __asm__("r0") = from;
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r0, r4-r7}\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "ldr r3, [r0, #4]\n\t"
        "mov r12, r3\n\t"
        "ldr r1, [r0, #12]\n\t"
        "ldr r4, [r1, #32]\n\t"
        "ldr r5, [r1, #36]\n\t"
        "ldr r6, [r1, #40]\n\t"
        "ldr r7, [r1, #44]\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "ldm r1!, {r4-r7}\n\t"
        EQ_SCALAR_PAIR_JOIN_("adds", "r4", "r8")
        EQ_SCALAR_PAIR_JOIN_("adds", "r5", "r9")
        EQ_SCALAR_PAIR_JOIN_("adds", "r6", "r10")
        EQ_SCALAR_PAIR_JOIN_("adds", "r7", "r11")
        "ldr r1, [r0, #8]\n\t"
        "ldr r0, [r0]\n\t"
        /* Eight elements at a time; where four are over, the loop is entered in the middle. */
        "mov r3, r12\n\t"
        "subs r3, r3, r0\n\t"
        "lsls r3, r3, #27\n\t"
        "bpl 1f\n\t"
        "subs r0, r0, #16\n\t"
        "subs r1, r1, #16\n\t"
        "b 2f\n\t"
        "1:\n\t"
        EQ_SCALAR_PAIR_ELEMENT_("0", "0", "1", "2", "3")
        EQ_SCALAR_PAIR_ELEMENT_("4", "4", "5", "6", "7")
        EQ_SCALAR_PAIR_ELEMENT_("8", "8", "9", "10", "11")
        EQ_SCALAR_PAIR_ELEMENT_("12", "12", "13", "14", "15")
        "2:\n\t"
        EQ_SCALAR_PAIR_ELEMENT_("16", "16", "17", "18", "19")
        EQ_SCALAR_PAIR_ELEMENT_("20", "20", "21", "22", "23")
        EQ_SCALAR_PAIR_ELEMENT_("24", "24", "25", "26", "27")
        EQ_SCALAR_PAIR_ELEMENT_("28", "28", "29", "30", "31")
        "adds r0, r0, #32\n\t"
        "adds r1, r1, #32\n\t"
        "cmp r0, r12\n\t"
        "beq 3f\n\t"
        "b 1b\n\t"
        "3:\n\t"
        EQ_SCALAR_PAIR_JOIN_("subs", "r4", "r8")
        EQ_SCALAR_PAIR_JOIN_("subs", "r5", "r9")
        EQ_SCALAR_PAIR_JOIN_("subs", "r6", "r10")
        EQ_SCALAR_PAIR_JOIN_("subs", "r7", "r11")
        "ldr r0, [sp, #16]\n\t"
        "ldr r0, [r0, #12]\n\t"
        "stm r0!, {r4-r7}\n\t"
        "adds r0, r0, #16\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "stm r0!, {r4-r7}\n\t"
        "pop {r4-r7}\n\t"
        "mov r8, r4\n\t"
        "mov r9, r5\n\t"
        "mov r10, r6\n\t"
        "mov r11, r7\n\t"
        "pop {r0, r4-r7}\n\t"
        : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");
}
#else
EQ_SCALAR_SHARED void eq_scalar_pair(const eq_scalar_pair_t *job)
{
    for (int32_t c = 0; c < 4; c++) {
        uint32_t second = job->sum[8 + c], both = job->sum[c] + (second << 16);
        const uint8_t *w = job->w + c;
        for (const eq_u32 *x = job->x; x != job->x_end; x++, w += 4) {
            const uint32_t product = *x * *w;
            both += product;
            second += product >> 16;
        }
        job->sum[c] = both - (second << 16);
        job->sum[8 + c] = second;
    }
}
#endif

/* n elements (a multiple of four) of two windows `step` bytes apart; alone: of the first only. */
EQ_INLINE void eq_scalar_pair_join(eq_u32 *to, const uint8_t *x, int32_t step, int32_t n, bool alone)
{
    const eq_u32 *const end = to + n;
    if (alone) {
        while (to != end) {
            *to++ = *x++;
        }
        return;
    }
    for (const uint8_t *y = x + step; to != end; to += 4, x += 4, y += 4) {
        to[0] = x[0] | (uint32_t)y[0] << 16;
        to[1] = x[1] | (uint32_t)y[1] << 16;
        to[2] = x[2] | (uint32_t)y[2] << 16;
        to[3] = x[3] | (uint32_t)y[3] << 16;
    }
}

#endif
