#include "boot.h"
#include "counters.h"
#include "decide.h"
#include "image.h"
#include "layout.h"
#include "trailer.h"

/** Both slots as their trailers say, the newer first, and the models' counter. */
struct models {
  struct trailer trailers[BOOT_MODEL_SLOTS];
  enum model_state states[BOOT_MODEL_SLOTS];
  uint32_t order[BOOT_MODEL_SLOTS];
  uint32_t counter;
};

static enum boot_status read_models(const struct boot_device *device, struct models *models) {
  struct counters counters;
  if (!layout_valid(device->flash)) return BOOT_LAYOUT;
  for (uint32_t slot = 0; slot < BOOT_MODEL_SLOTS; slot++) {
    if (device->flash->areas[boot_model_area(slot)].size_bytes == 0) return BOOT_LAYOUT;
    if (!trailer_read(device->flash, boot_model_area(slot), &models->trailers[slot]))
      return BOOT_FLASH;
    models->states[slot] = decide_model(&models->trailers[slot]);
  }
  models->order[0] = decide_newer(models->trailers);
  models->order[1] = 1u - models->order[0];
  if (!counters_read(device->flash, BOOT_COUNTERS, &counters)) return BOOT_FLASH;
  models->counter = counters.values[COUNTER_MODEL];
  return BOOT_OK;
}

static enum boot_status drop(const struct boot_device *device, struct models *models,
                             uint32_t slot) {
  models->states[slot] = MODEL_NONE;
  return trailer_clear(device->flash, boot_model_area(slot)) ? BOOT_OK : BOOT_FLASH;
}

static enum boot_status drop_tests(const struct boot_device *device, struct models *models) {
  for (uint32_t slot = 0; slot < BOOT_MODEL_SLOTS; slot++) {
    if (models->states[slot] == MODEL_ON_TEST && drop(device, models, slot) != BOOT_OK) {
      return BOOT_FLASH;
    }
  }
  return BOOT_OK;
}

/** The newest that is confirmed and holds. */
static enum boot_status find_confirmed(const struct boot_device *device,
                                       const struct models *models, struct boot_model *model) {
  for (uint32_t index = 0; index < BOOT_MODEL_SLOTS; index++) {
    const uint32_t slot = models->order[index];
    if (models->states[slot] != MODEL_CONFIRMED) continue;
    const enum boot_status status =
        image_check(device, boot_model_area(slot), models->counter, &model->image);
    if (status == BOOT_FLASH) return BOOT_FLASH;
    if (status != BOOT_OK) continue;
    model->slot = slot;
    model->confirmed = true;
    return BOOT_OK;
  }
  return BOOT_NO_IMAGE;
}

/** On test, if one is or was to be and holds; what is refused is dropped. */
static enum boot_status find_test(const struct boot_device *device, struct models *models,
                                  struct boot_model *model) {
  for (uint32_t index = 0; index < BOOT_MODEL_SLOTS; index++) {
    const uint32_t slot = models->order[index];
    const enum model_state state = models->states[slot];
    struct boot_image image;
    if (state != MODEL_PENDING && state != MODEL_ON_TEST) continue;
    const enum boot_status status =
        image_check(device, boot_model_area(slot), models->counter, &image);
    if (status == BOOT_FLASH) return BOOT_FLASH;
    if (status != BOOT_OK) {
      model->refused = status;
      if (drop(device, models, slot) != BOOT_OK) return BOOT_FLASH;
      continue;
    }
    if (state == MODEL_PENDING &&
        !trailer_set(device->flash, boot_model_area(slot), TRAILER_COPY_DONE)) {
      return BOOT_FLASH;
    }
    model->image = image;
    model->slot = slot;
    model->confirmed = false;
    return BOOT_OK;
  }
  return BOOT_NO_IMAGE;
}

/** The counter first, so that nothing below a confirmed model's goes on test. */
enum boot_status boot_model_select(const struct boot_device *device, enum boot_moment moment,
                                   struct boot_model *model) {
  struct models models;
  *model = (struct boot_model){0};
  enum boot_status status = read_models(device, &models);
  if (status != BOOT_OK) return status;
  if (moment == BOOT_AT_START && drop_tests(device, &models) != BOOT_OK) return BOOT_FLASH;
  const enum boot_status confirmed = find_confirmed(device, &models, model);
  if (confirmed == BOOT_FLASH) return BOOT_FLASH;
  if (confirmed == BOOT_OK && model->image.counter > models.counter) {
    models.counter = model->image.counter;
    if (!counters_raise(device->flash, BOOT_COUNTERS, COUNTER_MODEL, models.counter))
      return BOOT_FLASH;
  }
  status = find_test(device, &models, model);
  return status == BOOT_NO_IMAGE ? confirmed : status;
}

/** Whether a selection would give this slot; what goes on test counts as given. */
static enum boot_status in_use(const struct boot_device *device, const struct models *models,
                               uint32_t slot) {
  struct boot_model model;
  if (models->states[slot] == MODEL_ON_TEST) return BOOT_IN_USE;
  const enum boot_status status = find_confirmed(device, models, &model);
  if (status == BOOT_FLASH) return BOOT_FLASH;
  return status == BOOT_OK && model.slot == slot ? BOOT_IN_USE : BOOT_OK;
}

static enum boot_status take_slot(const struct boot_device *device, uint32_t slot,
                                  struct models *models) {
  if (slot >= BOOT_MODEL_SLOTS) return BOOT_LAYOUT;
  const enum boot_status status = read_models(device, models);
  return status != BOOT_OK ? status : in_use(device, models, slot);
}

enum boot_status boot_model_request(const struct boot_device *device, uint32_t slot,
                                    bool permanent) {
  struct models models;
  struct boot_image image;
  enum boot_status status = take_slot(device, slot, &models);
  if (status != BOOT_OK) return status;
  status = image_check(device, boot_model_area(slot), models.counter, &image);
  if (status != BOOT_OK) return status;
  const struct trailer *other = &models.trailers[1u - slot];
  const struct trailer trailer = {
      .image_ok = permanent,
      .swap_info = (uint8_t)(permanent ? BOOT_SWAP_PERMANENT : BOOT_SWAP_TEST),
      .swap_size = other->magic ? other->swap_size + 1u : 0,
  };
  return trailer_write(device->flash, boot_model_area(slot), &trailer) ? BOOT_OK : BOOT_FLASH;
}

enum boot_status boot_model_confirm(const struct boot_device *device) {
  struct models models;
  const enum boot_status status = read_models(device, &models);
  if (status != BOOT_OK) return status;
  for (uint32_t slot = 0; slot < BOOT_MODEL_SLOTS; slot++) {
    if (models.states[slot] != MODEL_ON_TEST) continue;
    return trailer_set(device->flash, boot_model_area(slot), TRAILER_IMAGE_OK) ? BOOT_OK
                                                                               : BOOT_FLASH;
  }
  return BOOT_NOT_ON_TEST;
}

enum boot_status boot_model_revert(const struct boot_device *device) {
  struct models models;
  const enum boot_status status = read_models(device, &models);
  if (status != BOOT_OK) return status;
  if (models.states[0] != MODEL_ON_TEST && models.states[1] != MODEL_ON_TEST) {
    return BOOT_NOT_ON_TEST;
  }
  return drop_tests(device, &models);
}

enum boot_status boot_model_clear(const struct boot_device *device, uint32_t slot) {
  struct models models;
  const enum boot_status status = take_slot(device, slot, &models);
  if (status != BOOT_OK) return status;
  return trailer_erase_slot(device->flash, boot_model_area(slot)) ? BOOT_OK : BOOT_FLASH;
}
