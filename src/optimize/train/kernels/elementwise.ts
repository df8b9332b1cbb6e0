const LANES: i32 = 4;

/** to += from */
export function add(count: i32, from: usize, to: usize): void {
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
    from += 16;
    to += 16;
  }
  for (; i < count; i++) {
    store<f32>(to, load<f32>(to) + load<f32>(from));
    from += 4;
    to += 4;
  }
}

/** to = from. memory.copy costs a call, and most runs are short. */
export function copy(count: i32, from: usize, to: usize): void {
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
  for (; i < count; i++) {
    store<f32>(to, load<f32>(from));
    from += 4;
    to += 4;
  }
}

/** Every row becomes `row`: biases before the products are added. */
export function fillRows(rows: i32, columns: i32, row: usize, to: usize): void {
  const bytes: usize = (<usize>columns) << 2;
  for (let i: i32 = 0; i < rows; i++) {
    memory.copy(to, row, bytes);
    to += bytes;
  }
}

/** sums[columns] += all rows of from: the gradient of a bias. */
export function sumRows(rows: i32, columns: i32, from: usize, sums: usize): void {
  for (let i: i32 = 0; i < rows; i++) {
    add(columns, from, sums);
    from += (<usize>columns) << 2;
  }
}

/** values = min(max(values, low), high) */
export function clamp(count: i32, values: usize, low: f32, high: f32): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(values, f32x4.min(f32x4.max(v128.load(values), lows), highs));
    values += 16;
  }
  for (; i < count; i++) {
    store<f32>(values, min<f32>(max<f32>(load<f32>(values), low), high));
    values += 4;
  }
}

/** gradient = 0 wherever values is not strictly between low and high. */
export function maskOutside(count: i32, values: usize, gradient: usize, low: f32, high: f32): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    const x = v128.load(values);
    const inside = v128.and(f32x4.gt(x, lows), f32x4.lt(x, highs));
    v128.store(gradient, v128.and(v128.load(gradient), inside));
    values += 16;
    gradient += 16;
  }
  for (; i < count; i++) {
    const x = load<f32>(values);
    if (!(x > low && x < high)) store<f32>(gradient, 0);
    values += 4;
    gradient += 4;
  }
}

/**
 * to = scale * min(max(round(from / scale), low), high): what an int8 tensor would say, with its ends in steps from its
 * zero point. Halves round to the even step.
 */
export function fakeQuantize(
  count: i32,
  from: usize,
  to: usize,
  scale: f32,
  low: f32,
  high: f32,
): void {
  const perStep: f32 = 1 / scale;
  const perSteps = f32x4.splat(perStep);
  const scales = f32x4.splat(scale);
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    const steps = f32x4.nearest(f32x4.mul(v128.load(from), perSteps));
    v128.store(to, f32x4.mul(f32x4.min(f32x4.max(steps, lows), highs), scales));
    from += 16;
    to += 16;
  }
  for (; i < count; i++) {
    const steps = nearest<f32>(load<f32>(from) * perStep);
    store<f32>(to, min<f32>(max<f32>(steps, low), high) * scale);
    from += 4;
    to += 4;
  }
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1): from each gradient the step that it comes to, in its place. `rate` holds the
 * correction of both moments' bias: rate sqrt(1 - beta2^t) / (1 - beta1^t).
 */
export function adamSteps(
  count: i32,
  gradient: usize,
  mean: usize,
  square: usize,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
): void {
  for (let i: i32 = 0; i < count; i++) {
    const g: f32 = load<f32>(gradient);
    const m: f32 = beta1 * load<f32>(mean) + (1 - beta1) * g;
    const v: f32 = beta2 * load<f32>(square) + (1 - beta2) * g * g;
    store<f32>(mean, m);
    store<f32>(square, v);
    store<f32>(gradient, (-rate * m) / (sqrt<f32>(v) + epsilon));
    gradient += 4;
    mean += 4;
    square += 4;
  }
}
