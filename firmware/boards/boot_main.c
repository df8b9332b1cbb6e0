/**
 * The bootloader: the firmware if there is any that may run; else it waits for a host that brings
 * some over the serial line, with SMP's groups of images and of the OS.
 */
#include <stddef.h>

#include "../boot/counters.h"
#include "../smp/image_group.h"
#include "../smp/os_group.h"
#include "device.h"

/** For a recovery that was asked for, and nobody comes: some minute, as long as the board waits. */
#define RECOVERY_PATIENCE_WAITS 1500u
#define PART_BYTES 64u

static void count_reset(const struct boot_flash *flash) {
  struct counters counters;
  if (flash->areas[BOOT_RESETS].size_bytes == 0) return;
  if (!counters_read(flash, BOOT_RESETS, &counters)) return;
  (void)counters_raise(flash, BOOT_RESETS, COUNTER_RESETS, counters.values[COUNTER_RESETS] + 1u);
}

/** @param runs whether there is firmware to go back to */
static _Noreturn void recover(const struct boot_device *device, bool runs) {
  static struct smp smp;
  static struct image_group images;
  static struct os_group os;
  images = (struct image_group){.device = device, .runs = runs};
  os = (struct os_group){.board = device_board,
                         .target = device_target,
                         .buffer_count = DEVICE_RECEIVE_BYTES / SMP_LINE_BYTES};
  const struct smp_command commands[] = {
      {OS_GROUP, OS_RESET, true, os_group_reset, &os},
      {OS_GROUP, OS_PARAMETERS, false, os_group_parameters, &os},
      {OS_GROUP, OS_INFO, false, os_group_info, &os},
      {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &images},
      {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &images},
      {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &images},
  };
  smp_start(&smp, commands, sizeof commands / sizeof *commands, device_send, NULL);
  uint32_t waits = 0;
  while (!os.reset_asked && waits < RECOVERY_PATIENCE_WAITS) {
    uint8_t part[PART_BYTES];
    const uint32_t count = device_receive(part, sizeof part);
    smp_take(&smp, part, count);
    if (count > 0) continue;
    device_wait();
    if (runs && smp.requests == 0) waits++;
  }
  device_reset(os.recovery_asked);
}

void boot_main(void) {
  const struct boot_device *device = device_boot();
  struct boot_firmware firmware;
  count_reset(device->flash);
  const bool runs = boot_start(device, &firmware) == BOOT_OK;
  if (runs && !device_recovery_asked()) device_jump(&firmware.image);
  recover(device, runs);
}
