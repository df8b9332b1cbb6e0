/** What the runner and its report ask of a board. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/** To the host. */
void board_write(const void *bytes, uint32_t size_bytes);

/**
 * Counts what happens between the return of the one and the call of the other, in the board's unit:
 * instructions, or nanoseconds where those are unknown. What calling the two costs is counted too.
 */
uint64_t board_count_start(void);
uint64_t board_count_stop(uint64_t start);

/** Paints what is free of the stack. @return the stack pointer of the caller */
uintptr_t board_stack_paint(void);
/** Bytes below `stack_pointer` that were used since it was painted; 0 if unknown. */
uint32_t board_stack_used(uintptr_t stack_pointer);

/** That many bytes from a multiple of 4, once; NULL if there are not as many. */
uint8_t *board_arena(uint32_t size_bytes);

_Noreturn void board_exit(int status);

#endif
