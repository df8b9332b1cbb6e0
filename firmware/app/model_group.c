#include "model_group.h"

#include "../boards/device.h"
#include "../boot/counters.h"
#include "../smp/boot_error.h"
#include "../smp/image_text.h"

#define MICROSECONDS_PER_MILLISECOND 1000u
/** What an answer takes besides the outputs in it. */
#define INFER_FIELDS_BYTES 64u

static void pair_uint(struct cbor_writer *answer, const char *key, uint32_t value) {
  cbor_text(answer, key);
  cbor_uint(answer, value);
}

static void pair_bool(struct cbor_writer *answer, const char *key, bool value) {
  cbor_text(answer, key);
  cbor_bool(answer, value);
}

static void pair_text(struct cbor_writer *answer, const char *key, const char *value) {
  cbor_text(answer, key);
  cbor_text(answer, value);
}

static void answer_slot(const struct models *models, uint32_t slot, struct cbor_writer *answer) {
  struct boot_image image;
  const bool there = boot_describe(models->device, boot_model_area(slot), &image) == BOOT_OK;
  const bool active = models->active && models->selected.slot == slot;
  const bool on_trial = active && !models->selected.confirmed;
  cbor_map(answer, there ? 9 : 2);
  pair_uint(answer, "slot", slot);
  pair_uint(answer, "size", boot_capacity(models->device, boot_model_area(slot)));
  if (!there) return;
  cbor_text(answer, "hash");
  cbor_bytes_of(answer, image.digest, BOOT_DIGEST_BYTES);
  image_text_version(&image, answer);
  pair_uint(answer, "counter", image.counter);
  pair_bool(answer, "active", active);
  pair_bool(answer, "confirmed", active && models->selected.confirmed);
  pair_bool(answer, "pending", on_trial);
  pair_bool(answer, "tested", on_trial && models->tested);
}

struct smp_error model_group_state(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer) {
  (void)request;
  const struct models *models = ((const struct model_group *)context)->models;
  cbor_map(answer, models->active ? 8 : 6);
  pair_text(answer, "board", device_board);
  pair_text(answer, "engine", model_engine_name);
  pair_uint(answer, "format", model_engine_format());
  pair_text(answer, "target", device_target);
  pair_uint(answer, "arena", models->arena_bytes);
  cbor_text(answer, "slots");
  cbor_array(answer, BOOT_MODEL_SLOTS);
  for (uint32_t slot = 0; slot < BOOT_MODEL_SLOTS; slot++) answer_slot(models, slot, answer);
  if (!models->active) return SMP_DONE;
  pair_uint(answer, "in", models->input_bytes);
  pair_uint(answer, "out", models->output_bytes);
  return SMP_DONE;
}

/** The one that runs, if it has this hash; else either that has. */
static bool find_slot(const struct models *models, const struct cbor_bytes *hash, uint32_t *found) {
  bool any = false;
  for (uint32_t slot = 0; slot < BOOT_MODEL_SLOTS; slot++) {
    struct boot_image image;
    if (boot_describe(models->device, boot_model_area(slot), &image) != BOOT_OK) continue;
    if (!image_text_is(&image, hash)) continue;
    const bool runs = models->active && models->selected.slot == slot;
    if (!any || runs) *found = slot;
    any = true;
  }
  return any;
}

static struct smp_error change_state(struct models *models, const struct smp_request *request) {
  struct cbor_bytes hash;
  bool confirm = false;
  uint32_t slot;
  if (!cbor_find_bytes(request->map, request->map_bytes, "hash", &hash)) {
    return SMP_FAILED(SMP_INVALID);
  }
  (void)cbor_find_bool(request->map, request->map_bytes, "confirm", &confirm);
  if (!find_slot(models, &hash, &slot)) return MODEL_FAILED(MODEL_ERROR_NOT_FOUND);
  if (!confirm) return models_test(models, slot);
  if (!models->active || models->selected.slot != slot) {
    return MODEL_FAILED(MODEL_ERROR_NOT_TESTED);
  }
  return models_confirm(models);
}

struct smp_error model_group_change_state(void *context, const struct smp_request *request,
                                          struct cbor_writer *answer) {
  const struct smp_error error =
      change_state(((const struct model_group *)context)->models, request);
  return error.rc == SMP_OK ? model_group_state(context, request, answer) : error;
}

