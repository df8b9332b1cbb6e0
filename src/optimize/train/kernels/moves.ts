import { add, copy } from './elementwise';

/** to[tos[i]] = from[froms[i]], blocks of floats whose first places the lists hold. */
export function copyBlocks(
  count: i32,
  block: i32,
  froms: usize,
  tos: usize,
  from: usize,
  to: usize,
): void {
  for (let i: i32 = 0; i < count; i++) {
    const source: usize = from + ((<usize>load<i32>(froms)) << 2);
    const target: usize = to + ((<usize>load<i32>(tos)) << 2);
    copy(block, source, target);
    froms += 4;
    tos += 4;
  }
}

/** As `copyBlocks`, but adds; places may be named more than once. */
export function addBlocks(
  count: i32,
  block: i32,
  froms: usize,
  tos: usize,
  from: usize,
  to: usize,
): void {
  for (let i: i32 = 0; i < count; i++) {
    const source: usize = from + ((<usize>load<i32>(froms)) << 2);
    const target: usize = to + ((<usize>load<i32>(tos)) << 2);
    if (block === 1) store<f32>(target, load<f32>(target) + load<f32>(source));
    else add(block, source, target);
    froms += 4;
    tos += 4;
  }
}
