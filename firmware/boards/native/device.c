/**
 * A process of this machine as a device: its serial line is a pty, its flash a file. A reset runs
 * the bootloader's program again in the same process, and the bootloader runs the firmware out of
 * the flash by fexecve; so the line stays, and SIGKILL is a power cut.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "../flash_nor.h"
#include "device_native.h"

const char device_board[] = "native";
const char device_target[] = "native";

#define ARENA_BYTES (4u * 1024u * 1024u)
#define WAIT_MS 40
#define SEND_PATIENCE_MS 2000
#define WATCHDOG_SECONDS 20

/** What one program leaves to the next: variables of the environment. */
#define LINE_VARIABLE "DUNLIN_MCU_LINE"
#define CAUSE_VARIABLE "DUNLIN_MCU_CAUSE"
#define RECOVERY_VARIABLE "DUNLIN_MCU_RECOVERY"

static struct native native;
static uint8_t *flash_bytes;
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(16)));

void native_fail(const char *what, const char *problem) {
  fprintf(stderr, "dunlin-mcu-native: %s: %s\n", what, problem);
  exit(EXIT_FAILURE);
}

uint8_t *flash_nor_start(void) { return flash_bytes; }

const struct boot_device *device_boot(void) {
  static struct boot_device device;
  device = (struct boot_device){&flash_nor, (const uint8_t(*)[BOOT_KEY_BYTES])native.keys,
                                native.key_count};
  return &device;
}

/** A file that is there keeps what it has; a new one is erased flash. */
static void open_flash(void) {
  const int file = open(native.flash_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) native_fail(native.flash_path, strerror(errno));
  const off_t size = lseek(file, 0, SEEK_END);
  if (size != 0 && size != FLASH_MAP_BYTES) {
    native_fail(native.flash_path, "is not the flash of such a device: it has another size");
  }
  if (ftruncate(file, FLASH_MAP_BYTES) != 0) native_fail(native.flash_path, strerror(errno));
  flash_bytes = mmap(NULL, FLASH_MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (flash_bytes == MAP_FAILED) native_fail(native.flash_path, strerror(errno));
  if (size == 0) memset(flash_bytes, 0xff, FLASH_MAP_BYTES);
  close(file);
}

uint8_t *device_arena(uint32_t *size_bytes) {
  *size_bytes = ARENA_BYTES;
  return arena;
}

uint32_t device_receive(uint8_t *to, uint32_t capacity_bytes) {
  device_feed_watchdog();
  const ssize_t count = read(native.line, to, capacity_bytes);
  return count > 0 ? (uint32_t)count : 0;
}

void device_send(void *context, const uint8_t *bytes, uint32_t size_bytes) {
  (void)context;
  device_feed_watchdog();
  while (size_bytes > 0) {
    const ssize_t count = write(native.line, bytes, size_bytes);
    if (count > 0) {
      bytes += count;
      size_bytes -= (uint32_t)count;
      continue;
    }
    struct pollfd waiting = {.fd = native.line, .events = POLLOUT};
    if (poll(&waiting, 1, SEND_PATIENCE_MS) == 0) return;
  }
}

void device_wait(void) {
  struct pollfd waiting = {.fd = native.line, .events = POLLIN};
  (void)poll(&waiting, 1, WAIT_MS);
}

void device_feed_watchdog(void) {
  const struct itimerval timer = {.it_value = {.tv_sec = WATCHDOG_SECONDS}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t started_us;
uint64_t device_microseconds(void) { return now_us() - started_us; }

uint32_t device_cycles(void) { return 0; }

uint32_t device_stack_bytes(void) { return 0; }

enum device_cause device_cause(void) {
  const char *cause = getenv(CAUSE_VARIABLE);
  return cause == NULL ? DEVICE_POWER : (enum device_cause)(cause[0] - '0');
}

bool device_recovery_asked(void) { return getenv(RECOVERY_VARIABLE) != NULL; }

/** Calls nothing that a signal's handler may not call but setenv, after which nothing else runs. */
static _Noreturn void reset_as(enum device_cause cause, bool recovery) {
  const char text[2] = {(char)('0' + cause), '\0'};
  setenv(CAUSE_VARIABLE, text, 1);
  if (recovery)
    setenv(RECOVERY_VARIABLE, "1", 1);
  else
    unsetenv(RECOVERY_VARIABLE);
  execv(native.program, native.arguments);
  _exit(EXIT_FAILURE);
}

void device_reset(bool recovery) { reset_as(DEVICE_SOFTWARE, recovery); }

static void on_signal(int signal) {
  reset_as(signal == SIGALRM ? DEVICE_WATCHDOG : DEVICE_FAULT, false);
}

/** Handled with no signal blocked: the next program starts with the mask of this one. */
static void catch_faults(void) {
  static const int signals[] = {SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
  sigemptyset(&action.sa_mask);
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
    sigaction(signals[index], &action, NULL);
  }
}

void native_start(int line, char **arguments) {
  started_us = now_us();
  native_parse(&native, arguments);
  const char *kept = getenv(LINE_VARIABLE);
  native.line = line >= 0 ? line : kept == NULL ? -1 : atoi(kept);
  if (native.line < 0) native_fail("the firmware", "runs under its bootloader alone");
  char text[16];
  snprintf(text, sizeof text, "%d", native.line);
  setenv(LINE_VARIABLE, text, 1);
  open_flash();
  catch_faults();
  device_feed_watchdog();
}

bool native_has_line(void) { return getenv(LINE_VARIABLE) != NULL; }

void native_forget(void) {
  unsetenv(CAUSE_VARIABLE);
  unsetenv(RECOVERY_VARIABLE);
}

/** The image's payload is a program of this machine; one that is none is a fault. */
void device_jump(const struct boot_image *image) {
  const int program = memfd_create("firmware", MFD_CLOEXEC);
  const uint8_t *payload = device_flash_at(BOOT_PRIMARY) + image->header_bytes;
  if (program < 0) native_fail("firmware", strerror(errno));
  for (uint32_t at = 0; at < image->payload_bytes;) {
    const ssize_t count = write(program, payload + at, image->payload_bytes - at);
    if (count <= 0) native_fail("firmware", strerror(errno));
    at += (uint32_t)count;
  }
  fexecve(program, native.arguments, environ);
  fprintf(stderr, "dunlin-mcu-native: firmware: is no program of this machine\n");
  reset_as(DEVICE_FAULT, false);
}
