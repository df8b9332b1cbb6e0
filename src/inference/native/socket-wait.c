/*
 * Reads from a socket without sleeping, for a short while. Waking a sleeping process costs more than a small model's
 * inference, most of all on a machine that is otherwise idle, and Node has no read that asks first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#define NOTHING_YET (-1)

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* receive(fd, bytes, offset, spinUs): bytes read; 0 at the end of the stream or an error; -1 for nothing yet. */
static napi_value receive(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4];
  int32_t fd = -1;
  uint32_t offset = 0;
  int64_t spin_us = 0;
  void* data = NULL;
  size_t length = 0;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count != 4 ||
      napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
      napi_get_buffer_info(env, arguments[1], &data, &length) != napi_ok ||
      napi_get_value_uint32(env, arguments[2], &offset) != napi_ok || offset >= length ||
      napi_get_value_int64(env, arguments[3], &spin_us) != napi_ok) {
    napi_throw_type_error(env, NULL, "receive(fd, buffer, offset, spinUs)");
    return NULL;
  }
  const int64_t end_ns = now_ns() + spin_us * 1000;
  ssize_t got;
  do {
    got = recv(fd, (uint8_t*)data + offset, length - offset, MSG_DONTWAIT);
  } while (got < 0 && (errno == EAGAIN || errno == EINTR) && now_ns() < end_ns);
  napi_value result = NULL;
  const int32_t answer = got >= 0 ? (int32_t)got : errno == EAGAIN || errno == EINTR ? NOTHING_YET : 0;
  napi_create_int32(env, answer, &result);
  return result;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function = NULL;
  napi_create_function(env, "receive", NAPI_AUTO_LENGTH, receive, NULL, &function);
  napi_set_named_property(env, exports, "receive", function);
  return exports;
}
