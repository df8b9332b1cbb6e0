#include "check.h"

#include "test_change.h"

static struct test_plan plan;

static void test_header(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_FILL);
  const uint32_t size = plan.size_bytes, arena = plan.arena_bytes;
  const struct change changes[] = {
      CHANGE(plan_header, magic, PLAN_MAGIC ^ 1u, ENGINE_NOT_A_PLAN),
      CHANGE(plan_header, version, 0, ENGINE_VERSION),
      CHANGE(plan_header, version, PLAN_VERSION + 1u, ENGINE_VERSION),
      CHANGE(plan_header, target, 255, ENGINE_OK),
      CHANGE(plan_header, reserved, 1, ENGINE_HEADER),
      CHANGE(plan_header, reserved2, 256, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, size + 1u, ENGINE_TRUNCATED),
      CHANGE(plan_header, size_bytes, 67, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, 68, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, PLAN_MAX_BYTES, ENGINE_TRUNCATED),
      CHANGE(plan_header, size_bytes, PLAN_MAX_BYTES + 1u, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, UINT32_MAX, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, TEST_PLAN_STEPS_AT + 7u, ENGINE_HEADER),
      CHANGE(plan_header, size_bytes, TEST_PLAN_STEPS_AT + 19u, ENGINE_BAD_STEP),
      CHANGE(plan_header, size_bytes, TEST_PLAN_STEPS_AT + 20u, ENGINE_OK),
      CHANGE(plan_header, crc32, 0, ENGINE_OK),
      CHANGE(plan_header, sha256[5], 77, ENGINE_OK),
      CHANGE(plan_header, arena_bytes, arena + 1u, ENGINE_ARENA_TOO_SMALL),
      CHANGE(plan_header, arena_bytes, PLAN_MAX_BYTES, ENGINE_ARENA_TOO_SMALL),
      CHANGE(plan_header, arena_bytes, PLAN_MAX_BYTES + 1u, ENGINE_HEADER),
      CHANGE(plan_header, arena_bytes, UINT32_MAX, ENGINE_HEADER),
      CHANGE(plan_header, arena_bytes, 3, ENGINE_HEADER),
      CHANGE(plan_header, input_count, 0, ENGINE_OK),
      CHANGE(plan_header, input_count, 65535, ENGINE_HEADER),
      CHANGE(plan_header, output_count, 0, ENGINE_OK),
      CHANGE(plan_header, output_count, 65535, ENGINE_HEADER),
      CHANGE(plan_header, io_offset, TEST_PLAN_IO_AT + 2u, ENGINE_HEADER),
      CHANGE(plan_header, io_offset, size - 87u + 3u, ENGINE_HEADER),
      CHANGE(plan_header, io_offset, UINT32_MAX - 3u, ENGINE_HEADER),
      CHANGE(plan_header, steps_offset, TEST_PLAN_STEPS_AT + 1u, ENGINE_HEADER),
      CHANGE(plan_header, steps_offset, size - 4u, ENGINE_HEADER),
      CHANGE(plan_header, steps_offset, size, ENGINE_HEADER),
      CHANGE(plan_header, steps_offset, UINT32_MAX - 3u, ENGINE_HEADER),
      CHANGE(plan_header, step_count, 0, ENGINE_OK),
      CHANGE(plan_header, step_count, 2, ENGINE_UNKNOWN_STEP),
      CHANGE(plan_header, step_count, 65535, ENGINE_HEADER),
  };
  TRY(&plan, "header", 0, changes);
}

static void test_io(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_FILL);
  const uint32_t last = plan.arena_bytes - 4u;
  const struct change changes[] = {
      CHANGE(plan_io, place, last, ENGINE_OK),
      CHANGE(plan_io, place, last + 1u, ENGINE_HEADER),
      CHANGE(plan_io, place, UINT32_MAX, ENGINE_HEADER),
      CHANGE(plan_io, place, PLAN_PLACE_CONSTANT, ENGINE_HEADER),
      CHANGE(plan_io, size_bytes, 5, ENGINE_HEADER),
      CHANGE(plan_io, size_bytes, 0, ENGINE_HEADER),
      CHANGE(plan_io, scale, UINT32_MAX, ENGINE_OK),
      CHANGE(plan_io, zero_point, 5, ENGINE_OK),
      CHANGE(plan_io, rank, 1, ENGINE_HEADER),
      CHANGE(plan_io, rank, 3, ENGINE_HEADER),
      CHANGE(plan_io, rank, 7, ENGINE_HEADER),
      CHANGE(plan_io, rank, UINT32_MAX, ENGINE_HEADER),
      CHANGE(plan_io, shape[0], 0, ENGINE_HEADER),
      CHANGE(plan_io, shape[0], 2, ENGINE_HEADER),
      CHANGE(plan_io, shape[0], 0x40000001, ENGINE_HEADER),
      CHANGE(plan_io, shape[1], 5, ENGINE_HEADER),
      CHANGE(plan_io, shape[2], 1, ENGINE_HEADER),
      CHANGE(plan_io, shape[5], 1, ENGINE_HEADER),
  };
  TRY(&plan, "input", TEST_PLAN_IO_AT, changes);
  TRY(&plan, "output", TEST_PLAN_IO_AT + (uint32_t)sizeof(struct plan_io), changes);
}

