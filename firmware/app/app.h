/** The application without its board's loop: models, and everything that the serial line may ask.
 */
#ifndef APP_H
#define APP_H

#include "../smp/image_group.h"
#include "../smp/os_group.h"
#include "model_group.h"

#define APP_COMMANDS 19u

struct app {
  struct log log;
  struct models models;
  struct image_group images;
  struct os_group os;
  struct model_group model_group;
  struct smp smp;
  struct smp_command commands[APP_COMMANDS];
};

/** As after a reset. The app has to stay where it is. */
void app_start(struct app *app, const struct boot_device *device,
               void (*send)(void *context, const uint8_t *bytes, uint32_t size_bytes),
               void *context);

#endif
