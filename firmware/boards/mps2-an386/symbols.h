/** What the linker script defines: addresses, not variables. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <stdint.h>

extern uint8_t __engine_start[], __engine_end[];
extern uint32_t __stack_start[], __stack_end[];
extern uint32_t __data_start[], __data_end[];
extern const uint32_t __data_source[];
extern uint32_t __bss_start[], __bss_end[];
extern uint8_t __arena_start[], __arena_end[];
/* Of a device's programs alone. */
extern uint8_t __handover[];
extern void (*const __constructors_start[])(void);
extern void (*const __constructors_end[])(void);

#endif
