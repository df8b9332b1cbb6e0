#include "models.h"

#include "../boards/device.h"
#include "../engine/memory.h"
#include "../smp/boot_error.h"

static uint32_t all_bytes(uint32_t count, struct model_tensor (*tensor)(uint32_t index)) {
  uint32_t size_bytes = 0;
  for (uint32_t index = 0; index < count; index++) size_bytes += tensor(index).size_bytes;
  return size_bytes;
}

static void close_model(struct models *models) {
  if (models->active) model_close();
  models->active = false;
  models->tested = false;
  models->passed = 0;
  models->stream.use = STREAM_NONE;
}

static enum model_status open_model(struct models *models) {
  const struct boot_image *image = &models->selected.image;
  const uint8_t *payload =
      device_flash_at(boot_model_area(models->selected.slot)) + image->header_bytes;
  const enum model_status status =
      model_open(payload, image->payload_bytes, models->arena, models->arena_bytes);
  models->active = status == MODEL_OK;
  if (!models->active) return status;
  models->input_bytes = all_bytes(model_input_count(), model_input);
  models->output_bytes = all_bytes(model_output_count(), model_output);
  return MODEL_OK;
}

static struct smp_error error_of(enum model_status status) {
  switch (status) {
    case MODEL_OK:
      return SMP_DONE;
    case MODEL_WRONG_KIND:
      return MODEL_FAILED(MODEL_ERROR_KIND);
    case MODEL_TOO_LARGE:
      return MODEL_FAILED(MODEL_ERROR_TOO_LARGE);
    default:
      return MODEL_FAILED(MODEL_ERROR_BROKEN);
  }
}

/**
 * What the slots say is to run, opened. One that cannot be opened goes from trial at once, and what
 * was confirmed before runs.
 * @return why what was on trial cannot run
 */
static struct smp_error select_model(struct models *models, enum boot_moment moment) {
  struct smp_error error = SMP_DONE;
  close_model(models);
  for (uint32_t round = 0; round < BOOT_MODEL_SLOTS; round++) {
    const enum boot_status status = boot_model_select(models->device, moment, &models->selected);
    if (error.rc == SMP_OK && models->selected.refused != BOOT_OK) {
      error = boot_error(models->selected.refused);
    }
    if (status == BOOT_NO_IMAGE) return error;
    if (status != BOOT_OK) return boot_error(status);
    const enum model_status opened = open_model(models);
    if (opened == MODEL_OK) return error;
    error = error_of(opened);
    log_add_number(models->log, LOG_ERROR, "the model cannot be opened: slot ",
                   models->selected.slot);
    if (models->selected.confirmed) return error;
    models->statistics.reverts++;
    if (boot_model_revert(models->device) != BOOT_OK) return boot_error(BOOT_FLASH);
    moment = BOOT_RUNNING;
  }
  return error;
}

void models_start(struct models *models, const struct boot_device *device, struct log *log) {
  *models = (struct models){.device = device, .log = log};
  models->arena = device_arena(&models->arena_bytes);
  (void)select_model(models, BOOT_AT_START);
  if (models->active) {
    log_add_number(log, LOG_INFORMATION, "model of slot ", models->selected.slot);
  } else {
    log_add(log, LOG_WARNING, "no model", NULL);
  }
}

/** A confirmed model keeps its slot even if this firmware cannot open it: the flash says so. */
uint32_t models_spare_slot(const struct models *models) {
  return models->selected.confirmed ? BOOT_MODEL_SLOTS - 1u - models->selected.slot
                                    : models->selected.slot;
}

struct smp_error models_test(struct models *models, uint32_t slot) {
  if (models->active && models->selected.slot == slot) return SMP_DONE;
  if (models->active && !models->selected.confirmed) {
    return MODEL_FAILED(MODEL_ERROR_NO_ROOM);
  }
  const enum boot_status status = boot_model_request(models->device, slot, false);
  if (status != BOOT_OK) return boot_error(status);
  models->statistics.trials++;
  const struct smp_error error = select_model(models, BOOT_RUNNING);
  if (error.rc == SMP_OK) log_add_number(models->log, LOG_INFORMATION, "on trial: slot ", slot);
  return error;
}

