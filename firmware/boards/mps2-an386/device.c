/** Arm MPS2 with the AN386 image as a device of its own: flash is the PSRAM, which QEMU keeps in a
 * file (Arm DAI 0386; CMSDK: Arm DDI 0479; Armv7-M Architecture Reference Manual). */
#include "../device.h"

#include "../flash_nor.h"
#include "device_start.h"
#include "flash_keys.h"
#include "symbols.h"

const char device_board[] = "mps2-an386";
const char device_target[] = "cortex-m4";

/** DDI 0479, 4.5: the APB UART; its receive interrupt is number 0. */
struct uart {
  volatile uint32_t data, state, control, interrupt, baud_divider;
};
#define UART0 ((struct uart *)0x40004000u)
#define UART_TRANSMIT_FULL 1u
#define UART_RECEIVE_FULL 2u
#define UART_TRANSMIT_ENABLE 1u
#define UART_RECEIVE_ENABLE 2u
#define UART_RECEIVE_INTERRUPT_ENABLE 8u
#define UART_RECEIVE_INTERRUPT 2u
#define UART_LEAST_DIVIDER 16u
/** Some seconds of a host that reads nothing: it has gone. */
#define UART_MAX_POLLS 0x400000u

/** DDI 0479, 4.6: the APB watchdog; it interrupts at its first end and resets at the second. */
struct watchdog {
  volatile uint32_t load, value, control, clear;
};
#define WATCHDOG ((struct watchdog *)0x40008000u)
#define WATCHDOG_ON 3u
#define WATCHDOG_TICKS (4u * TICKS_PER_SECOND)

/** Armv7-M, B3.3: SysTick counts down. */
struct systick {
  volatile uint32_t control, reload, value;
};
#define SYSTICK ((struct systick *)0xe000e010u)
#define SYSTICK_ON 7u /* of the processor's clock, with its exception */
#define TICKS_PER_SECOND 25000000u
#define TICKS_PER_MICROSECOND 25u
#define TICKS_PER_PERIOD 1000000u

#define INTERRUPT_ENABLE (*(volatile uint32_t *)0xe000e100u)
#define INTERRUPT_CLEAR_ENABLE (*(volatile uint32_t *)0xe000e180u)
#define VECTOR_TABLE (*(volatile uint32_t *)0xe000ed08u)
#define RESET_CONTROL (*(volatile uint32_t *)0xe000ed0cu)
#define RESET_REQUEST 0x05fa0004u
#define UART0_RECEIVE 1u /* the bit of interrupt 0 */

#define FLASH ((uint8_t *)0x21000000u)

/** Where both programs find what outlives a reset and not a power cut: the RAM's last bytes. */
struct handover {
  uint32_t magic;
  uint32_t cause; /* enum device_cause; DEVICE_WATCHDOG while the program runs */
  uint32_t started_by;
  uint32_t recovery;
};
#define HANDOVER ((volatile struct handover *)__handover)
#define HANDOVER_MAGIC 0x48414e44u

#define PAINT 0x5a17c0deu

/* Volatile like its indices: a compiler may move what is not past them. */
static volatile uint8_t received[DEVICE_RECEIVE_BYTES];
static volatile uint32_t received_in, received_out;
static volatile uint32_t periods;

uint8_t *flash_nor_start(void) { return FLASH; }

const struct boot_device *device_boot(void) {
  static struct boot_device device;
  device = (struct boot_device){&flash_nor, FLASH_KEYS->keys, 0};
  if (FLASH_KEYS->magic == FLASH_KEYS_MAGIC && FLASH_KEYS->count <= FLASH_KEYS_MAX) {
    device.key_count = FLASH_KEYS->count;
  }
  return &device;
}

uint8_t *device_arena(uint32_t *size_bytes) {
  *size_bytes = (uint32_t)(__arena_end - __arena_start);
  return __arena_start;
}

void device_interrupt_uart(void) {
  UART0->interrupt = UART_RECEIVE_INTERRUPT;
  while ((UART0->state & UART_RECEIVE_FULL) != 0) {
    const uint8_t byte = (uint8_t)UART0->data;
    const uint32_t in = received_in;
    if (in - received_out < DEVICE_RECEIVE_BYTES) {
      received[in % DEVICE_RECEIVE_BYTES] = byte;
      received_in = in + 1u;
    }
  }
}

void device_interrupt_systick(void) { periods++; }

uint32_t device_receive(uint8_t *to, uint32_t capacity_bytes) {
  device_feed_watchdog();
  const uint32_t out = received_out, waiting = received_in - out;
  const uint32_t count = waiting < capacity_bytes ? waiting : capacity_bytes;
  for (uint32_t index = 0; index < count; index++) {
    to[index] = received[(out + index) % DEVICE_RECEIVE_BYTES];
  }
  received_out = out + count;
  return count;
}

