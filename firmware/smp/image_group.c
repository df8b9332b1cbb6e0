#include "image_group.h"

#include <stddef.h>

#include "boot_error.h"
#include "image_text.h"

#define SLOTS 2u

/* Zephyr, img_mgmt_err_code_t. */
enum image_error {
  IMAGE_HASH_NOT_FOUND = 8,
  IMAGE_ERASE_FAILED = 13,
  IMAGE_INVALID_SLOT = 14,
  IMAGE_INVALID_OFFSET = 20,
  IMAGE_INVALID_LENGTH = 21,
  IMAGE_PENDING = 28,
  IMAGE_TOO_LARGE = 30,
  IMAGE_WRITE_FAILED = 12,
  IMAGE_TEST_TO_ACTIVE = 33,
};
#define IMAGE_FAILED(code) ((struct smp_error){IMAGE_GROUP, (code)})

struct slot {
  bool there;
  struct boot_image image;
};

struct slots {
  struct slot slots[SLOTS];
  enum boot_swap next;
};

static enum boot_area area_of(uint32_t slot) { return slot == 0 ? BOOT_PRIMARY : BOOT_SECONDARY; }

static bool read_slots(const struct image_group *group, struct slots *slots) {
  for (uint32_t index = 0; index < SLOTS; index++) {
    struct slot *slot = &slots->slots[index];
    slot->there = boot_describe(group->device, area_of(index), &slot->image) == BOOT_OK;
  }
  return boot_next_swap(group->device, &slots->next) == BOOT_OK;
}

static void answer_flag(struct cbor_writer *answer, const char *name, bool value) {
  cbor_text(answer, name);
  cbor_bool(answer, value);
}

/** What a revert brings back is confirmed, as Zephyr has it. */
static void answer_slot(const struct image_group *group, const struct slots *slots, uint32_t index,
                        struct cbor_writer *answer) {
  const struct slot *slot = &slots->slots[index];
  const enum boot_swap next = slots->next;
  const bool runs = index == 0 && group->runs, reverts = next == BOOT_SWAP_REVERT;
  const bool waits = index == 1 && (next == BOOT_SWAP_TEST || next == BOOT_SWAP_PERMANENT);
  cbor_map(answer, 7);
  cbor_text(answer, "slot");
  cbor_uint(answer, index);
  image_text_version(&slot->image, answer);
  cbor_text(answer, "hash");
  cbor_bytes_of(answer, slot->image.digest, BOOT_DIGEST_BYTES);
  answer_flag(answer, "pending", waits);
  answer_flag(answer, "confirmed", runs ? !reverts : index == 1 && reverts);
  answer_flag(answer, "active", runs);
  answer_flag(answer, "permanent", waits && next == BOOT_SWAP_PERMANENT);
}

struct smp_error image_group_state(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer) {
  (void)request;
  const struct image_group *group = context;
  struct slots slots;
  if (!read_slots(group, &slots)) return boot_error(BOOT_FLASH);
  const uint32_t count = (uint32_t)slots.slots[0].there + (uint32_t)slots.slots[1].there;
  cbor_map(answer, 1);
  cbor_text(answer, "images");
  cbor_array(answer, count);
  for (uint32_t index = 0; index < SLOTS; index++) {
    if (slots.slots[index].there) answer_slot(group, &slots, index, answer);
  }
  return SMP_DONE;
}

/** What runs is confirmed; what waits is requested, once or for good. */
static struct smp_error change_state(const struct image_group *group,
                                     const struct smp_request *request) {
  struct cbor_bytes hash = {NULL, 0, false};
  bool confirm = false;
  struct slots slots;
  (void)cbor_find_bool(request->map, request->map_bytes, "confirm", &confirm);
  (void)cbor_find_bytes(request->map, request->map_bytes, "hash", &hash);
  if (!read_slots(group, &slots)) return boot_error(BOOT_FLASH);
  const bool runs = group->runs && slots.slots[0].there &&
                    (hash.present ? image_text_is(&slots.slots[0].image, &hash) : confirm);
  enum boot_status status;
  if (runs) {
    if (!confirm && slots.next == BOOT_SWAP_REVERT) return IMAGE_FAILED(IMAGE_TEST_TO_ACTIVE);
    status = confirm ? boot_confirm(group->device) : BOOT_OK;
  } else if (hash.present && slots.slots[1].there && image_text_is(&slots.slots[1].image, &hash)) {
    /* The way back, unless it was gone and this has just come in its place. */
    const bool replaced = !group->runs && group->upload.known;
    if (slots.next == BOOT_SWAP_REVERT && !replaced) return IMAGE_FAILED(IMAGE_PENDING);
    status = boot_request(group->device, confirm);
  } else {
    return hash.present ? IMAGE_FAILED(IMAGE_HASH_NOT_FOUND) : SMP_FAILED(SMP_INVALID);
  }
  return status == BOOT_OK ? SMP_DONE : boot_error(status);
}

