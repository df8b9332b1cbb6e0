/** The numbers of an execution plan: firmware/engine/plan_format.h, docs/plan-format.md. */

/** "DPLN" */
export const PLAN_MAGIC = 0x4e4c5044;
export const PLAN_VERSION = 1;
/** The CRC-32 covers the bytes from here on. */
export const PLAN_CRC_START = 16;
/** The SHA-256 covers the bytes from here on. */
export const PLAN_SHA256_START = 48;
/** With this bit a place is an offset in the plan itself, without it one in the arena. */
export const PLAN_PLACE_CONSTANT = 0x80000000;

export const PLAN_MAX_RANK = 6;
export const PLAN_COPY_RANK = 4;
/** What an arena, a plan or a tensor may have. */
export const PLAN_MAX_BYTES = 0x10000000;
/** Structures, and most constants, start at a multiple of this. */
export const PLAN_ALIGNMENT = 4;

export const PLAN_HEADER_BYTES = 68;
export const PLAN_IO_BYTES = 44;
/** Of what every step begins with. */
export const PLAN_STEP_BYTES = 8;

/** One multiplier and shift for all channels, not one for each. */
export const PLAN_SHARED_MULTIPLIER = 1;
/** The compiler has shown that every shift is -22 to -1 and every sum within 2^30. */
export const PLAN_NARROW_SUMS = 2;
/** Of PAIRS: the compiler has shown that no high row's sum of products leaves 24 bits. */
export const PLAN_UNBROKEN_SUMS = 4;

export const PLAN_TARGETS = ['NATIVE', 'CORTEX_M0', 'CORTEX_M4', 'CORTEX_M55'] as const;
/** What a plan was compiled for: for people, since every engine runs every plan. */
export type PlanTarget = (typeof PLAN_TARGETS)[number];

export const PLAN_LAYOUTS = ['DENSE', 'PAIRS', 'RUNS'] as const;
/** How weights lie; see weights.ts. */
export type PlanLayout = (typeof PLAN_LAYOUTS)[number];

export const PLAN_KINDS = {
  CONV_2D: 1,
  DEPTHWISE_CONV_2D: 2,
  FULLY_CONNECTED: 3,
  AVERAGE_POOL_2D: 4,
  MAX_POOL_2D: 5,
  ADD: 6,
  SUB: 7,
  MUL: 8,
  LOOKUP: 9,
  SOFTMAX: 10,
  MEAN: 11,
  COPY: 12,
  FILL: 13,
} as const;
export type PlanKind = keyof typeof PLAN_KINDS;

/** Shifts of multipliers: what `fixed_multiply` of firmware/engine/fixed_point.h takes. */
export const PLAN_MIN_SHIFT = -31;
export const PLAN_MAX_SHIFT = 30;
/** Shifts and sums of a step with PLAN_NARROW_SUMS. */
export const PLAN_NARROW_MIN_SHIFT = -22;
export const PLAN_NARROW_MAX_SHIFT = -1;
export const PLAN_NARROW_MAX_SUM = 2 ** 30;
/** Products of a high row with PLAN_UNBROKEN_SUMS sum up to less than this, whatever the inputs. */
export const PLAN_UNBROKEN_MAX_SUM = 2 ** 23;

export const LOOKUP_TABLE_BYTES = 256;
