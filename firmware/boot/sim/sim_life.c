#include "sim_life.h"

#include <string.h>

#include "../image.h"
#include "../trailer.h"

/** Starts, requests and selections of one power-up at most. */
#define MAX_TURNS 12u
/** Of the counters' area. */
#define RECORD_BYTES 16u
/** A confirmation that power takes away is a revert, after which the new image is asked for again;
 * one that is not confirmed is asked for once. */
#define MAX_REQUESTS 100u

static struct boot_device device_of(const struct sim_life *life) {
  return (struct boot_device){&life->sim.flash, sim_keys, SIM_KEY_COUNT};
}

static void expect(struct sim_life *life, bool holds, const char *what) {
  if (!holds && !life->sim.off && life->wrong == NULL) life->wrong = what;
}

static bool is(const struct boot_image *image, const struct sim_image *expected) {
  return expected != NULL && image->version[0] == expected->major &&
         image->size_bytes == expected->size_bytes;
}

static bool may_request(const struct sim_life *life) {
  return life->requests < (life->upgrade->confirm ? MAX_REQUESTS : 1u);
}

/** They never sink, and rise only to what was confirmed. */
static void check_counters(struct sim_life *life) {
  struct counters now;
  if (!counters_read(&life->sim.flash, BOOT_COUNTERS, &now)) return;
  const struct sim_upgrade *upgrade = life->upgrade;
  struct counters most = life->least;
  const enum counter counter = upgrade->model ? COUNTER_MODEL : COUNTER_FIRMWARE;
  if (life->may_raise && upgrade->new->counter > most.values[counter]) {
    most.values[counter] = upgrade->new->counter;
  }
  for (uint32_t index = 0; index < COUNTER_COUNT; index++) {
    expect(life, now.values[index] >= life->least.values[index], "a counter has sunk");
    expect(life, now.values[index] <= most.values[index], "a counter has risen too early");
  }
  life->least = now;
}

static bool upload(struct sim_life *life, enum boot_area area) {
  const struct sim_image *image = life->upgrade->new;
  return sim_flash_upload(&life->sim, area, image->bytes,
                          image->size_bytes - life->upgrade->upload_bytes);
}

/** What a request's own check refuses ends the upgrade, unless it is forced. */
static void request(struct sim_life *life, enum boot_area area) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  if (upgrade->permanent) life->may_raise = true;
  enum boot_status status;
  if (upgrade->forced) {
    const struct trailer trailer = {.image_ok = upgrade->permanent, .swap_size = 1};
    status = trailer_write(&life->sim.flash, area, &trailer) ? BOOT_OK : BOOT_FLASH;
  } else if (upgrade->model) {
    status = boot_model_request(&device, area == BOOT_MODEL_0 ? 0 : 1, upgrade->permanent);
  } else {
    status = boot_request(&device, upgrade->permanent);
  }
  if (status == BOOT_FLASH) return;
  life->requests++;
  if (status == BOOT_OK) return;
  expect(life, status == upgrade->refused, "a request was refused for another reason");
  life->refused = status;
  life->requests = MAX_REQUESTS;
}

/** @return whether something was done, after which the device is reset */
static bool firmware_turn(struct sim_life *life) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  struct boot_firmware firmware;
  struct boot_image image;
  const enum boot_status status = boot_start(&device, &firmware);
  check_counters(life);
  if (firmware.refused != BOOT_OK) life->refused = firmware.refused;
  expect(life, status == BOOT_OK, "no firmware that may run");
  if (status != BOOT_OK) return false;
  const bool is_new = is(&firmware.image, upgrade->new);
  expect(life, is_new || is(&firmware.image, upgrade->old), "firmware of nobody");
  expect(life, !is_new || upgrade->refused == BOOT_OK, "firmware that was to be refused");
  if (is_new) {
    if (firmware.confirmed) return false;
    if (upgrade->confirm) {
      life->may_raise = true;
      boot_confirm(&device);
    }
    return true;
  }
  if (!may_request(life)) return false;
  if (boot_check(&device, BOOT_SECONDARY, &image) != BOOT_OK || !is(&image, upgrade->new)) {
    if (boot_clear(&device) != BOOT_OK || !upload(life, BOOT_SECONDARY)) return true;
  }
  request(life, BOOT_SECONDARY);
  return true;
}

/** With the model that a selection has given. @return whether there is something left to do */
static bool model_turn(struct sim_life *life, const struct boot_model *model, bool none,
                       bool *reset) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  if (!none && is(&model->image, upgrade->new)) {
    if (model->confirmed) return false;
    if (upgrade->confirm) {
      life->may_raise = true;
      boot_model_confirm(&device);
    } else if (upgrade->revert) {
      boot_model_revert(&device);
    } else {
      *reset = true;
    }
    return true;
  }
  if (!may_request(life)) return false;
  const uint32_t slot = none ? 0 : 1u - model->slot;
  const enum boot_area area = slot == 0 ? BOOT_MODEL_0 : BOOT_MODEL_1;
  struct boot_image image;
  if (boot_check(&device, area, &image) != BOOT_OK || !is(&image, upgrade->new)) {
    if (boot_model_clear(&device, slot) != BOOT_OK || !upload(life, area)) return true;
  }
  request(life, area);
  return true;
}

