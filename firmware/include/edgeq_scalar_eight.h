/* edgeq_scalar_eight.h: the inner loop of the form of eight: eight output channels of one pixel. */
#ifndef EDGEQ_SCALAR_EIGHT_H
#define EDGEQ_SCALAR_EIGHT_H

#include "edgeq_scalar.h"

/* One block: x, the products of n elements (a multiple of four, and not zero) and the start values in `sum`. */
typedef struct {
    const uint8_t *x, *x_end; /* n elements */
    const uint8_t *w;         /* n times eight */
    uint32_t sum[8];
} eq_scalar_eight_t;

#if EQ_SCALAR_THUMB1
/* r0 x, r1 w, r2 and r3 factors, r4..r7 and r8..r11 sums, r12 the end of x. */
#define EQ_SCALAR_LOW_(offset, sum) \
    "ldrb r3, [r1, #" offset "]\n\t" \
    "muls r3, r2, r3\n\t"           \
    "adds " sum ", " sum ", r3\n\t"
#define EQ_SCALAR_HIGH_(offset, sum) \
    "ldrb r3, [r1, #" offset "]\n\t" \
    "muls r3, r2, r3\n\t"            \
    "add " sum ", r3\n\t"
#define EQ_SCALAR_ELEMENT_(x, a, b, c, d, e, f, g, h) \
    "ldrb r2, [r0, #" x "]\n\t"                       \
    EQ_SCALAR_LOW_(a, "r4")                           \
    EQ_SCALAR_LOW_(b, "r5")                           \
    EQ_SCALAR_LOW_(c, "r6")                           \
    EQ_SCALAR_LOW_(d, "r7")                           \
    EQ_SCALAR_HIGH_(e, "r8")                          \
    EQ_SCALAR_HIGH_(f, "r9")                          \
    EQ_SCALAR_HIGH_(g, "r10")                         \
    EQ_SCALAR_HIGH_(h, "r11")

EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *from)
{
    register eq_scalar_eight_t *job __asm__("r0") = from;
    __asm__ volatile(
        ".syntax unified\n\t"
        "push {r0, r4-r7}\n\t"
        "mov r4, r8\n\t"
        "mov r5, r9\n\t"
        "mov r6, r10\n\t"
        "mov r7, r11\n\t"
        "push {r4-r7}\n\t"
        "ldm r0!, {r1, r2, r3, r4, r5, r6, r7}\n\t"
        "mov r12, r2\n\t"
        "push {r1}\n\t"
        "mov r1, r3\n\t"
        "ldm r0!, {r2, r3}\n\t"
        "mov r8, r2\n\t"
        "mov r9, r3\n\t"
        "ldm r0!, {r2, r3}\n\t"
        "mov r10, r2\n\t"
        "mov r11, r3\n\t"
        "pop {r0}\n\t"
        "1:\n\t"
        EQ_SCALAR_ELEMENT_("0", "0", "1", "2", "3", "4", "5", "6", "7")
        EQ_SCALAR_ELEMENT_("1", "8", "9", "10", "11", "12", "13", "14", "15")
        EQ_SCALAR_ELEMENT_("2", "16", "17", "18", "19", "20", "21", "22", "23")
        EQ_SCALAR_ELEMENT_("3", "24", "25", "26", "27", "28", "29", "30", "31")
        "adds r0, r0, #4\n\t"
        "adds r1, r1, #32\n\t"
        "cmp r0, r12\n\t"
        "bne 1b\n\t"
        "ldr r0, [sp, #16]\n\t"
        "adds r0, r0, #12\n\t"
        "stm r0!, {r4-r7}\n\t"
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
#elif defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_32e) && defined(__GNUC__)
/* a0 x, a1 its end, a2 w, t0 and t1 factors, a3..a7 and t3..t5 sums. */
#define EQ_SCALAR_SUM_(offset, sum)     \
    "lbu t1, " offset "(a2)\n\t"        \
    "mul t1, t1, t0\n\t"                \
    "add " sum ", " sum ", t1\n\t"
#define EQ_SCALAR_ELEMENT_(x, a, b, c, d, e, f, g, h) \
    "lbu t0, " x "(a0)\n\t"                           \
    EQ_SCALAR_SUM_(a, "a3")                           \
    EQ_SCALAR_SUM_(b, "a4")                           \
    EQ_SCALAR_SUM_(c, "a5")                           \
    EQ_SCALAR_SUM_(d, "a6")                           \
    EQ_SCALAR_SUM_(e, "a7")                           \
    EQ_SCALAR_SUM_(f, "t3")                           \
    EQ_SCALAR_SUM_(g, "t4")                           \
    EQ_SCALAR_SUM_(h, "t5")

EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *from)
{
    register eq_scalar_eight_t *job __asm__("a0") = from;
    __asm__ volatile(
        "mv t6, a0\n\t"
        "lw a1, 4(a0)\n\t"
        "lw a2, 8(a0)\n\t"
        "lw a3, 12(a0)\n\t"
        "lw a4, 16(a0)\n\t"
        "lw a5, 20(a0)\n\t"
        "lw a6, 24(a0)\n\t"
        "lw a7, 28(a0)\n\t"
        "lw t3, 32(a0)\n\t"
        "lw t4, 36(a0)\n\t"
        "lw t5, 40(a0)\n\t"
        "lw a0, 0(a0)\n\t"
        "1:\n\t"
        EQ_SCALAR_ELEMENT_("0", "0", "1", "2", "3", "4", "5", "6", "7")
        EQ_SCALAR_ELEMENT_("1", "8", "9", "10", "11", "12", "13", "14", "15")
        EQ_SCALAR_ELEMENT_("2", "16", "17", "18", "19", "20", "21", "22", "23")
        EQ_SCALAR_ELEMENT_("3", "24", "25", "26", "27", "28", "29", "30", "31")
        "addi a0, a0, 4\n\t"
        "addi a2, a2, 32\n\t"
        "bne a0, a1, 1b\n\t"
        "sw a3, 12(t6)\n\t"
        "sw a4, 16(t6)\n\t"
        "sw a5, 20(t6)\n\t"
        "sw a6, 24(t6)\n\t"
        "sw a7, 28(t6)\n\t"
        "sw t3, 32(t6)\n\t"
        "sw t4, 36(t6)\n\t"
        "sw t5, 40(t6)\n\t"
        : "+&r"(job)::"a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t3", "t4", "t5", "t6", "memory");
}
#elif defined(__thumb2__) && defined(__GNUC__)
/* r0 x, r1 w, r2 and r3 factors, r4..r11 sums, r12 the end of x. */
#define EQ_SCALAR_SUM_(offset, sum)      \
    "ldrb r3, [r1, #" offset "]\n\t"     \
    "mla " sum ", r3, r2, " sum "\n\t"
#define EQ_SCALAR_ELEMENT_(x, a, b, c, d, e, f, g, h) \
    "ldrb r2, [r0, #" x "]\n\t"                       \
    EQ_SCALAR_SUM_(a, "r4")                           \
    EQ_SCALAR_SUM_(b, "r5")                           \
    EQ_SCALAR_SUM_(c, "r6")                           \
    EQ_SCALAR_SUM_(d, "r7")                           \
    EQ_SCALAR_SUM_(e, "r8")                           \
    EQ_SCALAR_SUM_(f, "r9")                           \
    EQ_SCALAR_SUM_(g, "r10")                          \
    EQ_SCALAR_SUM_(h, "r11")

EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *from)
{
    register eq_scalar_eight_t *job __asm__("r0") = from;
    __asm__ volatile(
        "push {r0, r4-r11}\n\t"
        "ldr r12, [r0, #4]\n\t"
        "ldr r1, [r0, #8]\n\t"
        "add r2, r0, #12\n\t"
        "ldm r2, {r4-r11}\n\t"
        "ldr r0, [r0]\n\t"
        "1:\n\t"
        EQ_SCALAR_ELEMENT_("0", "0", "1", "2", "3", "4", "5", "6", "7")
        EQ_SCALAR_ELEMENT_("1", "8", "9", "10", "11", "12", "13", "14", "15")
        EQ_SCALAR_ELEMENT_("2", "16", "17", "18", "19", "20", "21", "22", "23")
        EQ_SCALAR_ELEMENT_("3", "24", "25", "26", "27", "28", "29", "30", "31")
        "add r0, r0, #4\n\t"
        "add r1, r1, #32\n\t"
        "cmp r0, r12\n\t"
        "bne.w 1b\n\t"
        "pop {r0}\n\t"
        "add r0, r0, #12\n\t"
        "stm r0, {r4-r11}\n\t"
        "pop {r4-r11}\n\t"
        : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");
}
#else
EQ_SCALAR_SHARED void eq_scalar_eight(eq_scalar_eight_t *job)
{
    const eq_u8 *w = job->w, *end = job->x_end;
    for (const eq_u8 *x = job->x; x != end; x++, w += 8) {
        for (int32_t i = 0; i < 8; i++) {
            job->sum[i] += (uint32_t)*x * w[i];
        }
    }
}
#endif

#endif
