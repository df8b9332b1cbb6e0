/**
 * Flash in memory, as strict as NOR flash: what would set a bit by a write, or is out of its
 * alignment or area, is a fault. Power may fail in any one operation, which then is done in part;
 * all after it fail, until sim_flash_power_on.
 */
#ifndef SIM_FLASH_H
#define SIM_FLASH_H

#include "../boot_flash.h"

#define SIM_NEVER UINT32_MAX
#define SIM_MAX_AREA_BYTES 8192u

/** What the operation that loses power has done of its bytes. */
enum sim_tear {
  SIM_PART,      /* the first ones */
  SIM_WORDS,     /* any of its aligned 8 bytes */
  SIM_SCATTERED, /* any of its bits */
  SIM_WHOLE,     /* all, but nobody was told */
  SIM_TEARS,
};

struct sim_flash {
  struct boot_flash flash;
  uint32_t operations; /* writes and erasures so far */
  uint32_t cut_at;     /* the operation that loses power, or SIM_NEVER */
  enum sim_tear tear;
  bool off;
  const char *fault;
  uint32_t random;
  uint8_t bytes[BOOT_AREAS][SIM_MAX_AREA_BYTES];
};

/** All erased. The geometry's areas are SIM_MAX_AREA_BYTES at most. */
void sim_flash_start(struct sim_flash *sim, uint32_t write_bytes,
                     const struct boot_geometry areas[BOOT_AREAS]);

/** Both become equal, without the bytes that no area has. */
void sim_flash_copy(struct sim_flash *to, const struct sim_flash *from);

/** Power fails in the operation `after` from now. */
void sim_flash_cut(struct sim_flash *sim, uint32_t after, enum sim_tear tear);

void sim_flash_power_on(struct sim_flash *sim);

/** Bytes of an image into erased flash, in parts, as an upload does. */
bool sim_flash_upload(struct sim_flash *sim, enum boot_area area, const uint8_t *bytes,
                      uint32_t size_bytes);

#endif