static bool models_go_on(struct sim_life *life) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  bool reset = true;
  for (uint32_t turn = 0; turn < MAX_TURNS && !life->sim.off; turn++) {
    struct boot_model model;
    const enum boot_status status =
        boot_model_select(&device, reset ? BOOT_AT_START : BOOT_RUNNING, &model);
    reset = false;
    check_counters(life);
    if (model.refused != BOOT_OK) life->refused = model.refused;
    const bool none = status == BOOT_NO_IMAGE && upgrade->old == NULL;
    expect(life, status == BOOT_OK || none, "no model that may run");
    if (status != BOOT_OK && !none) return false;
    const bool is_new = !none && is(&model.image, upgrade->new);
    expect(life, none || is_new || is(&model.image, upgrade->old), "a model of nobody");
    expect(life, !is_new || upgrade->refused == BOOT_OK, "a model that was to be refused");
    if (!model_turn(life, &model, none, &reset)) return !life->sim.off;
  }
  expect(life, false, "it never ends");
  return false;
}

bool sim_life_go_on(struct sim_life *life) {
  check_counters(life);
  if (life->upgrade->model) return models_go_on(life);
  for (uint32_t turn = 0; turn < MAX_TURNS && !life->sim.off; turn++) {
    if (!firmware_turn(life)) return !life->sim.off;
  }
  expect(life, false, "it never ends");
  return false;
}

/** The old image and the new one are both whole, one in each slot. */
static void check_slots(struct sim_life *life) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  struct trailer trailer;
  struct boot_image image;
  if (!trailer_read(&life->sim.flash, BOOT_SECONDARY, &trailer)) return;
  expect(life, !trailer.magic, "a request is left");
  const struct sim_image *other = upgrade->left == upgrade->new ? upgrade->old : upgrade->new;
  if (upgrade->refused != BOOT_OK) return;
  expect(life, image_check(&device, BOOT_SECONDARY, 0, &image) == BOOT_OK && is(&image, other),
         "the other image is lost");
}

const char *sim_life_end(struct sim_life *life) {
  const struct boot_device device = device_of(life);
  const struct sim_upgrade *upgrade = life->upgrade;
  struct boot_firmware firmware;
  struct boot_model model;
  if (upgrade->model) {
    const enum boot_status status = boot_model_select(&device, BOOT_AT_START, &model);
    expect(life, status == (upgrade->left != NULL ? BOOT_OK : BOOT_NO_IMAGE), "no last model");
    expect(life, upgrade->left == NULL || (is(&model.image, upgrade->left) && model.confirmed),
           "another model at the end");
  } else {
    expect(life, boot_start(&device, &firmware) == BOOT_OK, "no last firmware");
    expect(life, is(&firmware.image, upgrade->left) && firmware.confirmed,
           "other firmware at the end");
    check_slots(life);
  }
  check_counters(life);
  const uint32_t counter = life->least.values[upgrade->model ? COUNTER_MODEL : COUNTER_FIRMWARE];
  expect(life, counter == (upgrade->left != NULL ? upgrade->left->counter : 0),
         "another counter at the end");
  expect(life, life->refused == upgrade->refused, "it was not refused as it should be");
  if (life->sim.fault != NULL) life->wrong = life->sim.fault;
  return life->wrong;
}

/** One place is left in the sector of the counters: the records are the other counter's. */
static void fill_counters(struct sim_life *life) {
  const uint32_t records = life->sim.flash.areas[BOOT_COUNTERS].sector_bytes / RECORD_BYTES;
  const enum counter other = life->upgrade->model ? COUNTER_FIRMWARE : COUNTER_MODEL;
  for (uint32_t value = 1; value < records; value++) {
    expect(life, counters_raise(&life->sim.flash, BOOT_COUNTERS, other, value), "set-up: counters");
  }
}

/** With the trailer that a swap has left. */
static void put_firmware(struct sim_life *life) {
  const struct boot_flash *flash = &life->sim.flash;
  const struct boot_device device = device_of(life);
  const uint32_t size_bytes = life->upgrade->old->size_bytes;
  const struct trailer trailer = {
      .image_ok = true, .swap_info = BOOT_SWAP_PERMANENT, .swap_size = size_bytes};
  struct boot_firmware firmware;
  bool done = trailer_write(flash, BOOT_PRIMARY, &trailer);
  for (uint32_t index = 0; index * flash->areas[BOOT_PRIMARY].sector_bytes < 3u * size_bytes;
       index++) {
    done = done && trailer_set_record(flash, index);
  }
  expect(life, done && trailer_set(flash, BOOT_PRIMARY, TRAILER_COPY_DONE), "set-up: trailer");
  expect(life, boot_start(&device, &firmware) == BOOT_OK, "set-up: start");
}

static void put_model(struct sim_life *life) {
  const struct boot_device device = device_of(life);
  struct boot_model model;
  expect(life, boot_model_request(&device, 0, true) == BOOT_OK, "set-up: request");
  expect(life, boot_model_select(&device, BOOT_AT_START, &model) == BOOT_OK, "set-up: model");
}

void sim_life_start(struct sim_life *life, const struct sim_board *board,
                    const struct sim_upgrade *upgrade) {
  const struct sim_image *old = upgrade->old;
  memset(life, 0, sizeof *life);
  life->upgrade = upgrade;
  sim_flash_start(&life->sim, board->write_bytes, board->areas);
  fill_counters(life);
  if (old != NULL) {
    const enum boot_area area = upgrade->model ? BOOT_MODEL_0 : BOOT_PRIMARY;
    expect(life, sim_flash_upload(&life->sim, area, old->bytes, old->size_bytes),
           "set-up: the old image");
    if (upgrade->model) {
      put_model(life);
    } else {
      put_firmware(life);
    }
  }
  (void)counters_read(&life->sim.flash, BOOT_COUNTERS, &life->least);
  life->sim.operations = 0;
}
