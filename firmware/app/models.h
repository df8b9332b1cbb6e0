/**
 * The models of a device: which one runs, which one is on trial, and what goes through it. The
 * slots' state is the bootloader library's (../boot/boot.h); here is only what a reset may lose.
 * Invariants: `active` says that the engine has the model of `selected` open; `selected` is what
 * the slots said last, its slot 0 and not confirmed if there was nothing.
 */
#ifndef MODELS_H
#define MODELS_H

#include "../smp/upload.h"
#include "log.h"
#include "model_engine.h"

#define MODELS_MAX_VECTORS 64u

enum stream_use { STREAM_NONE, STREAM_SELF_TEST, STREAM_INFER };

/** Bytes that go through the model: its inputs, and of a golden vector the expected outputs. */
struct stream {
  enum stream_use use;
  uint32_t vector;    /* of a self-test */
  uint32_t offset;    /* the one wanted next */
  bool ran;           /* the outputs belong to these inputs */
  uint32_t different; /* of the expected bytes so far */
  uint32_t greatest_difference;
};

struct models_statistics {
  uint32_t runs, failures;
  uint32_t us, least_us, most_us; /* 0 runs: none */
  uint32_t cycles;
  uint32_t trials, reverts;
};

struct models {
  const struct boot_device *device;
  struct log *log;
  uint8_t *arena;
  uint32_t arena_bytes;
  bool active;
  struct boot_model selected;
  uint32_t input_bytes, output_bytes; /* of all tensors, one behind the other */
  bool tested;
  uint32_t passed, vector_count; /* golden vectors that passed one after the other, of how many */
  struct stream stream;
  struct upload upload;
  struct models_statistics statistics;
};

/** After a reset: whatever was on trial is not any more. */
void models_start(struct models *models, const struct boot_device *device, struct log *log);

/** The slot that an upload goes to: never that of the confirmed model. */
uint32_t models_spare_slot(const struct models *models);

/** A stored model runs, until it is confirmed or the device resets. */
struct smp_error models_test(struct models *models, uint32_t slot);

struct smp_error models_confirm(struct models *models);

/** Ends the trial of what is in the slot, and erases it. */
struct smp_error models_clear(struct models *models, uint32_t slot);

/** Puts input bytes where they belong and runs the model when they are whole. */
struct smp_error models_feed(struct models *models, const uint8_t *bytes, uint32_t size_bytes);

/** Compares expected bytes with the outputs. */
void models_compare(struct models *models, const uint8_t *bytes, uint32_t size_bytes);

/** Output bytes from an offset on, as many as there are and fit. @return how many */
uint32_t models_output(uint32_t offset, uint8_t *to, uint32_t capacity_bytes);

#endif
