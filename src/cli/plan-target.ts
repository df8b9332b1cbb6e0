import type { PlanTarget } from '../plan/index.ts';

/** As the command line and board profiles write them. */
export const PLAN_TARGET_NAMES = ['native', 'cortex-m0', 'cortex-m4', 'cortex-m55'] as const;
export type PlanTargetName = (typeof PLAN_TARGET_NAMES)[number];

const TARGETS: Readonly<Record<PlanTargetName, PlanTarget>> = {
  native: 'NATIVE',
  'cortex-m0': 'CORTEX_M0',
  'cortex-m4': 'CORTEX_M4',
  'cortex-m55': 'CORTEX_M55',
};

export const planTarget = (name: PlanTargetName): PlanTarget => TARGETS[name];
