/**
 * What engine_verify and engine_open check. Sizes are counted in 32 bits; one above PLAN_MAX_BYTES
 * becomes CHECK_TOO_MANY, which lies in no buffer and stays what it is when it is multiplied.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#include "engine.h"
#include "plan_format.h"

#define CHECK_TOO_MANY 0x80000000u

/** A plan that starts as one, and the arena that it says it needs. */
struct check {
  const uint8_t *plan;
  uint32_t plan_bytes;
  uint32_t arena_bytes;
};

/** That a plan of a known version starts here, at a multiple of 4, and is whole. */
enum engine_status check_start(const uint8_t *plan, uint32_t size_bytes);

/** IEEE 802.3 */
uint32_t check_crc32(const uint8_t *bytes, uint32_t size_bytes);

/** The header and everything that it leads to, of a plan that starts as it should. */
enum engine_status check_plan(const uint8_t *plan, uint32_t arena_bytes);

/** Whatever follows the common beginning of a step that itself lies in the plan. */
bool check_step(const struct check *check, const struct plan_step *step);

/** CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and the pools. */
bool check_window(const struct check *check, const struct plan_window_step *step);

uint32_t check_product(uint32_t a, uint32_t b);

bool check_in_arena(const struct check *check, uint32_t place, uint32_t size_bytes);

/** @param alignment a power of two */
bool check_in_plan(const struct check *check, uint32_t offset, uint32_t size_bytes,
                   uint32_t alignment);

/** In the arena or a constant. */
bool check_readable(const struct check *check, uint32_t place, uint32_t size_bytes);

static inline uint32_t check_size(uint64_t size) {
  return size > PLAN_MAX_BYTES ? CHECK_TOO_MANY : (uint32_t)size;
}

/** What fixed_multiply takes. */
static inline bool check_shift(int32_t shift) { return shift >= -31 && shift <= 30; }

#endif
