/** The firmware: models, and whatever the serial line asks for. */
#include <stddef.h>

#include "../boards/device.h"
#include "../smp/boot_error.h"
#include "../smp/image_group.h"
#include "../smp/os_group.h"
#include "model_group.h"

#define PART_BYTES 256u

void app_main(void) {
  static struct log log;
  static struct models models;
  static struct smp smp;
  static struct image_group images;
  static struct os_group os;
  static struct model_group model_group;
  const struct boot_device *device = device_boot();

  models_start(&models, device, &log);
  images = (struct image_group){.device = device, .runs = true};
  os = (struct os_group){.board = device_board,
                         .buffer_count = DEVICE_RECEIVE_BYTES / SMP_LINE_BYTES};
  model_group = (struct model_group){.models = &models, .smp = &smp};
  const struct smp_command commands[] = {
      {OS_GROUP, OS_ECHO, true, os_group_echo, &os},
      {OS_GROUP, OS_RESET, true, os_group_reset, &os},
      {OS_GROUP, OS_PARAMETERS, false, os_group_parameters, &os},
      {OS_GROUP, OS_INFO, false, os_group_info, &os},
      {OS_GROUP, OS_BOOTLOADER, false, os_group_bootloader, &os},
      {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &images},
      {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &images},
      {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &images},
      {IMAGE_GROUP, IMAGE_ERASE, true, image_group_erase, &images},
      {IMAGE_GROUP, IMAGE_SLOT_INFO, false, image_group_slot_info, &images},
      {MODEL_GROUP, MODEL_STATE, false, model_group_state, &model_group},
      {MODEL_GROUP, MODEL_STATE, true, model_group_change_state, &model_group},
      {MODEL_GROUP, MODEL_UPLOAD, true, model_group_upload, &model_group},
      {MODEL_GROUP, MODEL_SELF_TEST, true, model_group_self_test, &model_group},
      {MODEL_GROUP, MODEL_INFER, true, model_group_infer, &model_group},
      {MODEL_GROUP, MODEL_INFER, false, model_group_outputs, &model_group},
      {MODEL_GROUP, MODEL_STATISTICS, false, model_group_statistics, &model_group},
      {MODEL_GROUP, MODEL_ERASE, true, model_group_erase, &model_group},
      {MODEL_GROUP, MODEL_LOG, false, model_group_log, &model_group},
  };
  smp_start(&smp, commands, sizeof commands / sizeof *commands, device_send, NULL);
  while (!os.reset_asked) {
    uint8_t part[PART_BYTES];
    const uint32_t count = device_receive(part, sizeof part);
    if (count == 0) device_wait();
    smp_take(&smp, part, count);
  }
  device_reset(os.recovery_asked);
}