struct smp_error model_group_upload(void *context, const struct smp_request *request,
                                    struct cbor_writer *answer) {
  struct models *models = ((const struct model_group *)context)->models;
  struct upload_chunk chunk;
  if (!upload_parse(request, &chunk)) return SMP_FAILED(SMP_INVALID);
  if (upload_begins(&models->upload, &chunk)) {
    const uint32_t slot = models_spare_slot(models);
    if (!chunk.has_size || chunk.size_bytes == 0) return SMP_FAILED(SMP_INVALID);
    if (chunk.size_bytes > boot_capacity(models->device, boot_model_area(slot))) {
      return MODEL_FAILED(MODEL_ERROR_TOO_LARGE);
    }
    const struct smp_error error = models_clear(models, slot);
    if (error.rc != SMP_OK) return error;
    upload_begin(&models->upload, models->device->flash, boot_model_area(slot), &chunk);
  }
  if (!upload_take(&models->upload, &chunk)) return MODEL_FAILED(MODEL_ERROR_FLASH);
  upload_answer(&models->upload, answer);
  return SMP_DONE;
}

/** A stream goes on where it is; one of another use, or another vector, begins at 0.
 * @return whether bytes at this offset are the next */
static bool stream_continues(struct models *models, enum stream_use use, uint32_t vector,
                             uint32_t offset) {
  struct stream *stream = &models->stream;
  if (offset == 0) *stream = (struct stream){.use = use, .vector = vector};
  return stream->use == use && stream->vector == vector && stream->offset == offset;
}

static uint32_t wanted_offset(const struct models *models, enum stream_use use, uint32_t vector) {
  const struct stream *stream = &models->stream;
  return stream->use == use && stream->vector == vector ? stream->offset : 0;
}

/** Vectors that have passed one after the other; a failed one begins anew. */
static void note_vector(struct models *models, uint32_t vector, uint32_t count) {
  if (models->stream.different > 0) {
    models->passed = 0;
    models->tested = false;
    log_add_number(models->log, LOG_ERROR, "self-test failed: vector ", vector);
    return;
  }
  if (vector == 0) {
    models->passed = 0;
    models->vector_count = count;
  }
  if (vector == models->passed && count == models->vector_count) models->passed++;
  if (models->passed == models->vector_count) models->tested = true;
}

struct smp_error model_group_self_test(void *context, const struct smp_request *request,
                                       struct cbor_writer *answer) {
  struct models *models = ((const struct model_group *)context)->models;
  uint32_t vector, count, offset;
  struct cbor_bytes data;
  const uint8_t *map = request->map;
  if (!cbor_find_uint(map, request->map_bytes, "n", &vector) ||
      !cbor_find_uint(map, request->map_bytes, "of", &count) ||
      !cbor_find_uint(map, request->map_bytes, "off", &offset) ||
      !cbor_find_bytes(map, request->map_bytes, "data", &data) || vector >= count ||
      count > MODELS_MAX_VECTORS) {
    return SMP_FAILED(SMP_INVALID);
  }
  if (!models->active) return MODEL_FAILED(MODEL_ERROR_NO_MODEL);
  const uint32_t in = models->input_bytes, all = in + models->output_bytes;
  if (offset > all || data.size_bytes > all - offset) return MODEL_FAILED(MODEL_ERROR_TOO_MUCH);
  if (stream_continues(models, STREAM_SELF_TEST, vector, offset) && data.size_bytes > 0) {
    const uint32_t left = offset < in ? in - offset : 0;
    const uint32_t inputs = data.size_bytes < left ? data.size_bytes : left;
    if (inputs > 0) {
      const struct smp_error error = models_feed(models, data.bytes, inputs);
      if (error.rc != SMP_OK) return error;
    }
    models_compare(models, data.bytes + inputs, data.size_bytes - inputs);
    if (models->stream.offset == all) note_vector(models, vector, count);
  }
  const bool done = wanted_offset(models, STREAM_SELF_TEST, vector) == all;
  cbor_map(answer, done ? 5 : 1);
  pair_uint(answer, "off", wanted_offset(models, STREAM_SELF_TEST, vector));
  if (!done) return SMP_DONE;
  pair_bool(answer, "equal", models->stream.different == 0);
  pair_uint(answer, "differ", models->stream.different);
  pair_uint(answer, "max", models->stream.greatest_difference);
  pair_uint(answer, "us", models->statistics.us);
  return SMP_DONE;
}

static void answer_outputs(uint32_t offset, struct cbor_writer *answer) {
  uint8_t part[SMP_BUFFER_BYTES - SMP_HEADER_BYTES - INFER_FIELDS_BYTES];
  const uint32_t count = models_output(offset, part, sizeof part);
  cbor_text(answer, "out");
  cbor_bytes_of(answer, part, count);
}