/** Sizes of the greatest rank. */
static void test_rank(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_FILL);
  struct plan_io *io = (struct plan_io *)(void *)(plan.bytes + TEST_PLAN_IO_AT);
  io->rank = PLAN_MAX_RANK;
  for (uint32_t axis = 0; axis < PLAN_MAX_RANK; axis++) io->shape[axis] = axis == 4 ? 4 : 1;
  EXPECT(open_plan(&plan) == ENGINE_OK);
}

/** A plan of a header alone; and one that ends within the step after the first. */
static void test_ends(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_FILL);
  struct plan_header *header = test_plan_header(&plan);
  header->step_count = 2;
  for (uint32_t more = 0; more < sizeof(struct plan_step); more += 4u) {
    header->size_bytes = at + (uint32_t)sizeof(struct plan_fill_step) + more;
    EXPECT(open_bytes(plan.bytes, header->size_bytes, plan.arena_bytes) == ENGINE_BAD_STEP);
  }
  header->size_bytes = header->steps_offset = header->io_offset = sizeof *header;
  header->input_count = header->output_count = header->step_count = 0;
  header->arena_bytes = 0;
  EXPECT(open_bytes(plan.bytes, sizeof *header, 0) == ENGINE_OK);
}

/** The plan's and the arena's own bytes, and the CRC. */
static void test_seals(void) {
  uint32_t at;
  begin_with(&plan, &at, PLAN_ADD);
  uint8_t *arena = malloc(plan.arena_bytes + 4u);
  struct engine engine;
  const uint32_t size = plan.size_bytes;
  if (arena == NULL) abort();
  EXPECT(engine_verify(plan.bytes, size) == ENGINE_OK);
  EXPECT(engine_verify(plan.bytes, size + 5u) == ENGINE_OK);
  for (uint32_t cut = 0; cut < size; cut++) {
    EXPECT(open_bytes(plan.bytes, cut, plan.arena_bytes) == ENGINE_TRUNCATED);
  }
  EXPECT(engine_verify(plan.bytes, size - 1u) == ENGINE_TRUNCATED);
  EXPECT(engine_arena_bytes(plan.bytes, size) == plan.arena_bytes);
  EXPECT(engine_arena_bytes(plan.bytes, 67) == 0);
  EXPECT(open_bytes(plan.bytes, size, plan.arena_bytes - 1u) == ENGINE_ARENA_TOO_SMALL);
  EXPECT(engine_open(&engine, plan.bytes, size, arena + 2, plan.arena_bytes) == ENGINE_MISALIGNED);
  for (uint32_t bit = 8u * PLAN_CRC_START; bit < 8u * size; bit += 7u) {
    plan.bytes[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    EXPECT(engine_verify(plan.bytes, size) == ENGINE_CRC);
    plan.bytes[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
  }
  memmove(plan.bytes + 2, plan.bytes, size);
  EXPECT(engine_verify(plan.bytes + 2, size) == ENGINE_MISALIGNED);
  memmove(plan.bytes + 1, plan.bytes + 2, size);
  EXPECT(engine_verify(plan.bytes + 1, size) == ENGINE_MISALIGNED);
  EXPECT(engine_arena_bytes(plan.bytes + 1, size) == plan.arena_bytes);
  /* The check value of every catalogue of CRCs. */
  EXPECT(check_crc32((const uint8_t *)"123456789", 9) == 0xcbf43926u);
  free(arena);
}

int main(void) {
  test_header();
  test_io();
  test_rank();
  test_ends();
  test_seals();
  return test_result();
}
