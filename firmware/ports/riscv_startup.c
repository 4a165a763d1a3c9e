/* Start-up code for a bare RV32: stack, global pointer, trap vector, .data copied, .bss zeroed, main called. */
#include <stdint.h>

extern uint32_t _eq_data_load[];
extern uint32_t _eq_data_start[];
extern uint32_t _eq_data_end[];
extern uint32_t _eq_bss_start[];
extern uint32_t _eq_bss_end[];

int main(void);
void eq_start_c(void);

/* Told of every trap: the address of the instruction and mcause. The default stops here for a debugger to
 * find; the harness replaces it by one that reports and exits. */
void eq_fault(uint32_t pc, uint32_t cause);

__attribute__((weak)) void eq_fault(uint32_t pc, uint32_t cause)
{
    (void)pc;
    (void)cause;
    for (;;) {
    }
}

/* Zicsr is asked for here and not in -march: some toolchains pick the wrong libraries for rv32imac_zicsr. */
__asm__(".pushsection .text.eq_reset, \"ax\", %progbits\n"
        ".option push\n"
        ".option arch, +zicsr\n"
        ".option norelax\n"
        ".global _start\n"
        ".type _start, %function\n"
        "_start:\n"
        "    la gp, __global_pointer$\n"
        "    la sp, _eq_stack_top\n"
        "    la t0, eq_trap_entry\n"
        "    csrw mtvec, t0\n"
        "    tail eq_start_c\n" /* reaches any address; j ends at 1 MiB */
        ".size _start, . - _start\n"
        ".balign 4\n"
        ".global eq_trap_entry\n"
        ".type eq_trap_entry, %function\n"
        "eq_trap_entry:\n"
        "    csrr a0, mepc\n"
        "    csrr a1, mcause\n"
        "    la sp, _eq_stack_top\n" /* the trap may be a stack that ran out */
        "    call eq_fault\n"
        "1:  j 1b\n"
        ".size eq_trap_entry, . - eq_trap_entry\n"
        ".option pop\n"
        ".popsection\n");

__attribute__((used)) void eq_start_c(void)
{
    const uint32_t *from = _eq_data_load;
    for (volatile uint32_t *to = _eq_data_start; to < _eq_data_end; to++) {
        *to = *from;
        from++;
    }
    for (volatile uint32_t *to = _eq_bss_start; to < _eq_bss_end; to++) {
        *to = 0u;
    }
    (void)main();
    for (;;) {
    }
}
