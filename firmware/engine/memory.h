/** All of libc that the engine needs; declared here because a freestanding tool chain has no
 * string.h. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memset(void *to, int value, size_t size_bytes);

/* A freestanding compiler would call them even for a word. */
#define memcpy(to, from, size_bytes) __builtin_memcpy(to, from, size_bytes)
#define memset(to, value, size_bytes) __builtin_memset(to, value, size_bytes)

#endif
