/** From reset to main, and what becomes of an exception. */
#include "../report.h"
#include "../runner.h"
#include "symbols.h"

_Noreturn void main(void);
_Noreturn void reset(void);
_Noreturn void fault(void);

/** Armv7-M Architecture Reference Manual, B1.5.2: the system exceptions. No interrupt is enabled.
 */
struct vectors {
  uint32_t *stack_pointer;
  void (*handlers[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    __stack_end,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, fault},
};

void reset(void) {
  const uint32_t *source = __data_source;
  for (uint32_t *word = __data_start; word < __data_end; word++) *word = *source++;
  for (uint32_t *word = __bss_start; word < __bss_end; word++) *word = 0;
  main();
}

__attribute__((used)) static _Noreturn void report_fault(void) { report_failure(RUNNER_FAULT); }

/** The stack may be what has overflowed: begins it again. */
__attribute__((naked)) void fault(void) {
  __asm volatile(
      "ldr r0, =__stack_end\n"
      "mov sp, r0\n"
      "b report_fault\n");
}
