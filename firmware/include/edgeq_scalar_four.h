/* edgeq_scalar_four.h: the inner loop of the form of four: four output channels of several pixels. */
#ifndef EDGEQ_SCALAR_FOUR_H
#define EDGEQ_SCALAR_FOUR_H

#include "edgeq_scalar.h"

/* Pixels that are taken at a time: as many as the registers hold sums of. */
#if defined(__arm__)
enum { EQ_SCALAR_PIXELS = 2 };
#else
enum { EQ_SCALAR_PIXELS = 4 };
#endif

typedef struct {
    const uint8_t *x;
    int32_t step;        /* bytes from one pixel to the next */
    const uint8_t *w;    /* signed */
    const uint8_t *w_end;
    uint32_t start[4];
    uint32_t sum[4 * EQ_SCALAR_PIXELS]; /* pixels by channels */
} eq_scalar_four_t;

/* One pixel. */
#define EQ_SCALAR_ONE_(k)                        \
    do {                                         \
        const int32_t v = a[k];                  \
        s0 += (uint32_t)(v * w[4 * (k)]);        \
        s1 += (uint32_t)(v * w[4 * (k) + 1]);    \
        s2 += (uint32_t)(v * w[4 * (k) + 2]);    \
        s3 += (uint32_t)(v * w[4 * (k) + 3]);    \
    } while (0)
#define EQ_SCALAR_ONE_PIXEL_(name, type)                                                              \
    EQ_SCALAR_SHARED void name(eq_scalar_four_t *job)                                                 \
    {                                                                                                 \
        const type *a = (const type *)job->x;                                                         \
        const eq_i8 *w = (const eq_i8 *)job->w, *end = (const eq_i8 *)job->w_end;                     \
        uint32_t s0 = job->start[0], s1 = job->start[1], s2 = job->start[2], s3 = job->start[3];      \
        do {                                                                                          \
            EQ_SCALAR_ONE_(0);                                                                        \
            EQ_SCALAR_ONE_(1);                                                                        \
            EQ_SCALAR_ONE_(2);                                                                        \
            EQ_SCALAR_ONE_(3);                                                                        \
            a += 4;                                                                                   \
            w += 16;                                                                                  \
        } while (w != end);                                                                           \
        job->sum[0] = s0;                                                                             \
        job->sum[1] = s1;                                                                             \
        job->sum[2] = s2;                                                                             \
        job->sum[3] = s3;                                                                             \
    }

EQ_SCALAR_ONE_PIXEL_(eq_scalar_one_s, eq_i8)
EQ_SCALAR_ONE_PIXEL_(eq_scalar_one_u, eq_u8)

#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_32e) && defined(__GNUC__)
/* a0..a3 x of four pixels, a4 weights, a5 their end, a6, a7, t0 and t1 weights of an element, t2 x, ra a product,
 * s0..s11 and t3..t6 sums. */
#define EQ_SCALAR_RV_MAC_(sum, w) "mul ra, t2, " w "\n\tadd " sum ", " sum ", ra\n\t"
#define EQ_SCALAR_RV_PIXEL_(LOAD, k, x, p, q, r, s) \
    LOAD " t2, " k "(" x ")\n\t"                    \
    EQ_SCALAR_RV_MAC_(p, "a6")                      \
    EQ_SCALAR_RV_MAC_(q, "a7")                      \
    EQ_SCALAR_RV_MAC_(r, "t0")                      \
    EQ_SCALAR_RV_MAC_(s, "t1")
#define EQ_SCALAR_RV_ELEMENT_(LOAD, k, a, b, c, d)                \
    "lb a6, " a "(a4)\n\t"                                        \
    "lb a7, " b "(a4)\n\t"                                        \
    "lb t0, " c "(a4)\n\t"                                        \
    "lb t1, " d "(a4)\n\t"                                        \
    EQ_SCALAR_RV_PIXEL_(LOAD, k, "a0", "s0", "s1", "s2", "s3")    \
    EQ_SCALAR_RV_PIXEL_(LOAD, k, "a1", "s4", "s5", "s6", "s7")    \
    EQ_SCALAR_RV_PIXEL_(LOAD, k, "a2", "s8", "s9", "s10", "s11")  \
    EQ_SCALAR_RV_PIXEL_(LOAD, k, "a3", "t3", "t4", "t5", "t6")
