/** The firmware's main. */
#include "../device.h"
#include "device_start.h"
#include "symbols.h"

_Noreturn void main(void);

/** Constructors: of an engine in C++. */
void main(void) {
  device_paint_stack();
  for (void (*const *construct)(void) = __constructors_start; construct < __constructors_end;
       construct++) {
    (*construct)();
  }
  device_start();
  app_main();
}
