import type { AssignedTarget, Assignment } from '../update/index.ts';

/**
 * What the device should run, model by model: its own assignment outranks its groups', and of the groups the one
 * that the configuration names first. Models that no pipeline uses are left out.
 */
export function wantedTargets(
  assignments: readonly Assignment[],
  device: string,
  groups: readonly string[],
  models: readonly string[],
): Map<string, AssignedTarget> {
  const rank = ({ subject }: Assignment): number =>
    subject.kind === 'device' && subject.name === device ? -1 : groups.indexOf(subject.name);
  const wanted = new Map<string, AssignedTarget>();
  for (const assignment of [...assignments].sort((a, b) => rank(a) - rank(b))) {
    for (const target of assignment.targets) {
      if (models.includes(target.model) && !wanted.has(target.model)) {
        wanted.set(target.model, target);
      }
    }
  }
  return wanted;
}

/** How long to wait after the n-th failure in a row, n from 1: doubling, bounded. */
export function retryPauseMs(failures: number, minMs: number, maxMs: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
}
