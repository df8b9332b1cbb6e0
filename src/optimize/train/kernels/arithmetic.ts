const LANES: i32 = 4;

/** to = a + factor b */
export function addScaled(count: i32, a: usize, b: usize, factor: f32, to: usize): void {
  const factors = f32x4.splat(factor);
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(to, f32x4.add(v128.load(a), f32x4.mul(factors, v128.load(b))));
    a += 16;
    b += 16;
    to += 16;
  }
  for (; i < count; i++) {
    store<f32>(to, load<f32>(a) + factor * load<f32>(b));
    a += 4;
    b += 4;
    to += 4;
  }
}

/** to = a b */
export function multiply(count: i32, a: usize, b: usize, to: usize): void {
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(to, f32x4.mul(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    to += 16;
  }
  for (; i < count; i++) {
    store<f32>(to, load<f32>(a) * load<f32>(b));
    a += 4;
    b += 4;
    to += 4;
  }
}

/** to += a b */
export function addProduct(count: i32, a: usize, b: usize, to: usize): void {
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    v128.store(to, f32x4.add(v128.load(to), f32x4.mul(v128.load(a), v128.load(b))));
    a += 16;
    b += 16;
    to += 16;
  }
  for (; i < count; i++) {
    store<f32>(to, load<f32>(to) + load<f32>(a) * load<f32>(b));
    a += 4;
    b += 4;
    to += 4;
  }
}

/** to += from wherever values is strictly between low and high: an activation's limits, backward. */
export function addInside(
  count: i32,
  values: usize,
  from: usize,
  to: usize,
  low: f32,
  high: f32,
): void {
  const lows = f32x4.splat(low);
  const highs = f32x4.splat(high);
  let i: i32 = 0;
  for (; i + LANES <= count; i += LANES) {
    const x = v128.load(values);
    const inside = v128.and(f32x4.gt(x, lows), f32x4.lt(x, highs));
    v128.store(to, f32x4.add(v128.load(to), v128.and(v128.load(from), inside)));
    values += 16;
    from += 16;
    to += 16;
  }
  for (; i < count; i++) {
    const x = load<f32>(values);
    if (x > low && x < high) store<f32>(to, load<f32>(to) + load<f32>(from));
    values += 4;
    from += 4;
    to += 4;
  }
}
