#include "check.h"

#include "engine_config.h"
#include "memory.h"

enum engine_status check_start(const uint8_t *plan, uint32_t size_bytes) {
  const struct plan_header *header = (const struct plan_header *)(const void *)plan;
  if (size_bytes < sizeof *header) return ENGINE_TRUNCATED;
  if (((uintptr_t)plan & 3u) != 0) return ENGINE_MISALIGNED;
  if (header->magic != PLAN_MAGIC) return ENGINE_NOT_A_PLAN;
  if (header->version != PLAN_VERSION) return ENGINE_VERSION;
  if (header->size_bytes < sizeof *header || header->size_bytes > PLAN_MAX_BYTES) {
    return ENGINE_HEADER;
  }
  return header->size_bytes > size_bytes ? ENGINE_TRUNCATED : ENGINE_OK;
}

uint32_t check_crc32(const uint8_t *bytes, uint32_t size_bytes) {
  /* Of each four bits, for the polynomial 0xedb88320 (reflected). */
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  uint32_t crc = ~0u;
  for (const uint8_t *end = bytes + size_bytes; bytes != end; bytes++) {
    crc ^= *bytes;
    crc = crc >> 4 ^ table[crc & 15u];
    crc = crc >> 4 ^ table[crc & 15u];
  }
  return ~crc;
}

uint32_t check_product(uint32_t a, uint32_t b) { return check_size((uint64_t)a * b); }

bool check_in_arena(const struct check *check, uint32_t place, uint32_t size_bytes) {
  return size_bytes <= check->arena_bytes && place <= check->arena_bytes - size_bytes;
}

bool check_in_plan(const struct check *check, uint32_t offset, uint32_t size_bytes,
                   uint32_t alignment) {
  return (offset & (alignment - 1u)) == 0 && size_bytes <= check->plan_bytes &&
         offset <= check->plan_bytes - size_bytes;
}

bool check_readable(const struct check *check, uint32_t place, uint32_t size_bytes) {
  if ((place & PLAN_PLACE_CONSTANT) == 0) return check_in_arena(check, place, size_bytes);
  return check_in_plan(check, place & ~PLAN_PLACE_CONSTANT, size_bytes, 1);
}

static bool check_io(const struct check *check, const struct plan_io *io) {
  if (io->rank > PLAN_MAX_RANK) return false;
  uint32_t size_bytes = 1;
  for (uint32_t axis = 0; axis < PLAN_MAX_RANK; axis++) {
    const uint32_t size = io->shape[axis];
    if ((size != 0) != (axis < io->rank)) return false;
    if (size != 0) size_bytes = check_product(size_bytes, size);
  }
  return io->size_bytes == size_bytes && check_in_arena(check, io->place, size_bytes);
}

static enum engine_status check_steps(const struct check *check, uint32_t at, uint32_t count) {
  static const uint8_t sizes[] = {
      [PLAN_CONV_2D] = sizeof(struct plan_window_step),
      [PLAN_DEPTHWISE_CONV_2D] = sizeof(struct plan_window_step),
      [PLAN_FULLY_CONNECTED] = sizeof(struct plan_window_step),
      [PLAN_AVERAGE_POOL_2D] = sizeof(struct plan_window_step),
      [PLAN_MAX_POOL_2D] = sizeof(struct plan_window_step),
      [PLAN_ADD] = sizeof(struct plan_binary_step),
      [PLAN_SUB] = sizeof(struct plan_binary_step),
      [PLAN_MUL] = sizeof(struct plan_binary_step),
      [PLAN_LOOKUP] = sizeof(struct plan_lookup_step),
      [PLAN_SOFTMAX] = sizeof(struct plan_softmax_step),
      [PLAN_MEAN] = sizeof(struct plan_mean_step),
      [PLAN_COPY] = sizeof(struct plan_copy_step),
      [PLAN_FILL] = sizeof(struct plan_fill_step),
  };
  for (; count > 0; count--) {
    if (!check_in_plan(check, at, sizeof(struct plan_step), 4)) return ENGINE_BAD_STEP;
    const struct plan_step *step = (const struct plan_step *)(const void *)(check->plan + at);
    const uint32_t kind = step->kind;
    if (kind >= sizeof sizes || (ENGINE_KINDS >> kind & 1u) == 0) return ENGINE_UNKNOWN_STEP;
    const uint32_t size_bytes = sizes[kind];
    if (step->size_bytes != size_bytes || step->reserved != 0 ||
        !check_in_plan(check, at, size_bytes, 4) || !check_step(check, step)) {
      return ENGINE_BAD_STEP;
    }
    at += size_bytes;
  }
  return ENGINE_OK;
}

enum engine_status check_plan(const uint8_t *plan, uint32_t arena_bytes) {
  const struct plan_header *header = (const struct plan_header *)(const void *)plan;
  const struct check check = {plan, header->size_bytes, header->arena_bytes};
  const uint32_t io_count = (uint32_t)header->input_count + header->output_count;
  const uint32_t step_count = header->step_count;
  if ((header->reserved | header->reserved2) != 0 || check.arena_bytes > PLAN_MAX_BYTES ||
      !check_in_plan(&check, header->io_offset, io_count * sizeof(struct plan_io), 4) ||
      !check_in_plan(&check, header->steps_offset, step_count * sizeof(struct plan_step), 4)) {
    return ENGINE_HEADER;
  }
  if (check.arena_bytes > arena_bytes) return ENGINE_ARENA_TOO_SMALL;
  const struct plan_io *io = (const struct plan_io *)(const void *)(plan + header->io_offset);
  for (uint32_t index = 0; index < io_count; index++) {
    if (!check_io(&check, io + index)) return ENGINE_HEADER;
  }
  return check_steps(&check, header->steps_offset, step_count);
}
