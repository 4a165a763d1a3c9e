/* memcpy, memmove, memset, memcmp and strlen for images without a C library; weak, so that a real one wins.
 *
 * A compiler may turn plain loops into calls of these very functions; the empty asm in each loop stops it from
 * doing so here, where it would never return.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
size_t strlen(const char *text);

#define EQ_KEEP_LOOP() __asm__ volatile("" : : : "memory")

typedef uint32_t __attribute__((may_alias)) eq_word;

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((((uintptr_t)t | (uintptr_t)f) & 3u) == 0u) {
        for (; bytes >= 16u; bytes -= 16u) {
            const uint32_t a = ((const eq_word *)(const void *)f)[0];
            const uint32_t b = ((const eq_word *)(const void *)f)[1];
            const uint32_t c = ((const eq_word *)(const void *)f)[2];
            const uint32_t d = ((const eq_word *)(const void *)f)[3];
            ((eq_word *)(void *)t)[0] = a;
            ((eq_word *)(void *)t)[1] = b;
            ((eq_word *)(void *)t)[2] = c;
            ((eq_word *)(void *)t)[3] = d;
            t += 16;
            f += 16;
            EQ_KEEP_LOOP();
        }
        for (; bytes >= 4u; bytes -= 4u) {
            *(eq_word *)(void *)t = *(const eq_word *)(const void *)f;
            t += 4;
            f += 4;
            EQ_KEEP_LOOP();
        }
    }
    for (; bytes > 0u; bytes--) {
        *t++ = *f++;
        EQ_KEEP_LOOP();
    }
    return to;
}

__attribute__((weak)) void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((uintptr_t)t <= (uintptr_t)f || (uintptr_t)t >= (uintptr_t)f + bytes) {
        for (; bytes > 0u; bytes--) {
            *t++ = *f++;
            EQ_KEEP_LOOP();
        }
        return to;
    }
    for (; bytes > 0u; bytes--) {
        t[bytes - 1u] = f[bytes - 1u];
        EQ_KEEP_LOOP();
    }
    return to;
}

__attribute__((weak)) void *memset(void *to, int value, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t byte = (uint8_t)value;
    const uint32_t word = (uint32_t)byte * 0x01010101u;
    for (; bytes > 0u && ((uintptr_t)t & 3u) != 0u; bytes--) {
        *t++ = byte;
        EQ_KEEP_LOOP();
    }
    for (; bytes >= 16u; bytes -= 16u) {
        ((eq_word *)(void *)t)[0] = word;
        ((eq_word *)(void *)t)[1] = word;
        ((eq_word *)(void *)t)[2] = word;
        ((eq_word *)(void *)t)[3] = word;
        t += 16;
        EQ_KEEP_LOOP();
    }
    for (; bytes > 0u; bytes--) {
        *t++ = byte;
        EQ_KEEP_LOOP();
    }
    return to;
}

__attribute__((weak)) int memcmp(const void *left, const void *right, size_t bytes)
{
    const uint8_t *l = left;
    const uint8_t *r = right;
    for (size_t i = 0; i < bytes; i++) {
        if (l[i] != r[i]) {
            return (int)l[i] - (int)r[i];
        }
        EQ_KEEP_LOOP();
    }
    return 0;
}

__attribute__((weak)) size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
        EQ_KEEP_LOOP();
    }
    return length;
}
