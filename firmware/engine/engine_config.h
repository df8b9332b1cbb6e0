/**
 * Which kinds of steps an engine runs: -DENGINE_CONV_2D=0 leaves one out, so that the linker drops
 * its kernel; engine_open then refuses plans that have it.
 */
#ifndef ENGINE_CONFIG_H
#define ENGINE_CONFIG_H

#include "plan_format.h"

#ifndef ENGINE_CONV_2D
#define ENGINE_CONV_2D 1
#endif
#ifndef ENGINE_DEPTHWISE_CONV_2D
#define ENGINE_DEPTHWISE_CONV_2D 1
#endif
#ifndef ENGINE_FULLY_CONNECTED
#define ENGINE_FULLY_CONNECTED 1
#endif
#ifndef ENGINE_AVERAGE_POOL_2D
#define ENGINE_AVERAGE_POOL_2D 1
#endif
#ifndef ENGINE_MAX_POOL_2D
#define ENGINE_MAX_POOL_2D 1
#endif
#ifndef ENGINE_ADD
#define ENGINE_ADD 1
#endif
#ifndef ENGINE_SUB
#define ENGINE_SUB 1
#endif
#ifndef ENGINE_MUL
#define ENGINE_MUL 1
#endif
#ifndef ENGINE_LOOKUP
#define ENGINE_LOOKUP 1
#endif
#ifndef ENGINE_SOFTMAX
#define ENGINE_SOFTMAX 1
#endif
#ifndef ENGINE_MEAN
#define ENGINE_MEAN 1
#endif
#ifndef ENGINE_COPY
#define ENGINE_COPY 1
#endif
#ifndef ENGINE_FILL
#define ENGINE_FILL 1
#endif

/** Bit PLAN_X for each kind. */
#define ENGINE_KIND(name) ((uint32_t)ENGINE_##name << PLAN_##name)
#define ENGINE_KINDS                                                                               \
  (ENGINE_KIND(CONV_2D) | ENGINE_KIND(DEPTHWISE_CONV_2D) | ENGINE_KIND(FULLY_CONNECTED) |          \
   ENGINE_KIND(AVERAGE_POOL_2D) | ENGINE_KIND(MAX_POOL_2D) | ENGINE_KIND(ADD) | ENGINE_KIND(SUB) | \
   ENGINE_KIND(MUL) | ENGINE_KIND(LOOKUP) | ENGINE_KIND(SOFTMAX) | ENGINE_KIND(MEAN) |             \
   ENGINE_KIND(COPY) | ENGINE_KIND(FILL))

#endif
