#include "app.h"

#include "../boards/device.h"
#include "../engine/memory.h"

void app_start(struct app *app, const struct boot_device *device,
               void (*send)(void *context, const uint8_t *bytes, uint32_t size_bytes),
               void *context) {
  const struct smp_command commands[] = {
      {OS_GROUP, OS_ECHO, true, os_group_echo, &app->os},
      {OS_GROUP, OS_RESET, true, os_group_reset, &app->os},
      {OS_GROUP, OS_PARAMETERS, false, os_group_parameters, &app->os},
      {OS_GROUP, OS_INFO, false, os_group_info, &app->os},
      {OS_GROUP, OS_BOOTLOADER, false, os_group_bootloader, &app->os},
      {IMAGE_GROUP, IMAGE_STATE, false, image_group_state, &app->images},
      {IMAGE_GROUP, IMAGE_STATE, true, image_group_change_state, &app->images},
      {IMAGE_GROUP, IMAGE_UPLOAD, true, image_group_upload, &app->images},
      {IMAGE_GROUP, IMAGE_ERASE, true, image_group_erase, &app->images},
      {IMAGE_GROUP, IMAGE_SLOT_INFO, false, image_group_slot_info, &app->images},
      {MODEL_GROUP, MODEL_STATE, false, model_group_state, &app->model_group},
      {MODEL_GROUP, MODEL_STATE, true, model_group_change_state, &app->model_group},
      {MODEL_GROUP, MODEL_UPLOAD, true, model_group_upload, &app->model_group},
      {MODEL_GROUP, MODEL_SELF_TEST, true, model_group_self_test, &app->model_group},
      {MODEL_GROUP, MODEL_INFER, true, model_group_infer, &app->model_group},
      {MODEL_GROUP, MODEL_INFER, false, model_group_outputs, &app->model_group},
      {MODEL_GROUP, MODEL_STATISTICS, false, model_group_statistics, &app->model_group},
      {MODEL_GROUP, MODEL_ERASE, true, model_group_erase, &app->model_group},
      {MODEL_GROUP, MODEL_LOG, false, model_group_log, &app->model_group},
  };
  _Static_assert(sizeof commands / sizeof *commands == APP_COMMANDS, "APP_COMMANDS");
  memset(app, 0, sizeof *app);
  memcpy(app->commands, commands, sizeof commands);
  models_start(&app->models, device, &app->log);
  app->images = (struct image_group){.device = device, .runs = true};
  app->os = (struct os_group){.board = device_board,
                              .buffer_count = DEVICE_RECEIVE_BYTES / SMP_LINE_BYTES};
  app->model_group = (struct model_group){.models = &app->models, .smp = &app->smp};
  smp_start(&app->smp, app->commands, APP_COMMANDS, send, context);
}
