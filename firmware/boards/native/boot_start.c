/** The bootloader's main: the line comes with the power. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "device_native.h"

#define MAX_PATH_BYTES 4096u

/**
 * The terminal's own end stays open here, so that a host may come and go; and it is raw, lest it
 * echoes what is sent before a host has set it.
 * @return the pty's master
 */
static int open_line(const char *link_path) {
  const int line = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (line < 0 || grantpt(line) != 0 || unlockpt(line) != 0) native_fail("pty", strerror(errno));
  const char *terminal = ptsname(line);
  const int other = terminal == NULL ? -1 : open(terminal, O_RDWR | O_NOCTTY);
  struct termios settings;
  if (other < 0 || tcgetattr(other, &settings) != 0) native_fail("pty", strerror(errno));
  cfmakeraw(&settings);
  tcsetattr(other, TCSANOW, &settings);
  struct stat status;
  if (lstat(link_path, &status) == 0 && S_ISLNK(status.st_mode)) unlink(link_path);
  if (symlink(terminal, link_path) != 0) native_fail(link_path, strerror(errno));
  return line;
}

/** Both programs are run with these: the path of this one, which a reset needs, comes first. */
static char **with_own_path(char **arguments) {
  static char path[MAX_PATH_BYTES];
  const ssize_t count = readlink("/proc/self/exe", path, sizeof path - 1);
  if (count <= 0) native_fail("/proc/self/exe", strerror(errno));
  path[count] = '\0';
  arguments[0] = path;
  return arguments;
}

int main(int argument_count, char **arguments) {
  (void)argument_count;
  arguments = with_own_path(arguments);
  int line = -1;
  if (!native_has_line()) {
    struct native native = {0};
    native_parse(&native, arguments);
    line = open_line(native.link_path);
    native_forget();
  }
  native_start(line, arguments);
  boot_main();
}
