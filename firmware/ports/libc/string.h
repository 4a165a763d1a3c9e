/* The part of <string.h> that libc_min.c provides; searched last, so that a C library's own header wins. */
#ifndef EDGEQ_PORTS_LIBC_STRING_H
#define EDGEQ_PORTS_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
size_t strlen(const char *text);

#endif
