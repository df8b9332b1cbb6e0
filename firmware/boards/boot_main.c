/**
 * The bootloader: the firmware if there is any that may run; else it waits for a host that brings
 * some over the serial line, with SMP's groups of images and of the OS. It listens for a moment too
 * when firmware has crashed or hung: confirmed firmware that does so at once can be replaced.
 */
#include <stddef.h>

#include "../boot/counters.h"
#include "../smp/boot_error.h"
#include "../smp/image_group.h"
#include "../smp/os_group.h"
#include "device.h"

/** Without a request: for a minute where a host has asked for it, for seconds after a crash or a
 * hang, for ever where there is nothing to run. A board waits for some 40 ms. */
#define ASKED_PATIENCE_WAITS 1500u
#define CRASH_PATIENCE_WAITS 75u
#define PART_BYTES 64u

static void count_reset(const struct boot_flash *flash) {
  struct counters counters;
  if (flash->areas[BOOT_RESETS].size_bytes == 0) return;
  if (!counters_read(flash, BOOT_RESETS, &counters)) return;
  (void)counters_raise(flash, BOOT_RESETS, COUNTER_RESETS, counters.values[COUNTER_RESETS] + 1u);
}

/** Models are for the firmware, which soon runs. Where there is none, nobody knows of models. */
static struct smp_error answer_for_models(void *context, const struct smp_request *request,
                                          struct cbor_writer *answer) {
  (void)request;
  (void)answer;
  const struct image_group *images = context;
  return SMP_FAILED(images->runs ? SMP_BUSY : SMP_UNSUPPORTED);
}

/** Until a host has the device reset; or, if there is firmware to start, until so long no upload
 * has been under way. */
static void recover(const struct boot_device *device, bool runs, bool confirmed,
                    uint32_t patience_waits) {
  static struct smp smp;
  static struct image_group images;
  static struct os_group os = {.board = device_board,
                               .buffer_count = DEVICE_RECEIVE_BYTES / SMP_LINE_BYTES};
  static const struct smp_command commands[] = {
      {OS_GROUP, OS_RESET, true, os_group_reset, &os},
      {OS_GROUP, OS_PARAMETERS, false, os_group_parameters, &os},
      {OS_GROUP, OS_INFO, false, os_group_info, &os},
      {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &images},
      {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &images},
      {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &images},
      {MODEL_GROUP, MODEL_STATE, false, answer_for_models, &images},
  };
  images.device = device;
  images.runs = runs && confirmed; /* what is on trial is for itself to confirm */
  smp_start(&smp, commands, sizeof commands / sizeof *commands, device_send, NULL);
  bool quiet = false; /* a wait that a byte has ended does not count */
  for (uint32_t waits = 0; !runs || waits < patience_waits;) {
    uint8_t part[PART_BYTES];
    const uint32_t count = device_receive(part, sizeof part);
    smp_take(&smp, part, count);
    if (os.reset_asked) device_reset(os.recovery_asked);
    if (count == 0) {
      waits += quiet;
      device_wait();
    } else if (images.upload.known) {
      waits = 0;
    }
    quiet = count == 0;
  }
}

void boot_main(void) {
  const struct boot_device *device = device_boot();
  struct boot_firmware firmware;
  count_reset(device->flash);
  const bool runs = boot_start(device, &firmware) == BOOT_OK;
  uint32_t patience_waits = device_cause() >= DEVICE_WATCHDOG ? CRASH_PATIENCE_WAITS : 0;
  if (device_recovery_asked()) patience_waits = ASKED_PATIENCE_WAITS;
  recover(device, runs, firmware.confirmed, patience_waits);
  device_jump(&firmware.image);
}
