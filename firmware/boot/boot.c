#include "boot.h"

#include "../engine/memory.h"
#include "counters.h"
#include "decide.h"
#include "image.h"
#include "layout.h"
#include "swap.h"
#include "trailer.h"

/** A swap that lost power, one that is asked for, and one back if its image does not hold. */
#define MAX_ROUNDS 4u

struct trailers {
  struct trailer primary, secondary;
};

static bool read_trailers(const struct boot_flash *flash, struct trailers *trailers) {
  return trailer_read(flash, BOOT_PRIMARY, &trailers->primary) &&
         trailer_read(flash, BOOT_SECONDARY, &trailers->secondary);
}

static enum boot_status check(const struct boot_device *device, enum boot_area slot,
                              struct boot_image *image) {
  struct counters counters;
  if (!counters_read(device->flash, BOOT_COUNTERS, &counters)) return BOOT_FLASH;
  const enum counter counter = layout_is_model(slot) ? COUNTER_MODEL : COUNTER_FIRMWARE;
  return image_check(device, slot, counters.values[counter], image);
}

enum boot_status boot_check(const struct boot_device *device, enum boot_area slot,
                            struct boot_image *image) {
  if (!layout_valid(device->flash) || slot >= BOOT_COUNTERS) return BOOT_LAYOUT;
  return check(device, slot, image);
}

enum boot_status boot_describe(const struct boot_device *device, enum boot_area slot,
                               struct boot_image *image) {
  if (!layout_valid(device->flash) || slot >= BOOT_COUNTERS) return BOOT_LAYOUT;
  return image_describe(device->flash, slot, image);
}

uint32_t boot_capacity(const struct boot_device *device, enum boot_area slot) {
  if (!layout_valid(device->flash) || slot >= BOOT_COUNTERS) return 0;
  return layout_capacity(device->flash, slot);
}

/**
 * What to do with a primary slot that holds `primary`. A request whose image is refused is taken
 * back; a test that has nothing to be reverted to goes on; where nothing runs, whatever may run in
 * the secondary slot is taken.
 * @param swap BOOT_SWAP_NONE: nothing
 * @param size_bytes of the larger image
 */
static enum boot_status choose(const struct boot_device *device, enum boot_status primary_status,
                               const struct boot_image *primary, struct boot_firmware *firmware,
                               enum boot_swap *swap, uint32_t *size_bytes) {
  struct trailers trailers;
  struct boot_image image;
  if (!read_trailers(device->flash, &trailers)) return BOOT_FLASH;
  *swap = decide_swap(&trailers.primary, &trailers.secondary);
  if (*swap == BOOT_SWAP_NONE && primary_status == BOOT_OK) return BOOT_OK;
  const enum boot_status status = check(device, BOOT_SECONDARY, &image);
  if (status == BOOT_FLASH) return BOOT_FLASH;
  if (status == BOOT_OK) {
    if (*swap == BOOT_SWAP_NONE) *swap = BOOT_SWAP_PERMANENT;
    *size_bytes = image.size_bytes > primary->size_bytes ? image.size_bytes : primary->size_bytes;
    return BOOT_OK;
  }
  if (*swap != BOOT_SWAP_NONE) firmware->refused = status;
  *swap = BOOT_SWAP_NONE;
  if (trailers.secondary.magic && !trailer_clear(device->flash, BOOT_SECONDARY)) return BOOT_FLASH;
  return primary_status;
}

/** A revert is asked for as a permanent swap first: the primary slot's trailer, which calls for it,
 * goes before the swap has begun. */
static bool start(const struct boot_flash *flash, enum boot_swap swap, uint32_t size_bytes) {
  if (swap == BOOT_SWAP_REVERT) {
    const struct trailer request = {.image_ok = true, .swap_info = BOOT_SWAP_REVERT};
    if (!trailer_write(flash, BOOT_SECONDARY, &request)) return false;
  }
  return swap_start(flash, swap, size_bytes);
}

/** The image in the primary slot, and its counter if it is confirmed: before anything that stands
 * in the secondary slot is compared with it. */