#define EQ_SCALAR_RV_ALL_(OP, base, at)                                                                 \
    OP " s0, " at "+0(" base ")\n\t" OP " s1, " at "+4(" base ")\n\t" OP " s2, " at "+8(" base ")\n\t"  \
    OP " s3, " at "+12(" base ")\n\t" OP " s4, " at "+16(" base ")\n\t" OP " s5, " at "+20(" base ")\n\t" \
    OP " s6, " at "+24(" base ")\n\t" OP " s7, " at "+28(" base ")\n\t" OP " s8, " at "+32(" base ")\n\t" \
    OP " s9, " at "+36(" base ")\n\t" OP " s10, " at "+40(" base ")\n\t" OP " s11, " at "+44(" base ")\n\t"
#define EQ_SCALAR_PIXELS_(name, LOAD, type)                              \
    EQ_SCALAR_SHARED void name(eq_scalar_four_t *from)                   \
    {                                                                    \
        register eq_scalar_four_t *job __asm__("a0") = from;             \
        __asm__ volatile(                                                \
            "addi sp, sp, -64\n\t"                                       \
            EQ_SCALAR_RV_ALL_("sw", "sp", "0")                           \
            "sw ra, 48(sp)\n\t"                                          \
            "sw a0, 52(sp)\n\t"                                          \
            "lw a4, 8(a0)\n\t"                                           \
            "lw a5, 12(a0)\n\t"                                          \
            "lw s0, 16(a0)\n\t"                                          \
            "lw s1, 20(a0)\n\t"                                          \
            "lw s2, 24(a0)\n\t"                                          \
            "lw s3, 28(a0)\n\t"                                          \
            "lw t0, 4(a0)\n\t"                                           \
            "lw a0, 0(a0)\n\t"                                           \
            "add a1, a0, t0\n\t"                                         \
            "add a2, a1, t0\n\t"                                         \
            "add a3, a2, t0\n\t"                                         \
            "mv s4, s0\n\t"                                              \
            "mv s8, s0\n\t"                                              \
            "mv t3, s0\n\t"                                              \
            "mv s5, s1\n\t"                                              \
            "mv s9, s1\n\t"                                              \
            "mv t4, s1\n\t"                                              \
            "mv s6, s2\n\t"                                              \
            "mv s10, s2\n\t"                                             \
            "mv t5, s2\n\t"                                              \
            "mv s7, s3\n\t"                                              \
            "mv s11, s3\n\t"                                             \
            "mv t6, s3\n\t"                                              \
            "1:\n\t"                                                     \
            EQ_SCALAR_RV_ELEMENT_(LOAD, "0", "0", "1", "2", "3")         \
            EQ_SCALAR_RV_ELEMENT_(LOAD, "1", "4", "5", "6", "7")         \
            EQ_SCALAR_RV_ELEMENT_(LOAD, "2", "8", "9", "10", "11")       \
            EQ_SCALAR_RV_ELEMENT_(LOAD, "3", "12", "13", "14", "15")     \
            "addi a4, a4, 16\n\t"                                        \
            "addi a0, a0, 4\n\t"                                         \
            "addi a1, a1, 4\n\t"                                         \
            "addi a2, a2, 4\n\t"                                         \
            "addi a3, a3, 4\n\t"                                         \
            "bne a4, a5, 1b\n\t"                                         \
            "lw a0, 52(sp)\n\t"                                          \
            "addi a0, a0, 32\n\t"                                        \
            EQ_SCALAR_RV_ALL_("sw", "a0", "0")                           \
            "sw t3, 48(a0)\n\t"                                          \
            "sw t4, 52(a0)\n\t"                                          \
            "sw t5, 56(a0)\n\t"                                          \
            "sw t6, 60(a0)\n\t"                                          \
            EQ_SCALAR_RV_ALL_("lw", "sp", "0")                           \
            "lw ra, 48(sp)\n\t"                                          \
            "addi sp, sp, 64\n\t"                                        \
            : "+&r"(job)::"a1", "a2", "a3", "a4", "a5", "a6", "a7", "t0", \
              "t1", "t2", "t3", "t4", "t5", "t6", "memory");             \
    }
