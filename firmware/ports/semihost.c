/* Semihosting calls for Cortex-M (bkpt 0xab) and RISC-V (slli, ebreak, srai); see semihost.h. */
#include "semihost.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20,
    STOPPED_APPLICATION_EXIT = 0x20026
};

/* The trap itself: operation and the address of its arguments in, result out. One copy only, so that an
 * emulator that finds the symbol knows every place where a call can happen. */
int32_t eq_semihost_call(uint32_t operation, uintptr_t argument);

#if defined(__riscv)
/* The three instructions must be uncompressed and in one page: hence norvc and the alignment. */
__asm__(".pushsection .text.eq_semihost_call, \"ax\", %progbits\n"
        ".option push\n"
        ".option norvc\n"
        ".balign 16\n"
        ".global eq_semihost_call\n"
        ".type eq_semihost_call, %function\n"
        "eq_semihost_call:\n"
        "    slli x0, x0, 0x1f\n"
        "    ebreak\n"
        "    srai x0, x0, 7\n"
        "    ret\n"
        ".size eq_semihost_call, . - eq_semihost_call\n"
        ".option pop\n"
        ".popsection\n");
#else
__asm__(".pushsection .text.eq_semihost_call, \"ax\", %progbits\n"
        ".syntax unified\n"
        ".thumb\n"
        ".balign 4\n"
        ".global eq_semihost_call\n"
        ".type eq_semihost_call, %function\n"
        ".thumb_func\n"
        "eq_semihost_call:\n"
        "    bkpt 0xab\n"
        "    bx lr\n"
        ".size eq_semihost_call, . - eq_semihost_call\n"
        ".popsection\n");
#endif

int32_t eq_sh_open(const char *path, uint32_t mode)
{
    uintptr_t length = 0;
    while (path[length] != '\0') {
        length++;
    }
    volatile uintptr_t block[3] = {(uintptr_t)path, mode, length};
    return eq_semihost_call(SYS_OPEN, (uintptr_t)block);
}

int32_t eq_sh_close(int32_t handle)
{
    volatile uintptr_t block[1] = {(uintptr_t)handle};
    return eq_semihost_call(SYS_CLOSE, (uintptr_t)block);
}

uint32_t eq_sh_read(int32_t handle, void *data, uint32_t bytes)
{
    volatile uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)data, bytes};
    const uint32_t missing = (uint32_t)eq_semihost_call(SYS_READ, (uintptr_t)block);
    return missing > bytes ? 0u : bytes - missing;
}

uint32_t eq_sh_write(int32_t handle, const void *data, uint32_t bytes)
{
    volatile uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)data, bytes};
    const uint32_t missing = (uint32_t)eq_semihost_call(SYS_WRITE, (uintptr_t)block);
    return missing > bytes ? 0u : bytes - missing;
}

void eq_sh_print(const char *text)
{
    (void)eq_semihost_call(SYS_WRITE0, (uintptr_t)text);
}

void eq_sh_print_hex(uint32_t value)
{
    char text[11];
    text[0] = '0';
    text[1] = 'x';
    for (uint32_t i = 0; i < 8u; i++) {
        const uint32_t digit = (value >> (28u - 4u * i)) & 15u;
        text[2u + i] = (char)(digit < 10u ? '0' + (char)digit : 'a' + (char)(digit - 10u));
    }
    text[10] = '\0';
    eq_sh_print(text);
}

void eq_sh_exit(int32_t status)
{
    volatile uintptr_t block[2] = {STOPPED_APPLICATION_EXIT, (uintptr_t)status};
    for (;;) {
        (void)eq_semihost_call(SYS_EXIT_EXTENDED, (uintptr_t)block);
    }
}
