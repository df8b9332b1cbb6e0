/** A plan that opens, and one field of it changed at a time: what engine_open says then. */
#ifndef TEST_CHANGE_H
#define TEST_CHANGE_H

#include <stddef.h>

#include "engine.h"
#include "test.h"
#include "test_plan.h"

/** A field that gets another value, and what is to come of that. */
struct change {
  const char *name;
  uint32_t offset;
  uint32_t width;
  uint32_t value;
  enum engine_status status;
};

#define CHANGE(type, field, value, status)                                                      \
  {                                                                                             \
#field, offsetof(struct type, field), sizeof(((struct type *)0)->field), (uint32_t)(value), \
        status                                                                                  \
  }
#define BAD(type, field, value) CHANGE(type, field, value, ENGINE_BAD_STEP)
#define FINE(type, field, value) CHANGE(type, field, value, ENGINE_OK)
#define COUNT(changes) (sizeof(changes) / sizeof *(changes))

static inline enum engine_status open_bytes(const uint8_t *bytes, uint32_t size_bytes,
                                            uint32_t arena_bytes) {
  uint8_t *plan = malloc(size_bytes);
  uint8_t *arena = malloc(arena_bytes);
  struct engine engine;
  if (plan == NULL || arena == NULL) abort();
  memcpy(plan, bytes, size_bytes);
  memset(arena, 0, arena_bytes);
  const enum engine_status status = engine_open(&engine, plan, size_bytes, arena, arena_bytes);
  if (status == ENGINE_OK) engine_run(&engine);
  free(plan);
  free(arena);
  return status;
}

static inline enum engine_status open_plan(const struct test_plan *plan) {
  return open_bytes(plan->bytes, plan->size_bytes, plan->arena_bytes);
}

/** @param at where the structure starts that the fields are in */
static inline void try_changes(struct test_plan *plan, const char *what, uint32_t at,
                               const struct change *changes, size_t count) {
  EXPECT(open_plan(plan) == ENGINE_OK);
  for (size_t index = 0; index < count; index++) {
    const struct change *change = &changes[index];
    uint8_t before[4];
    uint8_t *field = plan->bytes + at + change->offset;
    memcpy(before, field, change->width);
    memcpy(field, &change->value, change->width);
    const enum engine_status status = open_plan(plan);
    if (status != change->status) {
      printf("%s.%s = %u: %d, not %d\n", what, change->name, (unsigned)change->value, status,
             change->status);
      test_failures++;
    }
    memcpy(field, before, change->width);
  }
}

#define TRY(plan, what, at, changes) try_changes(plan, what, at, changes, COUNT(changes))

/** What every step begins with. */
static inline void try_common(struct test_plan *plan, const char *what, uint32_t at) {
  const struct plan_step *step = (const struct plan_step *)(const void *)(plan->bytes + at);
  const bool weighted = step->kind <= PLAN_FULLY_CONNECTED;
  const struct change changes[] = {
      CHANGE(plan_step, kind, 0, ENGINE_UNKNOWN_STEP),
      CHANGE(plan_step, kind, PLAN_FILL + 1, ENGINE_UNKNOWN_STEP),
      CHANGE(plan_step, kind, 32 + PLAN_ADD, ENGINE_UNKNOWN_STEP),
      CHANGE(plan_step, kind, 255, ENGINE_UNKNOWN_STEP),
      BAD(plan_step, flags, 8),
      BAD(plan_step, flags, 128),
      CHANGE(plan_step, flags, PLAN_UNBROKEN_SUMS, weighted ? ENGINE_OK : ENGINE_BAD_STEP),
      CHANGE(plan_step, flags, PLAN_NARROW_SUMS, weighted ? ENGINE_OK : ENGINE_BAD_STEP),
      BAD(plan_step, size_bytes, step->size_bytes + 4u),
      BAD(plan_step, size_bytes, step->size_bytes - 4u),
      BAD(plan_step, size_bytes, 0),
      BAD(plan_step, reserved, 1),
      BAD(plan_step, reserved, 256),
      FINE(plan_step, source, 65535),
  };
  TRY(plan, what, at, changes);
}

static inline void begin_with(struct test_plan *plan, uint32_t *at, enum plan_kind kind) {
  test_plan_begin(plan);
  *at = test_plan_random_step(plan, kind);
  test_plan_end(plan);
}

#endif
