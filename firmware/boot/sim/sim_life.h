/**
 * A device that lives through one upgrade: it starts, and whoever runs the upgrade goes on from
 * whatever it finds, until nothing is left to do. Power may fail in between at any time; what a
 * start finds, and what is there at the end, is checked.
 */
#ifndef SIM_LIFE_H
#define SIM_LIFE_H

#include "../boot.h"
#include "../counters.h"
#include "sim_flash.h"
#include "sim_images.h"

struct sim_board {
  const char *name;
  uint32_t write_bytes;
  struct boot_geometry areas[BOOT_AREAS];
};

/** What is done with the new image; of firmware, or of a model. */
struct sim_upgrade {
  const char *name;
  bool model;
  const struct sim_image *old; /* confirmed, its counter raised; NULL: no model yet */
  const struct sim_image *new;
  uint32_t upload_bytes; /* that an upload leaves out at the end */
  bool permanent;
  bool confirm; /* if it comes on test */
  bool revert;  /* a model on test is dropped without a reset */
  bool forced;  /* the request is written without a check, as broken firmware might */
  enum boot_status refused;
  const struct sim_image *left; /* running and confirmed at the end */
};

struct sim_life {
  const struct sim_upgrade *upgrade;
  struct counters least;
  uint32_t requests;
  bool may_raise;
  enum boot_status refused;
  const char *wrong; /* the first check that did not hold */
  struct sim_flash sim;
};

/** A device with the old image. */
void sim_life_start(struct sim_life *life, const struct sim_board *board,
                    const struct sim_upgrade *upgrade);

/** Starts it once and goes on until power fails or nothing is left to do. @return the latter */
bool sim_life_go_on(struct sim_life *life);

/** Of a device with nothing left to do. @return what is wrong, or NULL */
const char *sim_life_end(struct sim_life *life);

#endif
