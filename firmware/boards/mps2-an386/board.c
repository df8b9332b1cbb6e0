/** Arm MPS2 with the AN386 image under QEMU's -icount shift=0 (Arm DAI 0386; CMSDK: Arm DDI 0479).
 */
#include "../board.h"

#include <stdbool.h>
#include <stddef.h>

#include "../runner.h"
#include "board_start.h"
#include "symbols.h"

/** DDI 0479, 4.3: the APB timer. */
struct timer {
  volatile uint32_t control, value, reload;
};
#define TIMER0 ((struct timer *)0x40000000u)
#define TIMER_ENABLE 1u

/** DDI 0479, 4.5: the APB UART. */
struct uart {
  volatile uint32_t data, state, control, interrupt, baud_divider;
};
#define UART0 ((struct uart *)0x40004000u)
#define UART_TRANSMIT_FULL 1u
#define UART_TRANSMIT_ENABLE 1u
#define UART_LEAST_DIVIDER 16u
/** Five to fifteen seconds of a host that reads nothing: it has gone. */
#define UART_MAX_POLLS 0x800000u

/** Semihosting for AArch32, 5.5: SYS_EXIT_EXTENDED. */
#define SYS_EXIT_EXTENDED 0x20u
#define APPLICATION_EXIT 0x20026u

/** The timer runs at 25 MHz, and an instruction takes 1 ns. */
#define INSTRUCTIONS_PER_TICK 40u
#define INSTRUCTIONS_PER_LOOP 41u

#define PAINT 0x5a17c0deu

/** When the timer ticked, and how many loops before that the question was asked. */
struct tick {
  uint32_t value;
  uint32_t loops;
};

void board_start(void) {
  TIMER0->reload = UINT32_MAX;
  TIMER0->value = UINT32_MAX;
  TIMER0->control = TIMER_ENABLE;
  UART0->baud_divider = UART_LEAST_DIVIDER;
  UART0->control = UART_TRANSMIT_ENABLE;
}

/**
 * Reads the timer once a loop, which takes an instruction longer than a tick: each read falls one
 * instruction later in its tick than the one before, until one sees two ticks at once. That one is
 * the first instruction of its tick. So a count is right to the instruction, not to 40.
 */
static struct tick await_tick(void) {
  uint32_t last, value, passed;
  uint32_t loops = 0;
  __asm volatile(
      "  ldr %[last], [%[timer]]\n"
      "  nop\n"
      "  nop\n"
      "  nop\n"
      "  nop\n"
      "1:\n"
      ".rept 35\n"
      "  nop\n"
      ".endr\n"
      "  adds %[loops], #1\n"
      "  ldr %[value], [%[timer]]\n"
      "  subs %[passed], %[last], %[value]\n"
      "  mov %[last], %[value]\n"
      "  cmp %[passed], #2\n"
      "  bne 1b\n"
      : [last] "=&l"(last), [value] "=&l"(value), [passed] "=&l"(passed), [loops] "+l"(loops)
      : [timer] "l"(&TIMER0->value)
      : "cc", "memory");
  return (struct tick){value, loops};
}

uint64_t board_count_start(void) { return await_tick().value; }

/** Up to 2^32 ticks, 1.7e11 instructions. */
uint64_t board_count_stop(uint64_t start) {
  const struct tick tick = await_tick();
  const uint32_t ticks = (uint32_t)start - tick.value; /* it counts down */
  return (uint64_t)ticks * INSTRUCTIONS_PER_TICK - tick.loops * INSTRUCTIONS_PER_LOOP;
}

/** A leaf without a frame: its stack pointer is its caller's. */
uintptr_t board_stack_paint(void) {
  uintptr_t stack_pointer;
  __asm volatile("mov %0, sp" : "=r"(stack_pointer));
  for (volatile uint32_t *word = __stack_start; word < (uint32_t *)stack_pointer; word++) {
    *word = PAINT;
  }
  return stack_pointer;
}

uint32_t board_stack_used(uintptr_t stack_pointer) {
  const volatile uint32_t *word = __stack_start;
  while (word < (uint32_t *)stack_pointer && *word == PAINT) word++;
  return (uint32_t)(stack_pointer - (uintptr_t)word);
}

uint8_t *board_arena(uint32_t size_bytes) {
  return size_bytes <= (uint32_t)(__arena_end - __arena_start) ? __arena_start : NULL;
}

/** @return whether it became free */
static bool await_transmitter(void) {
  for (uint32_t polls = 0; polls < UART_MAX_POLLS; polls++) {
    if ((UART0->state & UART_TRANSMIT_FULL) == 0) return true;
  }
  return false;
}

static _Noreturn void end(int status) {
  const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)status};
  register uint32_t operation __asm("r0") = SYS_EXIT_EXTENDED;
  register const uint32_t *argument __asm("r1") = block;
  __asm volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
  for (;;) {
  }
}

void board_write(const void *bytes, uint32_t size_bytes) {
  for (uint32_t index = 0; index < size_bytes; index++) {
    if (!await_transmitter()) end(RUNNER_OUTPUTS);
    UART0->data = ((const uint8_t *)bytes)[index];
  }
}

void board_exit(int status) { end(await_transmitter() ? status : RUNNER_OUTPUTS); }