struct smp_error models_confirm(struct models *models) {
  if (models->selected.confirmed) return SMP_DONE;
  if (!models->tested) return MODEL_FAILED(MODEL_ERROR_NOT_TESTED);
  const enum boot_status status = boot_model_confirm(models->device);
  if (status != BOOT_OK) return boot_error(status);
  log_add_number(models->log, LOG_INFORMATION, "confirmed: slot ", models->selected.slot);
  return select_model(models, BOOT_RUNNING);
}

struct smp_error models_clear(struct models *models, uint32_t slot) {
  const bool selected = models->selected.slot == slot;
  const bool runs = models->active && selected;
  if (slot >= BOOT_MODEL_SLOTS || (selected && models->selected.confirmed)) {
    return MODEL_FAILED(MODEL_ERROR_NOT_FOUND);
  }
  upload_forget(&models->upload);
  if (runs) {
    models->statistics.reverts++;
    close_model(models);
    const enum boot_status status = boot_model_revert(models->device);
    if (status != BOOT_OK) return boot_error(status);
    log_add_number(models->log, LOG_WARNING, "trial ended: slot ", slot);
    (void)select_model(models, BOOT_RUNNING);
  }
  const enum boot_status status = boot_model_clear(models->device, slot);
  return status == BOOT_OK ? SMP_DONE : boot_error(status);
}

static struct smp_error run(struct models *models) {
  struct models_statistics *statistics = &models->statistics;
  device_feed_watchdog();
  const uint64_t start_us = device_microseconds();
  const uint32_t start_cycles = device_cycles();
  const enum model_status status = model_run();
  statistics->cycles = device_cycles() - start_cycles;
  const uint32_t us = (uint32_t)(device_microseconds() - start_us);
  if (status != MODEL_OK) {
    statistics->failures++;
    models->stream.use = STREAM_NONE; /* what is in the outputs belongs to other inputs */
    log_add(models->log, LOG_ERROR, "an inference has failed", NULL);
    return MODEL_FAILED(MODEL_ERROR_UNKNOWN);
  }
  if (statistics->runs == 0 || us < statistics->least_us) statistics->least_us = us;
  if (statistics->runs == 0 || us > statistics->most_us) statistics->most_us = us;
  statistics->us = us;
  statistics->runs++;
  models->stream.ran = true;
  return SMP_DONE;
}

struct smp_error models_feed(struct models *models, const uint8_t *bytes, uint32_t size_bytes) {
  uint32_t first = 0;
  for (uint32_t index = 0; index < model_input_count() && size_bytes > 0; index++) {
    const struct model_tensor tensor = model_input(index);
    const uint32_t offset = models->stream.offset;
    if (offset >= first && offset - first < tensor.size_bytes) {
      const uint32_t at = offset - first, room = tensor.size_bytes - at;
      const uint32_t count = size_bytes < room ? size_bytes : room;
      memcpy(tensor.values + at, bytes, count);
      models->stream.offset += count;
      bytes += count;
      size_bytes -= count;
    }
    first += tensor.size_bytes;
  }
  return models->stream.offset == models->input_bytes ? run(models) : SMP_DONE;
}

uint32_t models_output(uint32_t offset, uint8_t *to, uint32_t capacity_bytes) {
  uint32_t first = 0, copied = 0;
  for (uint32_t index = 0; index < model_output_count(); index++) {
    const struct model_tensor tensor = model_output(index);
    const uint32_t from = offset + copied;
    if (from >= first && from - first < tensor.size_bytes) {
      const uint32_t at = from - first, left = tensor.size_bytes - at;
      const uint32_t room = capacity_bytes - copied, count = left < room ? left : room;
      memcpy(to + copied, tensor.values + at, count);
      copied += count;
    }
    first += tensor.size_bytes;
  }
  return copied;
}

void models_compare(struct models *models, const uint8_t *bytes, uint32_t size_bytes) {
  struct stream *stream = &models->stream;
  for (uint32_t index = 0; index < size_bytes; index++) {
    uint8_t value;
    if (models_output(stream->offset - models->input_bytes, &value, 1) == 0) return;
    const int32_t difference = (int32_t)(int8_t)bytes[index] - (int32_t)(int8_t)value;
    const uint32_t distance = (uint32_t)(difference < 0 ? -difference : difference);
    if (distance > 0) stream->different++;
    if (distance > stream->greatest_difference) stream->greatest_difference = distance;
    stream->offset++;
  }
}
