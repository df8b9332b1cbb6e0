/** The firmware: whatever comes in over the serial line, until a reset is asked for. */
#include <stddef.h>

#include "../boards/device.h"
#include "app.h"

#define PART_BYTES 256u

void app_main(void) {
  static struct app app;
  app_start(&app, device_boot(), device_send, NULL);
  while (!app.os.reset_asked) {
    uint8_t part[PART_BYTES];
    const uint32_t count = device_receive(part, sizeof part);
    if (count == 0) device_wait();
    smp_take(&app.smp, part, count);
  }
  device_reset(app.os.recovery_asked);
}