void device_send(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  (void)context;
  device_feed_watchdog();
  for (uint32_t index = 0; index < size_bytes; index++) {
    for (uint32_t polls = 0; (UART0->state & UART_TRANSMIT_FULL) != 0; polls++) {
      if (polls == UART_MAX_POLLS) return;
    }
    UART0->data = bytes[index];
  }
}

/** Interrupts are held back from the question until WFI, which they end even so (Armv7-M, B1.5.19).
 */
void device_wait(void) {
  __asm volatile("cpsid i" ::: "memory");
  if (received_in == received_out) __asm volatile("wfi" ::: "memory");
  __asm volatile("cpsie i\n isb" ::: "memory");
}

void device_feed_watchdog(void) { WATCHDOG->clear = 1; }

/** Of the period under way; read again if one has ended in between. */
static uint32_t read_ticks(uint32_t *period) {
  uint32_t value;
  do {
    *period = periods;
    value = SYSTICK->value;
  } while (*period != periods);
  return TICKS_PER_PERIOD - 1u - value;
}

/** Without a division of 64 bits, which would take as much flash as all of this file. */
uint64_t device_microseconds(void) {
  uint32_t period;
  const uint32_t ticks = read_ticks(&period);
  return (uint64_t)period * (TICKS_PER_PERIOD / TICKS_PER_MICROSECOND) +
         ticks / TICKS_PER_MICROSECOND;
}

uint32_t device_cycles(void) {
  uint32_t period;
  const uint32_t ticks = read_ticks(&period);
  return period * TICKS_PER_PERIOD + ticks;
}

uint32_t device_stack_bytes(void) {
  const volatile uint32_t *word = __stack_start;
  while (word < __stack_end && *word == PAINT) word++;
  return (uint32_t)(__stack_end - (const uint32_t *)word) * (uint32_t)sizeof *word;
}

void device_paint_stack(void) {
  uint32_t *stack_pointer;
  __asm volatile("mov %0, sp" : "=r"(stack_pointer));
  for (volatile uint32_t *word = __stack_start; word < stack_pointer; word++) *word = PAINT;
}

enum device_cause device_cause(void) { return (enum device_cause)HANDOVER->started_by; }

bool device_recovery_asked(void) { return HANDOVER->recovery == HANDOVER_MAGIC; }

static _Noreturn void reset_as(enum device_cause cause, bool recovery) {
  HANDOVER->cause = (uint32_t)cause;
  HANDOVER->recovery = recovery ? HANDOVER_MAGIC : 0;
  __asm volatile("dsb" ::: "memory");
  RESET_CONTROL = RESET_REQUEST;
  for (;;) {
  }
}

void device_reset(bool recovery) { reset_as(DEVICE_SOFTWARE, recovery); }

__attribute__((used)) void device_fault(void) { reset_as(DEVICE_FAULT, false); }

/** The bootloader alone learns the cause; the firmware finds it where the bootloader has left it.
 */
void device_note_cause(void) {
  const bool known = HANDOVER->magic == HANDOVER_MAGIC;
  const uint32_t cause = known ? HANDOVER->cause : (uint32_t)DEVICE_POWER;
  HANDOVER->started_by = cause;
  if (cause != (uint32_t)DEVICE_SOFTWARE) HANDOVER->recovery = 0;
  HANDOVER->magic = HANDOVER_MAGIC;
  HANDOVER->cause = DEVICE_WATCHDOG;
}

void device_start(void) {
  SYSTICK->reload = TICKS_PER_PERIOD - 1u;
  SYSTICK->value = 0;
  SYSTICK->control = SYSTICK_ON;
  WATCHDOG->load = WATCHDOG_TICKS;
  WATCHDOG->control = WATCHDOG_ON;
  UART0->baud_divider = UART_LEAST_DIVIDER;
  UART0->control = UART_TRANSMIT_ENABLE | UART_RECEIVE_ENABLE | UART_RECEIVE_INTERRUPT_ENABLE;
  INTERRUPT_ENABLE = UART0_RECEIVE;
  __asm volatile("cpsie i" ::: "memory");
}

/** As a reset would leave it, but for the watchdog. */
void device_jump(const struct boot_image *image) {
  __asm volatile("cpsid i" ::: "memory");
  INTERRUPT_CLEAR_ENABLE = UINT32_MAX;
  SYSTICK->control = 0;
  UART0->control = 0;
  const uint32_t *vectors = (const uint32_t *)(device_flash_at(BOOT_PRIMARY) + image->header_bytes);
  VECTOR_TABLE = (uint32_t)vectors;
  __asm volatile(
      "dsb\n"
      "isb\n"
      "msr msp, %0\n"
      "bx %1\n"
      :
      : "r"(vectors[0]), "r"(vectors[1])
      : "memory");
  __builtin_unreachable();
}
