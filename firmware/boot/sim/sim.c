/**
 * Interrupts every flash operation of every upgrade, on boards of various slots, and, on the
 * smallest, every operation of what follows as well; then lets the device finish.
 *   boot-sim          all of that; prints how many interruptions there were
 *   boot-sim SECONDS  and after it random ones, many in a row, for so long
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim_life.h"

#define MAX_CUTS 8u
#define SECTORS(count, bytes) \
  { (count) * (bytes), bytes }

/* Each has one spare sector and its trailer: 432, 3120, 1584 and 816 bytes in whole sectors. */
static const struct sim_board boards[] = {
    {"1 byte, sectors of 512, slots of 6 and 5",
     1,
     {SECTORS(6, 512), SECTORS(5, 512), SECTORS(2, 512), SECTORS(2, 512), SECTORS(2, 64)}},
    {"8 bytes, sectors of 1024, slots of 7 and 8",
     8,
     {SECTORS(7, 1024), SECTORS(8, 1024), SECTORS(2, 1024), SECTORS(3, 1024), SECTORS(2, 1024)}},
    {"4 bytes, sectors of 256, slots of 16 and 20",
     4,
     {SECTORS(16, 256), SECTORS(20, 256), SECTORS(4, 256), SECTORS(3, 256), SECTORS(2, 256)}},
    {"2 bytes, sectors of 2048, slots of 4 and 3",
     2,
     {SECTORS(4, 2048), SECTORS(3, 2048), SECTORS(3, 1024), SECTORS(2, 1024), SECTORS(2, 128)}},
};
#define BOARD_COUNT (sizeof boards / sizeof *boards)

#define FIRMWARE(from, to) .old = &sim_firmware_##from, .new = &sim_firmware_##to
#define MODEL(from, to) .model = true, .old = &sim_model_##from, .new = &sim_model_##to
static const struct sim_upgrade upgrades[] = {
    {"firmware, test and confirm", FIRMWARE(1, 2), .confirm = true, .left = &sim_firmware_2},
    {"firmware, not confirmed", FIRMWARE(1, 2), .left = &sim_firmware_1},
    {"firmware, for good", FIRMWARE(1, 2), .permanent = true, .left = &sim_firmware_2},
    {"larger firmware, test and confirm", FIRMWARE(1, 3), .confirm = true, .left = &sim_firmware_3},
    {"larger firmware, not confirmed", FIRMWARE(1, 3), .left = &sim_firmware_1},
    {"smaller firmware, for good", FIRMWARE(3, 2), .permanent = true, .left = &sim_firmware_2},
    {"smaller firmware, not confirmed", FIRMWARE(3, 2), .left = &sim_firmware_3},
    {"firmware, a downgrade of a later version", FIRMWARE(1, old), .refused = BOOT_DOWNGRADE,
     .left = &sim_firmware_1},
    {"firmware, a downgrade by force", FIRMWARE(2, 1), .forced = true, .permanent = true,
     .refused = BOOT_DOWNGRADE, .left = &sim_firmware_2},
    {"firmware, forged", FIRMWARE(1, forged), .refused = BOOT_SIGNATURE, .left = &sim_firmware_1},
    {"firmware, forged, by force", FIRMWARE(1, forged), .forced = true, .refused = BOOT_SIGNATURE,
     .left = &sim_firmware_1},
    {"firmware of another key", FIRMWARE(1, foreign), .refused = BOOT_UNKNOWN_KEY,
     .left = &sim_firmware_1},
    {"firmware without its end", FIRMWARE(1, 3), .upload_bytes = 300, .forced = true,
     .refused = BOOT_TRUNCATED, .left = &sim_firmware_1},
    {"model, test and confirm", MODEL(1, 2), .confirm = true, .left = &sim_model_2},
    {"model, not confirmed", MODEL(1, 2), .left = &sim_model_1},
    {"model, dropped", MODEL(1, 2), .revert = true, .left = &sim_model_1},
    {"model, for good", MODEL(1, 2), .permanent = true, .left = &sim_model_2},
    {"the first model", .model = true, .new = &sim_model_2, .confirm = true, .left = &sim_model_2},
    {"the first model, not confirmed", .model = true, .new = &sim_model_2},
    {"model, a downgrade", MODEL(1, old), .refused = BOOT_DOWNGRADE, .left = &sim_model_1},
    {"model, a downgrade by force", MODEL(2, old), .forced = true, .refused = BOOT_DOWNGRADE,
     .left = &sim_model_2},
    {"model, forged, by force", MODEL(1, forged), .forced = true, .refused = BOOT_SIGNATURE,
     .left = &sim_model_1},
};
#define UPGRADE_COUNT (sizeof upgrades / sizeof *upgrades)

