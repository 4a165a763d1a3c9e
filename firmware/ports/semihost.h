/* Semihosting: files, text and exit through the debugger or emulator, without a C library.
 *
 * ARM "Semihosting for AArch32 and AArch64" (ARM DUI 0471, release 3.0) and the RISC-V semihosting
 * specification 0.4: the same calls, another trap instruction. On a board with no debugger attached the
 * trap faults, so shipped firmware must not link this file.
 */
#ifndef EDGEQ_PORTS_SEMIHOST_H
#define EDGEQ_PORTS_SEMIHOST_H

#include <stdint.h>

enum { EQ_SH_READ_BINARY = 1, EQ_SH_WRITE_BINARY = 5 };

/* Opens a file of the host; returns a handle, or -1. */
int32_t eq_sh_open(const char *path, uint32_t mode);

/* Closes a handle; returns 0, or -1. */
int32_t eq_sh_close(int32_t handle);

/* Reads at most `bytes` bytes; returns how many came, 0 at the end of the file. */
uint32_t eq_sh_read(int32_t handle, void *data, uint32_t bytes);

/* Writes `bytes` bytes; returns how many were written. */
uint32_t eq_sh_write(int32_t handle, const void *data, uint32_t bytes);

/* Prints a text that ends in a zero byte. */
void eq_sh_print(const char *text);

/* Prints `value` as 0x and eight hexadecimal digits. */
void eq_sh_print_hex(uint32_t value);

/* Ends the run with an exit status of 0 to 255; does not return. */
void eq_sh_exit(int32_t status);

#endif
