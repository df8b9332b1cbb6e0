/** Signed images; their bytes are made by make-images.mjs when this is built. */
#ifndef SIM_IMAGES_H
#define SIM_IMAGES_H

#include <stdint.h>

/** The first signs nothing. */
#define SIM_KEY_COUNT 2u

struct sim_image {
  const char *name;
  const uint8_t *bytes;
  uint32_t size_bytes;
  uint32_t counter;
  uint8_t major; /* of its version, by which it is known */
};

extern const uint8_t sim_keys[SIM_KEY_COUNT][32];

extern const struct sim_image sim_firmware_1, sim_firmware_2, sim_firmware_3, sim_firmware_old;
extern const struct sim_image sim_model_1, sim_model_2, sim_model_old;
/** Signed by another key than the one that they name; by another and naming it. */
extern const struct sim_image sim_firmware_forged, sim_firmware_foreign, sim_model_forged;

#endif
