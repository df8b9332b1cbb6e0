#include "layout.h"

#include "trailer.h"

/** Sums of sizes stay below 2^31. */
#define MAX_AREA_BYTES 0x40000000u
#define MAX_WRITE_BYTES 8u

static bool area_valid(const struct boot_flash *flash, enum boot_area area) {
  const struct boot_geometry *geometry = &flash->areas[area];
  const uint32_t sector_bytes = geometry->sector_bytes;
  return sector_bytes >= TRAILER_FIXED_BYTES && sector_bytes % flash->write_bytes == 0 &&
         geometry->size_bytes <= MAX_AREA_BYTES && geometry->size_bytes % sector_bytes == 0;
}

static bool may_be_absent(enum boot_area area) {
  return layout_is_model(area) || area == BOOT_RESETS;
}

bool layout_valid(const struct boot_flash *flash) {
  const uint32_t write_bytes = flash->write_bytes;
  if (write_bytes == 0 || write_bytes > MAX_WRITE_BYTES ||
      (write_bytes & (write_bytes - 1u)) != 0) {
    return false;
  }
  for (enum boot_area area = BOOT_PRIMARY; area < BOOT_AREAS; area++) {
    if (may_be_absent(area) && flash->areas[area].size_bytes == 0) continue;
    if (!area_valid(flash, area)) return false;
    if (area >= BOOT_COUNTERS) continue;
    if (flash->areas[area].size_bytes <= layout_trailer_bytes(flash, area)) return false;
    if (layout_trailer_start(flash, area) < flash->areas[area].sector_bytes) return false;
  }
  const uint32_t sector_bytes = flash->areas[BOOT_PRIMARY].sector_bytes;
  return flash->areas[BOOT_SECONDARY].sector_bytes == sector_bytes &&
         flash->areas[BOOT_COUNTERS].size_bytes == 2u * flash->areas[BOOT_COUNTERS].sector_bytes &&
         layout_capacity(flash, BOOT_PRIMARY) != 0;
}

uint32_t layout_trailer_bytes(const struct boot_flash *flash, enum boot_area area) {
  if (layout_is_model(area)) return TRAILER_FIXED_BYTES;
  return TRAILER_FIXED_BYTES + TRAILER_MAX_RECORDS * flash->write_bytes;
}

uint32_t layout_trailer_start(const struct boot_flash *flash, enum boot_area area) {
  const struct boot_geometry *geometry = &flash->areas[area];
  const uint32_t start = geometry->size_bytes - layout_trailer_bytes(flash, area);
  return start - start % geometry->sector_bytes;
}

uint32_t layout_capacity(const struct boot_flash *flash, enum boot_area area) {
  if (layout_is_model(area)) {
    return flash->areas[area].size_bytes != 0 ? layout_trailer_start(flash, area) : 0;
  }
  const uint32_t sector_bytes = flash->areas[BOOT_PRIMARY].sector_bytes;
  const uint32_t primary = layout_trailer_start(flash, BOOT_PRIMARY) - sector_bytes;
  const uint32_t secondary = layout_trailer_start(flash, BOOT_SECONDARY);
  const uint32_t most = BOOT_MAX_SECTORS * sector_bytes;
  const uint32_t less = primary < secondary ? primary : secondary;
  return less < most ? less : most;
}
