/**
 * Counters that only rise, in an area of two sectors: the anti-rollback counters, and that of
 * resets. Invariants, whatever power does:
 *   - a record holds each number and its complement: half written or half erased bits all go one
 *     way, so that it is either what was meant or no record;
 *   - the counters are the greatest of all records, and the sector that has them is not erased.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "boot.h"

/** Of BOOT_COUNTERS; BOOT_RESETS has its one in the first place. */
enum counter { COUNTER_FIRMWARE, COUNTER_MODEL, COUNTER_RESETS = 0, COUNTER_COUNT = 2 };

struct counters {
  uint32_t values[COUNTER_COUNT];
};

/** Zeros where nothing was ever raised. */
bool counters_read(const struct boot_flash *flash, enum boot_area area, struct counters *counters);

/** Does nothing if the counter is not below `value`. */
bool counters_raise(const struct boot_flash *flash, enum boot_area area, enum counter counter,
                    uint32_t value);

#endif
