/**
 * The anti-rollback counters, in the area of two sectors. Invariants, whatever power does:
 *   - a record holds each number and its complement: half written or half erased bits all go one
 *     way, so that it is either what was meant or no record;
 *   - the counters are the greatest of all records, and the sector that has them is not erased.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "boot.h"

enum counter { COUNTER_FIRMWARE, COUNTER_MODEL, COUNTER_COUNT };

struct counters {
  uint32_t values[COUNTER_COUNT];
};

/** Zeros where nothing was ever raised. */
bool counters_read(const struct boot_flash *flash, struct counters *counters);

/** Does nothing if the counter is not below `value`. */
bool counters_raise(const struct boot_flash *flash, enum counter counter, uint32_t value);

#endif
