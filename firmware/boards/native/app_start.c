/** The firmware's main. */
#include "device_native.h"

int main(int argument_count, char **arguments) {
  (void)argument_count;
  native_start(-1, arguments);
  app_main();
}
