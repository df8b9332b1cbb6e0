/** The bootloader's main. */
#include "../device.h"
#include "device_start.h"

_Noreturn void main(void);

void main(void) {
  device_note_cause();
  device_start();
  boot_main();
}
