/**
 * Broken plans: whatever engine_open lets pass must run without a read or a write outside the plan
 * and the arena, and without undefined behaviour. Bytes at random hardly ever pass, so the mutator
 * below starts from plans that are right and breaks them a field at a time.
 */
#include "../engine.h"
#include "../test_plan.h"

/** What is let run: an arena of so many bytes, and about so many operations on values. */
#define FUZZ_MAX_ARENA_BYTES (1u << 20)
#define FUZZ_MAX_WORK 30000.0
/** A plan's steps past these are not looked at by the mutator. */
#define FUZZ_MAX_STEPS 16u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static double window_work(const struct plan_window_step *step) {
  const double pixels = (double)step->batches * step->out_h * step->out_w;
  const double taps = (double)step->kernel_h * step->kernel_w;
  const double depth =
      step->step.kind == PLAN_CONV_2D || step->step.kind == PLAN_FULLY_CONNECTED ? step->in_c : 1;
  /* Of RUNS as many entries as there are bytes, at most. */
  const double sums = pixels * step->out_c * taps * depth + pixels * step->weights_bytes;
  const double windows = pixels * taps * step->in_c;
  if (step->step.kind != PLAN_DEPTHWISE_CONV_2D) return sums + windows;
  const double fillings = (double)step->batches * step->out_c * step->out_h / step->band_rows + 1;
  return sums + fillings * (double)scratch_bytes(step);
}

static double elements(const uint32_t *shape) {
  return (double)shape[0] * shape[1] * shape[2] * shape[3];
}

/** About how many operations a step of an opened plan takes. */
static double step_work(const struct plan_step *step) {
  const void *address = step;
  const struct plan_softmax_step *softmax = address;
  const struct plan_mean_step *mean = address;
  switch (step->kind) {
    case PLAN_ADD:
    case PLAN_SUB:
    case PLAN_MUL:
      return 10 * elements(((const struct plan_binary_step *)address)->shape);
    case PLAN_COPY:
      return elements(((const struct plan_copy_step *)address)->shape);
    case PLAN_LOOKUP:
      return ((const struct plan_lookup_step *)address)->size_bytes;
    case PLAN_FILL:
      return ((const struct plan_fill_step *)address)->size_bytes / 16.0;
    case PLAN_SOFTMAX:
      return 50.0 * softmax->rows * softmax->depth;
    case PLAN_MEAN:
      return (double)mean->outer * mean->reduced * mean->inner;
    default:
      return window_work(address);
  }
}

static double plan_work(const struct engine *engine) {
  double work = 0;
  uint32_t at = engine_first_step(engine);
  for (uint32_t left = engine_step_count(engine); left > 0; left--) {
    const struct plan_step *step = (const struct plan_step *)(const void *)(engine->plan + at);
    work += step_work(step);
    at += step->size_bytes;
  }
  return work;
}

