/** From reset to boot_main or app_main. */
#include "../device.h"
#include "device_start.h"
#include "symbols.h"

/** FPv4 of a program that was compiled for it. Armv7-M, B3.2.20. */
#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xe000ed88u)
#define COPROCESSOR_FPU 0x00f00000u

_Noreturn void main(void);
_Noreturn void reset(void);
_Noreturn void fault(void);

/** Armv7-M, B1.5.2: the system exceptions; then interrupt 0, the UART's. */
struct vectors {
  uint32_t *stack_pointer;
  void (*handlers[16])(void);
};

__attribute__((section(".vectors"), used)) static const struct vectors vectors = {
    __stack_end,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, device_interrupt_systick, device_interrupt_uart},
};

void reset(void) {
#ifdef __ARM_FP
  COPROCESSOR_ACCESS |= COPROCESSOR_FPU;
  __asm volatile("dsb\n isb" ::: "memory");
#endif
  const uint32_t *source = __data_source;
  for (uint32_t *word = __data_start; word < __data_end; word++) *word = *source++;
  for (uint32_t *word = __bss_start; word < __bss_end; word++) *word = 0;
  main();
}

/** The stack may be what has overflowed: begins it again. */
__attribute__((naked)) void fault(void) {
  __asm volatile(
      "ldr r0, =__stack_end\n"
      "mov sp, r0\n"
      "b device_fault\n");
}