static struct sim_life start, once, twice;
static uint64_t single_points, double_points, random_points, failures;

static void copy(struct sim_life *to, const struct sim_life *from) {
  memcpy(to, from, offsetof(struct sim_life, sim));
  sim_flash_copy(&to->sim, &from->sim);
}

/** With the power on from now, until all is done. */
static void finish(struct sim_life *life, const struct sim_board *board, const char *where) {
  sim_flash_power_on(&life->sim);
  (void)sim_life_go_on(life);
  const char *wrong = sim_life_end(life);
  if (wrong == NULL) return;
  failures++;
  if (failures <= 20) {
    printf("%s; %s; %s: %s\n", life->upgrade->name, board->name, where, wrong);
  }
}

/** With power until operation `at`. @return false if that never came: all was done before */
static bool live_until(struct sim_life *life, uint32_t at, enum sim_tear tear) {
  sim_flash_power_on(&life->sim);
  life->sim.random = (life->sim.random + at) * 0x9e3779b1u | 1u;
  sim_flash_cut(&life->sim, at, tear);
  (void)sim_life_go_on(life);
  return life->sim.off;
}

/** What follows the cut of `once`, cut again in every operation. */
static void cut_again(const struct sim_board *board, const char *where) {
  for (uint32_t tear = 0; tear < SIM_TEARS; tear++) {
    for (uint32_t at = 0;; at++) {
      char both[96];
      copy(&twice, &once);
      if (!live_until(&twice, at, (enum sim_tear)tear)) break;
      (void)snprintf(both, sizeof both, "%s, then %u (%u)", where, at, tear);
      double_points++;
      finish(&twice, board, both);
    }
  }
}

static void cut_everywhere(const struct sim_board *board, const struct sim_upgrade *upgrade,
                           bool again) {
  sim_life_start(&start, board, upgrade);
  copy(&once, &start);
  finish(&once, board, "without a cut");
  for (uint32_t tear = 0; tear < SIM_TEARS; tear++) {
    for (uint32_t at = 0;; at++) {
      char where[48];
      copy(&once, &start);
      if (!live_until(&once, at, (enum sim_tear)tear)) break;
      (void)snprintf(where, sizeof where, "cut at %u (%u)", at, tear);
      single_points++;
      if (again) cut_again(board, where);
      finish(&once, board, where);
    }
  }
}

static void cut_randomly(uint32_t seed) {
  srand(seed);
  const struct sim_board *board = &boards[(uint32_t)rand() % BOARD_COUNT];
  const struct sim_upgrade *upgrade = &upgrades[(uint32_t)rand() % UPGRADE_COUNT];
  char where[32];
  (void)snprintf(where, sizeof where, "random %u", seed);
  sim_life_start(&once, board, upgrade);
  once.sim.random = seed | 1u;
  for (uint32_t cuts = 0; cuts < MAX_CUTS; cuts++) {
    const uint32_t at = (uint32_t)rand() % (cuts == 0 ? 100u : 40u);
    if (!live_until(&once, at, (enum sim_tear)(rand() % (int)SIM_TEARS))) break;
    random_points++;
  }
  finish(&once, board, where);
}

int main(int count, char **arguments) {
  for (uint32_t board = 0; board < BOARD_COUNT; board++) {
    for (uint32_t upgrade = 0; upgrade < UPGRADE_COUNT; upgrade++) {
      cut_everywhere(&boards[board], &upgrades[upgrade], board == 0);
    }
  }
  printf("%llu interruption points, %llu of two interruptions; %llu failed\n",
         (unsigned long long)(single_points + double_points), (unsigned long long)double_points,
         (unsigned long long)failures);
  if (count > 1) {
    const time_t end = time(NULL) + atoi(arguments[1]);
    for (uint32_t seed = (uint32_t)time(NULL); time(NULL) < end; seed++) cut_randomly(seed);
    printf("%llu random interruptions; %llu failed\n", (unsigned long long)random_points,
           (unsigned long long)failures);
  }
  return failures > 0;
}