/** Every byte of the inputs, and every byte of the outputs. */
static void run(const struct engine *engine) {
  volatile int8_t sink = 0;
  for (uint32_t index = 0; index < engine_input_count(engine); index++) {
    const struct engine_tensor input = engine_input(engine, index);
    memset(input.values, 0x55, input.size_bytes);
  }
  engine_run(engine);
  for (uint32_t index = 0; index < engine_output_count(engine); index++) {
    const struct engine_tensor output = engine_output(engine, index);
    for (uint32_t at = 0; at < output.size_bytes; at++) sink = output.values[at];
  }
  (void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* Buffers of exactly so many bytes: AddressSanitizer sees the next one. */
  uint8_t *plan = malloc(size);
  if (size > 0) memcpy(plan, data, size);
  const uint32_t plan_bytes = (uint32_t)size;
  const uint32_t arena_bytes = engine_arena_bytes(plan, plan_bytes);
  const uint32_t given_bytes = arena_bytes > FUZZ_MAX_ARENA_BYTES ? 0 : arena_bytes;
  uint8_t *arena = malloc(given_bytes);
  struct engine engine;
  if (plan_bytes % 8u == 0) engine_verify(plan, plan_bytes);
  if (engine_open(&engine, plan, plan_bytes, arena, given_bytes) == ENGINE_OK &&
      plan_work(&engine) < FUZZ_MAX_WORK) {
    run(&engine);
  }
  free(arena);
  free(plan);
  return 0;
}

/** A plan of a few steps. @return its size, or 0 if it does not fit */
static size_t generate(uint8_t *data, size_t max_size) {
  static struct test_plan plan;
  test_plan_begin(&plan);
  for (uint32_t left = test_chance(2) ? 1 : test_size(1, 4); left > 0; left--) {
    test_plan_random_step(&plan, (enum plan_kind)test_size(PLAN_CONV_2D, PLAN_FILL));
  }
  test_plan_end(&plan);
  if (plan.size_bytes > max_size) return 0;
  memcpy(data, plan.bytes, plan.size_bytes);
  return plan.size_bytes;
}

/** Where a step lies, and how long it says it is. */
struct field_range {
  uint32_t at;
  uint32_t size_bytes;
};

static struct field_range random_step_of(const uint8_t *data, uint32_t size) {
  struct plan_header header;
  struct plan_step step;
  memcpy(&header, data, sizeof header);
  struct field_range range = {header.steps_offset, sizeof step};
  for (uint32_t left = test_size(0, FUZZ_MAX_STEPS) % (header.step_count + 1u);; left--) {
    if (range.at > size - sizeof step) return (struct field_range){0, sizeof header};
    memcpy(&step, data + range.at, sizeof step);
    range.size_bytes = step.size_bytes;
    if (left <= 1) break;
    range.at += step.size_bytes;
  }
  if (range.size_bytes < sizeof step || range.size_bytes > size - range.at) {
    range.size_bytes = sizeof step;
  }
  return range;
}

/** A number that some check may stumble over. */
static uint32_t interesting(uint32_t before, const struct plan_header *header) {
  static const uint32_t numbers[] = {
      0,      1,      2,      3,      4,       127,        128,        255,        256,
      0x7fff, 0x8000, 0xffff, 0xfffc, 0x10000, 0x10000000, 0x7fffffff, 0x80000000, 0xffffffff};
  switch (test_size(0, 7)) {
    case 0:
      return numbers[test_size(0, sizeof numbers / sizeof *numbers - 1u)];
    case 1:
      return header->arena_bytes - test_size(0, 40);
    case 2:
      return header->size_bytes - test_size(0, 300);
    case 3:
      return (header->size_bytes - test_size(0, 300)) | PLAN_PLACE_CONSTANT;
    case 4:
      return test_random();
    case 5:
      return before ^ 1u << test_size(0, 31);
    default:
      return before + (uint32_t)test_between(-4, 4);
  }
}

/** One field of a range gets another number. */
static void break_field(uint8_t *data, struct field_range range) {
  static const uint32_t widths[] = {1, 2, 4, 4};
  const uint32_t width = widths[test_size(0, 3)];
  const uint32_t at = range.at + test_size(0, range.size_bytes / width - 1u) * width;
  struct plan_header header;
  uint32_t value = 0;
  memcpy(&header, data, sizeof header);
  memcpy(&value, data + at, width);
  value = interesting(value, &header);
  memcpy(data + at, &value, width);
}

/** A stretch of one byte: what sums up over constants passes its bounds only so. */
static void break_constants(uint8_t *data, uint32_t size) {
  const uint32_t at = test_size(sizeof(struct plan_header), size - 1u);
  const uint32_t left = size - at;
  memset(data + at, test_chance(2) ? 0xff : (int)test_size(0, 255),
         test_size(1, left < 100 ? left : 100));
}

/** @return the size after one change */
static size_t break_once(uint8_t *data, size_t size, size_t max_size) {
  struct plan_header *header = (struct plan_header *)(void *)data;
  const struct field_range step = random_step_of(data, (uint32_t)size);
  switch (test_size(0, 15)) {
    case 0:
      break_field(data, (struct field_range){0, sizeof *header});
      return size;
    case 1:
      header->arena_bytes -= test_size(0, 8) * 4u;
      return size;
    case 2:
      data[step.at] = (uint8_t)test_size(PLAN_CONV_2D, PLAN_FILL);
      return size;
    case 3:
      return sizeof *header + test_size(0, (uint32_t)(size - sizeof *header));
    case 4:
      return LLVMFuzzerMutate(data, size, max_size);
    case 5:
      /* Constants, mostly. */
      data[test_size(sizeof *header, (uint32_t)size - 1u)] = (uint8_t)test_random();
      return size;
    case 6:
      break_constants(data, (uint32_t)size);
      return size;
    default:
      break_field(data, step);
      return size;
  }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  test_state = seed * 2654435761u | 1u;
  const bool fresh = size <= sizeof(struct plan_header) || test_chance(16);
  const size_t made = fresh ? generate(data, max_size) : 0;
  if (made > 0) size = made;
  if (size <= sizeof(struct plan_header)) return LLVMFuzzerMutate(data, size, max_size);
  for (uint32_t left = test_size(made > 0 ? 0 : 1, 3); left > 0; left--) {
    size = break_once(data, size, max_size);
    if (size <= sizeof(struct plan_header)) return size;
  }
  if (test_chance(30)) return size;
  struct plan_header header;
  memcpy(&header, data, sizeof header);
  header.magic = PLAN_MAGIC;
  header.version = PLAN_VERSION;
  header.size_bytes = (uint32_t)size;
  memcpy(data, &header, sizeof header);
  return size;
}