EQ_SCALAR_PIXELS_(eq_scalar_four_s, "lb", eq_i8)
EQ_SCALAR_PIXELS_(eq_scalar_four_u, "lbu", eq_u8)
#elif defined(__thumb2__) && defined(__GNUC__)
/* r0 and r1 x of two pixels, r2 weights, r3 a weight, r12 and lr x, r4..r7 and r8..r11 sums. */
#define EQ_SCALAR_T2_CHANNEL_(w, p, q) \
    "ldrsb r3, [r2, #" w "]\n\t"       \
    "mla " p ", r3, r12, " p "\n\t"    \
    "mla " q ", r3, lr, " q "\n\t"
#define EQ_SCALAR_T2_ELEMENT_(LOAD, k, a, b, c, d) \
    LOAD " r12, [r0, #" k "]\n\t"                  \
    LOAD " lr, [r1, #" k "]\n\t"                   \
    EQ_SCALAR_T2_CHANNEL_(a, "r4", "r8")           \
    EQ_SCALAR_T2_CHANNEL_(b, "r5", "r9")           \
    EQ_SCALAR_T2_CHANNEL_(c, "r6", "r10")          \
    EQ_SCALAR_T2_CHANNEL_(d, "r7", "r11")
#define EQ_SCALAR_PIXELS_(name, LOAD, type)                              \
    EQ_SCALAR_SHARED void name(eq_scalar_four_t *from)                   \
    {                                                                    \
        register eq_scalar_four_t *job __asm__("r0") = from;             \
        __asm__ volatile(                                                \
            "push {r0, r4-r11, lr}\n\t"                                  \
            "ldm r0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"               \
            "push {r3}\n\t"                                              \
            "add r1, r1, r0\n\t"                                         \
            "mov r8, r4\n\t"                                             \
            "mov r9, r5\n\t"                                             \
            "mov r10, r6\n\t"                                            \
            "mov r11, r7\n\t"                                            \
            "1:\n\t"                                                     \
            EQ_SCALAR_T2_ELEMENT_(LOAD, "0", "0", "1", "2", "3")         \
            EQ_SCALAR_T2_ELEMENT_(LOAD, "1", "4", "5", "6", "7")         \
            EQ_SCALAR_T2_ELEMENT_(LOAD, "2", "8", "9", "10", "11")       \
            EQ_SCALAR_T2_ELEMENT_(LOAD, "3", "12", "13", "14", "15")     \
            "add r0, r0, #4\n\t"                                         \
            "add r1, r1, #4\n\t"                                         \
            "ldr r3, [sp]\n\t"                                           \
            "add r2, r2, #16\n\t"                                        \
            "cmp r2, r3\n\t"                                             \
            "bne.w 1b\n\t"                                               \
            "pop {r2, r3}\n\t"                                           \
            "add r3, r3, #32\n\t"                                        \
            "stm r3, {r4-r11}\n\t"                                       \
            "pop {r4-r11, lr}\n\t"                                       \
            : "+&r"(job)::"r1", "r2", "r3", "r12", "cc", "memory");       \
    }
EQ_SCALAR_PIXELS_(eq_scalar_four_s, "ldrsb", eq_i8)
EQ_SCALAR_PIXELS_(eq_scalar_four_u, "ldrb", eq_u8)
#else
#define EQ_SCALAR_PIXELS_(name, type)                                                     \
    EQ_SCALAR_SHARED void name(eq_scalar_four_t *job)                                     \
    {                                                                                     \
        const int32_t n = (int32_t)(job->w_end - job->w) / 4;                             \
        for (int32_t i = 0; i < 4 * EQ_SCALAR_PIXELS; i++) {                              \
            const type *x = (const type *)(job->x + i / 4 * job->step);                   \
            const eq_i8 *w = (const eq_i8 *)job->w + i % 4;                               \
            job->sum[i] = job->start[i % 4];                                              \
            for (int32_t k = 0; k < n; k++) {                                             \
                job->sum[i] += (uint32_t)(x[k] * w[4 * k]);                               \
            }                                                                             \
        }                                                                                 \
    }
EQ_SCALAR_PIXELS_(eq_scalar_four_s, eq_i8)
EQ_SCALAR_PIXELS_(eq_scalar_four_u, eq_u8)
#endif

#endif
