/* Start-up code for every Cortex-M: vector table, FPU and Helium on, .data copied, .bss zeroed, main called.
 *
 * The table holds the sixteen system vectors. A product that uses interrupts gives its own table and start-up
 * (its vendor's), and leaves this file out.
 */
#include <stdint.h>

extern uint32_t _eq_stack_top[];
extern uint32_t _eq_data_load[];
extern uint32_t _eq_data_start[];
extern uint32_t _eq_data_end[];
extern uint32_t _eq_bss_start[];
extern uint32_t _eq_bss_end[];

int main(void);
void _start(void);
void eq_fault_entry(void);

/* Told of every fault: the address of the instruction and the exception's number (3 is HardFault). The default
 * stops here for a debugger to find; the harness replaces it by one that reports and exits. */
void eq_fault(uint32_t pc, uint32_t cause);

__attribute__((weak)) void eq_fault(uint32_t pc, uint32_t cause)
{
    (void)pc;
    (void)cause;
    for (;;) {
    }
}

typedef union {
    void (*handler)(void);
    uint32_t *stack;
} eq_vector;

__attribute__((section(".vectors"), used)) static const eq_vector eq_vectors[16] = {
    {.stack = _eq_stack_top},
    {.handler = _start},
    {.handler = eq_fault_entry}, /* NMI */
    {.handler = eq_fault_entry}, /* HardFault */
    {.handler = eq_fault_entry}, /* MemManage */
    {.handler = eq_fault_entry}, /* BusFault */
    {.handler = eq_fault_entry}, /* UsageFault */
    {.handler = eq_fault_entry}, /* SecureFault */
    {.handler = eq_fault_entry},
    {.handler = eq_fault_entry},
    {.handler = eq_fault_entry},
    {.handler = eq_fault_entry}, /* SVCall */
    {.handler = eq_fault_entry}, /* Debug monitor */
    {.handler = eq_fault_entry},
    {.handler = eq_fault_entry}, /* PendSV */
    {.handler = eq_fault_entry}, /* SysTick */
};

/* Takes the stacked pc from the frame of the exception, then resets the stack pointer, because the fault may
 * be a stack that ran out. The frame is read only if it lies below the stack's top. */
__asm__(".pushsection .text.eq_fault_entry, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"
        ".global eq_fault_entry\n"
        ".type eq_fault_entry, %function\n"
        ".thumb_func\n"
        "eq_fault_entry:\n"
        "    ldr r0, [sp, #24]\n"
        "    mrs r1, ipsr\n"
        "    ldr r2, =_eq_stack_top\n"
        "    mov sp, r2\n"
        "    bl eq_fault\n"
        "1:  b 1b\n"
        "    .ltorg\n"
        ".size eq_fault_entry, . - eq_fault_entry\n"
        ".popsection\n");

/* Not inlined into _start: its code may use the FPU, which _start has to switch on first. */
__attribute__((noinline, used)) static void eq_start_c(void)
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

void _start(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    volatile uint32_t *const cpacr = (volatile uint32_t *)(uintptr_t)0xE000ED88u;
    *cpacr |= 0xFu << 20; /* full access to CP10 and CP11: FPU and Helium */
    __asm__ volatile("dsb\n isb" : : : "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
    volatile uint32_t *const ccr = (volatile uint32_t *)(uintptr_t)0xE000ED14u;
    *ccr |= 1u << 19; /* LOB: the low-overhead-branch cache, off after reset */
    __asm__ volatile("dsb\n isb" : : : "memory");
#endif
    eq_start_c();
}
