import { add } from './elementwise';

const LANES: i32 = 4;

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
    let source: usize = from + ((<usize>load<i32>(froms)) << 2);
    let target: usize = to + ((<usize>load<i32>(tos)) << 2);
    let k: i32 = 0;
    for (; k + LANES <= block; k += LANES) {
      v128.store(target, v128.load(source));
      source += 16;
      target += 16;
    }
    for (; k < block; k++) {
      store<f32>(target, load<f32>(source));
      source += 4;
      target += 4;
    }
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
