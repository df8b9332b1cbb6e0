#include "trailer.h"

#include "../engine/memory.h"
#include "layout.h"

/* From the area's end. */
#define MAGIC_BYTES 16u
#define MAGIC_AT 16u
#define IMAGE_OK_AT 24u
#define COPY_DONE_AT 32u
#define SWAP_INFO_AT 40u
#define SWAP_SIZE_AT 48u
#define FIELD_BYTES 8u
#define SET 0x01u
#define ERASED 0xffu

/** MCUboot, design.md, "Image trailer": for a greatest write alignment of 8. */
static const uint8_t magic[MAGIC_BYTES] = {0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                           0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};

static bool all(const uint8_t *bytes, uint32_t size_bytes, uint8_t value) {
  uint32_t index = 0;
  while (index < size_bytes && bytes[index] == value) index++;
  return index == size_bytes;
}

/** Set, not set, or half set: no other write leaves less than bit 0, and what aligns it erased. */
static bool is_sane(const struct boot_flash *flash, const uint8_t *field) {
  return (field[0] & SET) != 0 && all(field + 1, flash->write_bytes - 1u, ERASED);
}

bool trailer_read(const struct boot_flash *flash, enum boot_area area, struct trailer *trailer) {
  uint8_t bytes[TRAILER_FIXED_BYTES];
  const uint32_t at = flash->areas[area].size_bytes - TRAILER_FIXED_BYTES;
  if (!flash_read(flash, area, at, bytes, sizeof bytes)) return false;
  const uint8_t *end = bytes + TRAILER_FIXED_BYTES, *size = end - SWAP_SIZE_AT;
  uint32_t same = 0;
  while (same < MAGIC_BYTES && end[(int32_t)same - (int32_t)MAGIC_AT] == magic[same]) same++;
  *trailer = (struct trailer){
      .magic = same == MAGIC_BYTES && is_sane(flash, end - COPY_DONE_AT) &&
               is_sane(flash, end - IMAGE_OK_AT),
      .copy_done = *(end - COPY_DONE_AT) == SET,
      .image_ok = *(end - IMAGE_OK_AT) == SET,
      .swap_info = *(end - SWAP_INFO_AT),
      .swap_size =
          size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24,
  };
  return true;
}

static bool erase(const struct boot_flash *flash, enum boot_area area, uint32_t from, uint32_t to) {
  const uint32_t sector_bytes = flash->areas[area].sector_bytes;
  for (; from < to; from += sector_bytes) {
    if (!flash_erase(flash, area, from, sector_bytes)) return false;
  }
  return true;
}

/** The magic first, unless there is nothing of one. */
bool trailer_clear(const struct boot_flash *flash, enum boot_area area) {
  const struct boot_geometry *geometry = &flash->areas[area];
  const uint32_t magic_at = geometry->size_bytes - MAGIC_AT;
  uint8_t bytes[MAGIC_BYTES];
  if (!flash_read(flash, area, magic_at, bytes, sizeof bytes)) return false;
  if (!all(bytes, sizeof bytes, ERASED) && !all(bytes, sizeof bytes, 0)) {
    memset(bytes, 0, sizeof bytes);
    if (!flash_write(flash, area, magic_at, bytes, sizeof bytes)) return false;
  }
  return erase(flash, area, layout_trailer_start(flash, area), geometry->size_bytes);
}

bool trailer_erase_slot(const struct boot_flash *flash, enum boot_area area) {
  return trailer_clear(flash, area) && erase(flash, area, 0, layout_trailer_start(flash, area));
}

/** Up to 8 bytes, and as many erased ones after them as the flash's alignment asks for. */
static bool write_field(const struct boot_flash *flash, enum boot_area area, uint32_t offset,
                        const uint8_t *value, uint32_t size_bytes) {
  uint8_t bytes[FIELD_BYTES];
  memset(bytes, ERASED, sizeof bytes);
  memcpy(bytes, value, size_bytes);
  const uint32_t align = flash->write_bytes - 1u;
  return flash_write(flash, area, offset, bytes, (size_bytes + align) & ~align);
}

static bool write_byte(const struct boot_flash *flash, enum boot_area area, uint32_t from_end,
                       uint8_t value) {
  return write_field(flash, area, flash->areas[area].size_bytes - from_end, &value, 1);
}

bool trailer_write(const struct boot_flash *flash, enum boot_area area,
                   const struct trailer *trailer) {
  const uint32_t end = flash->areas[area].size_bytes;
  uint8_t size[4];
  for (uint32_t index = 0; index < sizeof size; index++) {
    size[index] = (uint8_t)(trailer->swap_size >> 8u * index);
  }
  return trailer_clear(flash, area) &&
         write_field(flash, area, end - SWAP_SIZE_AT, size, sizeof size) &&
         write_byte(flash, area, SWAP_INFO_AT, trailer->swap_info) &&
         (!trailer->image_ok || write_byte(flash, area, IMAGE_OK_AT, SET)) &&
         flash_write(flash, area, end - MAGIC_AT, magic, sizeof magic);
}

bool trailer_set(const struct boot_flash *flash, enum boot_area area, enum trailer_flag flag) {
  return write_byte(flash, area, flag == TRAILER_COPY_DONE ? COPY_DONE_AT : IMAGE_OK_AT, SET);
}

static uint32_t record_at(const struct boot_flash *flash, uint32_t index) {
  return flash->areas[BOOT_PRIMARY].size_bytes - layout_trailer_bytes(flash, BOOT_PRIMARY) +
         index * flash->write_bytes;
}

bool trailer_set_record(const struct boot_flash *flash, uint32_t index) {
  const uint8_t set = SET;
  return write_field(flash, BOOT_PRIMARY, record_at(flash, index), &set, 1);
}

bool trailer_read_records(const struct boot_flash *flash, uint32_t most, uint32_t *count,
                          bool *sane) {
  bool follows = true;
  *count = 0;
  *sane = true;
  for (uint32_t index = 0; index < most; index++) {
    uint8_t record[FIELD_BYTES];
    if (!flash_read(flash, BOOT_PRIMARY, record_at(flash, index), record, flash->write_bytes)) {
      return false;
    }
    follows = follows && record[0] == SET;
    if (follows) (*count)++;
    *sane = *sane && is_sane(flash, record);
  }
  return true;
}
