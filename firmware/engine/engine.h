/**
 * Runs execution plans (docs/plan-format.md) in place from flash. C11; no allocation, no libc
 * beyond memcpy and memset, no state of its own.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

enum engine_status {
  ENGINE_OK = 0,
  ENGINE_TRUNCATED,  /* fewer bytes than the plan says, or than a header */
  ENGINE_NOT_A_PLAN, /* another magic number */
  ENGINE_VERSION,    /* a format that this engine does not know */
  ENGINE_CRC,        /* bytes have changed */
  ENGINE_HEADER,     /* a table outside the plan, or a size past the limits */
  ENGINE_MISALIGNED, /* the plan or the arena does not start at a multiple of 4 */
  ENGINE_ARENA_TOO_SMALL,
  ENGINE_UNKNOWN_STEP, /* a kind that this engine was built without */
  ENGINE_BAD_STEP,     /* an offset or a size outside its buffer */
};

/** A plan that has passed its checks, and the memory that it works in. */
struct engine {
  const uint8_t *plan;
  uint8_t *arena;
};

struct engine_tensor {
  int8_t *values;
  uint32_t size_bytes;
};

/** Whether the bytes are a whole plan of a known version whose CRC-32 holds. */
enum engine_status engine_verify(const uint8_t *plan, uint32_t size_bytes);

/**
 * Checks every offset and size of a plan, after which running it reads and writes nothing outside
 * the plan and the arena, whatever its bytes are; it does not ask for a CRC that holds. Both stay
 * the caller's, start at a multiple of 4 and must not change or move while the engine is used (the
 * arena is free between two runs but for what the caller leaves in the inputs).
 */
enum engine_status engine_open(struct engine *engine, const uint8_t *plan, uint32_t size_bytes,
                               uint8_t *arena, uint32_t arena_bytes);

/** The arena that a plan needs; 0 if the bytes are too few for a header. */
uint32_t engine_arena_bytes(const uint8_t *plan, uint32_t size_bytes);

uint32_t engine_input_count(const struct engine *engine);
uint32_t engine_output_count(const struct engine *engine);
/** @param index below the count */
struct engine_tensor engine_input(const struct engine *engine, uint32_t index);
struct engine_tensor engine_output(const struct engine *engine, uint32_t index);

/** One inference: outputs hold until the next run or the next write to an input. Inputs may be
 * overwritten. */
void engine_run(const struct engine *engine);

/** For profiles: runs step `step` alone (from 0, each in turn), which begins at `at`. @return where
 * the next begins */
uint32_t engine_run_step(const struct engine *engine, uint32_t at);
/** Where the first step begins, and how many there are. */
uint32_t engine_first_step(const struct engine *engine);
uint32_t engine_step_count(const struct engine *engine);

#endif
