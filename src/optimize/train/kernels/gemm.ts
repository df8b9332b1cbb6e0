/** Rows and columns whose sums stay in registers: four rows of two vectors. */
const ROWS: i32 = 4;
const COLUMNS: i32 = 8;
const LANES: i32 = 4;
/** So many floats of b are walked again and again before those after them: what a cache holds. */
const CACHED: i32 = 32768;
const LEAST_DEPTH: i32 = 16;

/** Address of the float at an index. */
function at(pointer: usize, index: i32): usize {
  return pointer + ((<usize>index) << 2);
}

/**
 * c[m, n] += a[m, k] b[k, n]. Rows of b and c are contiguous; a is read by strides, so that it may be a transposed
 * view. Strides are in floats. Each sum is added up in the order of k, whatever the shape.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  c: usize,
  cRow: i32,
): void {
  const ar: usize = (<usize>aRow) << 2;
  const ac: usize = (<usize>aColumn) << 2;
  const br: usize = (<usize>bRow) << 2;
  const cr: usize = (<usize>cRow) << 2;
  const most = max<i32>(CACHED / max<i32>(n, 1), LEAST_DEPTH);
  for (let p: i32 = 0; p < k; p += most) {
    const from: usize = <usize>p;
    const depth = min<i32>(most, k - p);
    addProducts(m, n, depth, a + from * ac, ar, ac, b + from * br, br, c, cr);
  }
}

/** Strides in bytes. */
function addProducts(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  ar: usize,
  ac: usize,
  b: usize,
  br: usize,
  c: usize,
  cr: usize,
): void {
  let i: i32 = 0;
  for (; i + ROWS <= m; i += ROWS) {
    const ai: usize = a + <usize>i * ar;
    const ci: usize = c + <usize>i * cr;
    let j: i32 = 0;
    for (; j + COLUMNS <= n; j += COLUMNS) fourByEight(k, ai, ar, ac, at(b, j), br, at(ci, j), cr);
    for (; j + LANES <= n; j += LANES) fourByFour(k, ai, ar, ac, at(b, j), br, at(ci, j), cr);
    for (let row: i32 = 0; row < ROWS; row++) {
      const from: usize = ai + <usize>row * ar;
      const to: usize = ci + <usize>row * cr;
      for (let rest: i32 = j; rest < n; rest++) one(k, from, ac, at(b, rest), br, at(to, rest));
    }
  }
  for (; i < m; i++) oneRow(n, k, a + <usize>i * ar, ac, b, br, c + <usize>i * cr);
}

function oneRow(n: i32, k: i32, a: usize, ac: usize, b: usize, br: usize, c: usize): void {
  let j: i32 = 0;
  for (; j + COLUMNS <= n; j += COLUMNS) oneByEight(k, a, ac, at(b, j), br, at(c, j));
  for (; j < n; j++) one(k, a, ac, at(b, j), br, at(c, j));
}

function fourByEight(
  k: i32,
  a: usize,
  ar: usize,
  ac: usize,
  b: usize,
  br: usize,
  c: usize,
  cr: usize,
): void {
  const c1: usize = c + cr;
  const c2: usize = c1 + cr;
  const c3: usize = c2 + cr;
  let s00 = v128.load(c);
  let s01 = v128.load(c, 16);
  let s10 = v128.load(c1);
  let s11 = v128.load(c1, 16);
  let s20 = v128.load(c2);
  let s21 = v128.load(c2, 16);
  let s30 = v128.load(c3);
  let s31 = v128.load(c3, 16);
  let a0: usize = a;
  let a1: usize = a0 + ar;
  let a2: usize = a1 + ar;
  let a3: usize = a2 + ar;
  for (let p: i32 = 0; p < k; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    s00 = f32x4.add(s00, f32x4.mul(x, b0));
    s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load32_splat(a1);
    s10 = f32x4.add(s10, f32x4.mul(x, b0));
    s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load32_splat(a2);
    s20 = f32x4.add(s20, f32x4.mul(x, b0));
    s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load32_splat(a3);
    s30 = f32x4.add(s30, f32x4.mul(x, b0));
    s31 = f32x4.add(s31, f32x4.mul(x, b1));
    a0 += ac;
    a1 += ac;
    a2 += ac;
    a3 += ac;
    b += br;
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
}

function fourByFour(
  k: i32,
  a: usize,
  ar: usize,
  ac: usize,
  b: usize,
  br: usize,
  c: usize,
  cr: usize,
): void {
  const c1: usize = c + cr;
  const c2: usize = c1 + cr;
  const c3: usize = c2 + cr;
  let s0 = v128.load(c);
  let s1 = v128.load(c1);
  let s2 = v128.load(c2);
  let s3 = v128.load(c3);
  for (let p: i32 = 0; p < k; p++) {
    const b0 = v128.load(b);
    s0 = f32x4.add(s0, f32x4.mul(v128.load32_splat(a), b0));
    s1 = f32x4.add(s1, f32x4.mul(v128.load32_splat(a + ar), b0));
    s2 = f32x4.add(s2, f32x4.mul(v128.load32_splat(a + 2 * ar), b0));
    s3 = f32x4.add(s3, f32x4.mul(v128.load32_splat(a + 3 * ar), b0));
    a += ac;
    b += br;
  }
  v128.store(c, s0);
  v128.store(c1, s1);
  v128.store(c2, s2);
  v128.store(c3, s3);
}

function oneByEight(k: i32, a: usize, ac: usize, b: usize, br: usize, c: usize): void {
  let s0 = v128.load(c);
  let s1 = v128.load(c, 16);
  for (let p: i32 = 0; p < k; p++) {
    const x = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b, 16)));
    a += ac;
    b += br;
  }
  v128.store(c, s0);
  v128.store(c, s1, 16);
}

function one(k: i32, a: usize, ac: usize, b: usize, br: usize, c: usize): void {
  let sum: f32 = load<f32>(c);
  for (let p: i32 = 0; p < k; p++) {
    sum += load<f32>(a) * load<f32>(b);
    a += ac;
    b += br;
  }
  store<f32>(c, sum);
}

/** to[columns, rows] = from[rows, columns] transposed. */
export function transpose(rows: i32, columns: i32, from: usize, to: usize): void {
  for (let row: i32 = 0; row < rows; row++) {
    for (let column: i32 = 0; column < columns; column++) {
      store<f32>(at(to, column * rows + row), load<f32>(at(from, row * columns + column)));
    }
  }
}
