#include "report.h"

#include "board.h"

/** 2^64 has 20. */
#define MAX_DIGITS 20u

/** In three divisions of 32 bits, which a small processor has; those of 64 bits it has not.
 * @return the rest */
static uint32_t divide_by_ten(uint64_t *value) {
  const uint32_t high = (uint32_t)(*value >> 32);
  const uint32_t middle = high % 10u << 16 | (uint32_t)(*value >> 16 & 0xffffu);
  const uint32_t low = middle % 10u << 16 | (uint32_t)(*value & 0xffffu);
  *value = (uint64_t)(high / 10u) << 32 | (uint64_t)(middle / 10u) << 16 | low / 10u;
  return low % 10u;
}

static void write_decimal(uint64_t value) {
  char digits[MAX_DIGITS];
  uint32_t first = MAX_DIGITS;
  do {
    digits[--first] = (char)('0' + divide_by_ten(&value));
  } while (value > 0);
  board_write(digits + first, MAX_DIGITS - first);
}

static void write_name(const char *before, const char *name) {
  report_text(before);
  report_text("\"");
  report_text(name);
  report_text("\":");
}

void report_text(const char *text) {
  for (; *text != '\0'; text++) board_write(text, 1);
}

void report_number(const char *before, const char *name, uint64_t value) {
  write_name(before, name);
  write_decimal(value);
}

void report_numbers(const char *before, const char *name, const uint64_t *values, uint32_t count) {
  write_name(before, name);
  report_text("[");
  for (uint32_t index = 0; index < count; index++) {
    if (index > 0) report_text(",");
    write_decimal(values[index]);
  }
  report_text("]");
}

void report_failure(int code) {
  report_number("{", "error", (uint64_t)code);
  report_text("}\n");
  board_exit(code);
}