static enum boot_status settle(const struct boot_device *device, struct boot_firmware *firmware) {
  struct trailer primary;
  const enum boot_status status = check(device, BOOT_PRIMARY, &firmware->image);
  if (status != BOOT_OK) return status;
  if (!trailer_read(device->flash, BOOT_PRIMARY, &primary)) return BOOT_FLASH;
  firmware->confirmed = primary.magic && primary.image_ok;
  if (firmware->confirmed &&
      !counters_raise(device->flash, BOOT_COUNTERS, COUNTER_FIRMWARE, firmware->image.counter)) {
    return BOOT_FLASH;
  }
  return BOOT_OK;
}

enum boot_status boot_start(const struct boot_device *device, struct boot_firmware *firmware) {
  memset(firmware, 0, sizeof *firmware);
  firmware->swapped = BOOT_SWAP_NONE;
  if (!layout_valid(device->flash)) return BOOT_LAYOUT;
  for (uint32_t round = 0; round < MAX_ROUNDS; round++) {
    enum boot_swap swap;
    uint32_t size_bytes = 0;
    if (!swap_resume(device->flash, &swap)) return BOOT_FLASH;
    if (swap != BOOT_SWAP_NONE) firmware->swapped = swap;

    enum boot_status status = settle(device, firmware);
    if (status == BOOT_FLASH) return BOOT_FLASH;
    if (status == BOOT_OK && firmware->swapped == BOOT_SWAP_TEST) return BOOT_OK;
    status = choose(device, status, &firmware->image, firmware, &swap, &size_bytes);
    if (status != BOOT_OK || swap == BOOT_SWAP_NONE) return status;
    if (!start(device->flash, swap, size_bytes)) return BOOT_FLASH;
    firmware->swapped = swap;
  }
  return BOOT_NO_IMAGE;
}

enum boot_status boot_next_swap(const struct boot_device *device, enum boot_swap *swap) {
  struct trailers trailers;
  if (!layout_valid(device->flash)) return BOOT_LAYOUT;
  if (!read_trailers(device->flash, &trailers)) return BOOT_FLASH;
  *swap = decide_swap(&trailers.primary, &trailers.secondary);
  return BOOT_OK;
}

enum boot_status boot_request(const struct boot_device *device, bool permanent) {
  struct boot_image image;
  const enum boot_status status = boot_check(device, BOOT_SECONDARY, &image);
  if (status != BOOT_OK) return status;
  const struct trailer trailer = {
      .image_ok = permanent,
      .swap_info = (uint8_t)(permanent ? BOOT_SWAP_PERMANENT : BOOT_SWAP_TEST),
  };
  return trailer_write(device->flash, BOOT_SECONDARY, &trailer) ? BOOT_OK : BOOT_FLASH;
}

/** One flag; firmware that never was swapped in has no trailer yet. */
enum boot_status boot_confirm(const struct boot_device *device) {
  const struct boot_flash *flash = device->flash;
  struct trailer primary;
  if (!layout_valid(flash)) return BOOT_LAYOUT;
  if (!trailer_read(flash, BOOT_PRIMARY, &primary)) return BOOT_FLASH;
  if (primary.magic) {
    if (primary.image_ok) return BOOT_OK;
    return trailer_set(flash, BOOT_PRIMARY, TRAILER_IMAGE_OK) ? BOOT_OK : BOOT_FLASH;
  }
  const struct trailer trailer = {
      .image_ok = true, .swap_info = UINT8_MAX, .swap_size = UINT32_MAX};
  return trailer_write(flash, BOOT_PRIMARY, &trailer) ? BOOT_OK : BOOT_FLASH;
}

enum boot_status boot_clear(const struct boot_device *device) {
  const struct boot_flash *flash = device->flash;
  struct trailers trailers;
  struct boot_image image;
  if (!layout_valid(flash)) return BOOT_LAYOUT;
  if (!read_trailers(flash, &trailers)) return BOOT_FLASH;
  const bool on_test = decide_swap(&trailers.primary, &(struct trailer){0}) == BOOT_SWAP_REVERT;
  if (on_test && check(device, BOOT_SECONDARY, &image) == BOOT_OK) return BOOT_IN_USE;
  return trailer_erase_slot(flash, BOOT_SECONDARY) ? BOOT_OK : BOOT_FLASH;
}