struct smp_error image_group_change_state(void *context, const struct smp_request *request,
                                          struct cbor_writer *answer) {
  const struct smp_error error = change_state(context, request);
  return error.rc == SMP_OK ? image_group_state(context, request, answer) : error;
}

/** Nothing that waits, or would be reverted to, is overwritten. */
static struct smp_error clear(struct image_group *group) {
  enum boot_swap next;
  upload_forget(&group->upload);
  if (boot_next_swap(group->device, &next) != BOOT_OK) return boot_error(BOOT_FLASH);
  if (next == BOOT_SWAP_TEST || next == BOOT_SWAP_PERMANENT) return IMAGE_FAILED(IMAGE_PENDING);
  const enum boot_status status = boot_clear(group->device);
  if (status == BOOT_FLASH) return IMAGE_FAILED(IMAGE_ERASE_FAILED);
  return status == BOOT_OK ? SMP_DONE : boot_error(status);
}

struct smp_error image_group_upload(void *context, const struct smp_request *request,
                                    struct cbor_writer *answer) {
  struct image_group *group = context;
  struct upload_chunk chunk;
  uint32_t image = 0;
  if (!upload_parse(request, &chunk)) return IMAGE_FAILED(IMAGE_INVALID_OFFSET);
  (void)cbor_find_uint(request->map, request->map_bytes, "image", &image);
  if (image != 0) return IMAGE_FAILED(IMAGE_INVALID_SLOT);
  if (upload_begins(&group->upload, &chunk)) {
    if (!chunk.has_size || chunk.size_bytes == 0) return IMAGE_FAILED(IMAGE_INVALID_LENGTH);
    if (chunk.size_bytes > boot_capacity(group->device, BOOT_SECONDARY)) {
      return IMAGE_FAILED(IMAGE_TOO_LARGE);
    }
    const struct smp_error error = clear(group);
    if (error.rc != SMP_OK) return error;
    upload_begin(&group->upload, group->device->flash, BOOT_SECONDARY, &chunk);
  }
  if (!upload_take(&group->upload, &chunk)) return IMAGE_FAILED(IMAGE_WRITE_FAILED);
  upload_answer(&group->upload, answer);
  return SMP_DONE;
}

struct smp_error image_group_erase(void *context, const struct smp_request *request,
                                   struct cbor_writer *answer) {
  struct image_group *group = context;
  uint32_t slot = 1;
  (void)cbor_find_uint(request->map, request->map_bytes, "slot", &slot);
  if (slot != 1) return IMAGE_FAILED(IMAGE_INVALID_SLOT);
  upload_forget(&group->upload);
  const enum boot_status status = boot_clear(group->device);
  if (status != BOOT_OK) return boot_error(status);
  cbor_map(answer, 0);
  return SMP_DONE;
}

struct smp_error image_group_slot_info(void *context, const struct smp_request *request,
                                       struct cbor_writer *answer) {
  (void)request;
  const struct image_group *group = context;
  cbor_map(answer, 1);
  cbor_text(answer, "images");
  cbor_array(answer, 1);
  cbor_map(answer, 3);
  cbor_text(answer, "image");
  cbor_uint(answer, 0);
  cbor_text(answer, "slots");
  cbor_array(answer, SLOTS);
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    cbor_map(answer, 2);
    cbor_text(answer, "slot");
    cbor_uint(answer, slot);
    cbor_text(answer, "size");
    cbor_uint(answer, group->device->flash->areas[area_of(slot)].size_bytes);
  }
  cbor_text(answer, "max_image_size");
  cbor_uint(answer, boot_capacity(group->device, BOOT_SECONDARY));
  return SMP_DONE;
}