struct smp_error model_group_infer(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer) {
  struct models *models = ((const struct model_group *)context)->models;
  uint32_t offset;
  struct cbor_bytes data;
  if (!cbor_find_uint(request->map, request->map_bytes, "off", &offset) ||
      !cbor_find_bytes(request->map, request->map_bytes, "data", &data)) {
    return SMP_FAILED(SMP_INVALID);
  }
  if (!models->active) return MODEL_FAILED(MODEL_ERROR_NO_MODEL);
  const uint32_t in = models->input_bytes;
  if (offset > in || data.size_bytes > in - offset) return MODEL_FAILED(MODEL_ERROR_TOO_MUCH);
  if (stream_continues(models, STREAM_INFER, 0, offset) && data.size_bytes > 0) {
    const struct smp_error error = models_feed(models, data.bytes, data.size_bytes);
    if (error.rc != SMP_OK) return error;
  }
  const bool ran = models->stream.use == STREAM_INFER && models->stream.ran;
  const uint32_t cycles = models->statistics.cycles;
  cbor_map(answer, ran ? 4u + (uint32_t)(cycles != 0) : 1u);
  pair_uint(answer, "off", wanted_offset(models, STREAM_INFER, 0));
  if (!ran) return SMP_DONE;
  pair_uint(answer, "len", models->output_bytes);
  answer_outputs(0, answer);
  pair_uint(answer, "us", models->statistics.us);
  if (cycles != 0) pair_uint(answer, "cycles", cycles);
  return SMP_DONE;
}

struct smp_error model_group_outputs(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer) {
  const struct models *models = ((const struct model_group *)context)->models;
  uint32_t offset;
  if (!cbor_find_uint(request->map, request->map_bytes, "off", &offset)) {
    return SMP_FAILED(SMP_INVALID);
  }
  if (!models->active || models->stream.use != STREAM_INFER || !models->stream.ran) {
    return MODEL_FAILED(MODEL_ERROR_NO_MODEL);
  }
  if (offset > models->output_bytes) return MODEL_FAILED(MODEL_ERROR_TOO_MUCH);
  cbor_map(answer, 2);
  pair_uint(answer, "off", offset);
  answer_outputs(offset, answer);
  return SMP_DONE;
}

static const char *cause_text(enum device_cause cause) {
  static const char *const texts[] = {"power", "software", "watchdog", "fault"};
  return (uint32_t)cause < sizeof texts / sizeof *texts ? texts[cause] : "unknown";
}

struct smp_error model_group_statistics(void *context, const struct smp_request *request,
                                        struct cbor_writer *answer) {
  (void)request;
  const struct model_group *group = context;
  const struct models *models = group->models;
  const struct models_statistics *statistics = &models->statistics;
  struct counters resets = {{0, 0}};
  const struct boot_flash *flash = models->device->flash;
  if (flash->areas[BOOT_RESETS].size_bytes > 0) (void)counters_read(flash, BOOT_RESETS, &resets);
  const uint32_t stack_bytes = device_stack_bytes();
  cbor_map(answer, 9u + (statistics->runs > 0 ? 3u : 0) + (uint32_t)(statistics->cycles != 0) +
                       (uint32_t)(stack_bytes != 0));
  pair_uint(answer, "up", (uint32_t)(device_microseconds() / MICROSECONDS_PER_MILLISECOND));
  pair_uint(answer, "resets", resets.values[COUNTER_RESETS]);
  pair_text(answer, "cause", cause_text(device_cause()));
  pair_uint(answer, "runs", statistics->runs);
  pair_uint(answer, "failures", statistics->failures);
  if (statistics->runs > 0) {
    pair_uint(answer, "us", statistics->us);
    pair_uint(answer, "usmin", statistics->least_us);
    pair_uint(answer, "usmax", statistics->most_us);
  }
  if (statistics->cycles != 0) pair_uint(answer, "cycles", statistics->cycles);
  pair_uint(answer, "arena", models->active ? model_arena_bytes() : 0);
  if (stack_bytes != 0) pair_uint(answer, "stack", stack_bytes);
  pair_uint(answer, "lines", smp_damaged(group->smp));
  pair_uint(answer, "trials", statistics->trials);
  pair_uint(answer, "reverts", statistics->reverts);
  return SMP_DONE;
}

struct smp_error model_group_erase(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer) {
  struct models *models = ((const struct model_group *)context)->models;
  uint32_t slot = models_spare_slot(models);
  (void)cbor_find_uint(request->map, request->map_bytes, "slot", &slot);
  const struct smp_error error = models_clear(models, slot);
  if (error.rc == SMP_OK) cbor_map(answer, 0);
  return error;
}

struct smp_error model_group_log(void *context, const struct smp_request *request,
                                 struct cbor_writer *answer) {
  const struct models *models = ((const struct model_group *)context)->models;
  uint32_t since = 0;
  (void)cbor_find_uint(request->map, request->map_bytes, "since", &since);
  log_answer(models->log, since, answer);
  return SMP_DONE;
}
