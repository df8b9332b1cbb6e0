import { DunlinError } from '../../core/index.ts';
import type { CompiledPlan } from '../compile/compile.ts';
import type { BoardProfile } from './profile.ts';

/** What the engine with all its kinds of steps takes at most (docs/PERFORMANCE.md has what it takes). */
export const ENGINE_FLASH_BYTES = 24 * 1024;
/** Its stack at most, beside a few bytes of state. */
export const ENGINE_STACK_BYTES = 1024;

/** @throws DunlinError model-too-large, with the numbers, for a plan that a board has no room for */
export function requireRoom(
  { bytes, arenaBytes }: Pick<CompiledPlan, 'bytes' | 'arenaBytes'>,
  board: BoardProfile,
  what: string,
): void {
  const needs = [
    ['flash', bytes.length, ENGINE_FLASH_BYTES, 'the engine', board.flashBytes],
    ['RAM', arenaBytes, ENGINE_STACK_BYTES, 'its stack', board.ramBytes],
  ] as const;
  const problems = needs.flatMap(([kind, own, beside, whose, has]) =>
    own + beside <= has
      ? []
      : [`${own} bytes of ${kind} and ${beside} for ${whose}; it has ${has}`],
  );
  if (problems.length === 0) return;
  throw new DunlinError(`${what}: does not fit on ${board.name}: ${problems.join('; ')}`, {
    code: 'model-too-large',
  });
}
