import { addProduct } from './arithmetic';
import { add, copy } from './elementwise';

/**
 * A window that is put on places of an image: [batch, inH, inW, channels] to [batch, outH, outW, ...]. A struct of
 * int32 in memory, in this order, that `window.ts` beside this folder writes.
 */
const BATCH: usize = 0;
const IN_H: usize = 4;
const IN_W: usize = 8;
const CHANNELS: usize = 12;
const OUT_H: usize = 16;
const OUT_W: usize = 20;
const KERNEL_H: usize = 24;
const KERNEL_W: usize = 28;
const STRIDE_H: usize = 32;
const STRIDE_W: usize = 36;
const DILATION_H: usize = 40;
const DILATION_W: usize = 44;
const TOP: usize = 48;
const LEFT: usize = 52;
const MULTIPLIER: usize = 56;

/** A row of `columns` for each place, [batch outH outW, kernelH kernelW channels]; what lies outside the image is 0. */
export function imageToColumns(window: usize, image: usize, columns: usize): void {
  const channels = load<i32>(window + CHANNELS);
  const tapBytes: usize = (<usize>channels) << 2;
  const batch = load<i32>(window + BATCH);
  const outH = load<i32>(window + OUT_H);
  const outW = load<i32>(window + OUT_W);
  const kernelH = load<i32>(window + KERNEL_H);
  const kernelW = load<i32>(window + KERNEL_W);
  for (let b: i32 = 0; b < batch; b++) {
    for (let oy: i32 = 0; oy < outH; oy++) {
      for (let ox: i32 = 0; ox < outW; ox++) {
        for (let ky: i32 = 0; ky < kernelH; ky++) {
          for (let kx: i32 = 0; kx < kernelW; kx++) {
            const from = tap(window, b, oy, ox, ky, kx);
            if (from < 0) memory.fill(columns, 0, tapBytes);
            else copy(channels, image + ((<usize>from) << 2), columns);
            columns += tapBytes;
          }
        }
      }
    }
  }
}

/** Adds what `imageToColumns` would take back to where it came from. */
export function addColumnsToImage(window: usize, columns: usize, image: usize): void {
  const channels = load<i32>(window + CHANNELS);
  const tapBytes: usize = (<usize>channels) << 2;
  const batch = load<i32>(window + BATCH);
  const outH = load<i32>(window + OUT_H);
  const outW = load<i32>(window + OUT_W);
  const kernelH = load<i32>(window + KERNEL_H);
  const kernelW = load<i32>(window + KERNEL_W);
  for (let b: i32 = 0; b < batch; b++) {
    for (let oy: i32 = 0; oy < outH; oy++) {
      for (let ox: i32 = 0; ox < outW; ox++) {
        for (let ky: i32 = 0; ky < kernelH; ky++) {
          for (let kx: i32 = 0; kx < kernelW; kx++) {
            const to = tap(window, b, oy, ox, ky, kx);
            if (to >= 0) add(channels, columns, image + ((<usize>to) << 2));
            columns += tapBytes;
          }
        }
      }
    }
  }
}

/** DEPTHWISE_CONV_2D: out[place, c m + j] += image[place and tap, c] weights[tap, c m + j]. */
export function depthwise(window: usize, image: usize, weights: usize, out: usize): void {
  const channels = load<i32>(window + CHANNELS);
  const multiplier = load<i32>(window + MULTIPLIER);
  const rowBytes: usize = (<usize>(channels * multiplier)) << 2;
  const batch = load<i32>(window + BATCH);
  const outH = load<i32>(window + OUT_H);
  const outW = load<i32>(window + OUT_W);
  const kernelH = load<i32>(window + KERNEL_H);
  const kernelW = load<i32>(window + KERNEL_W);
  for (let b: i32 = 0; b < batch; b++) {
    for (let oy: i32 = 0; oy < outH; oy++) {
      for (let ox: i32 = 0; ox < outW; ox++) {
        let row = weights;
        for (let ky: i32 = 0; ky < kernelH; ky++) {
          for (let kx: i32 = 0; kx < kernelW; kx++) {
            const from = tap(window, b, oy, ox, ky, kx);
            if (from >= 0)
              addProducts(channels, multiplier, image + ((<usize>from) << 2), row, out);
            row += rowBytes;
          }
        }
        out += rowBytes;
      }
    }
  }
}

/** Gradients of `depthwise`, added to those of the image and of the weights. */
export function depthwiseBackward(
  window: usize,
  image: usize,
  weights: usize,
  outGradient: usize,
  imageGradient: usize,
  weightsGradient: usize,
): void {
  const channels = load<i32>(window + CHANNELS);
  const multiplier = load<i32>(window + MULTIPLIER);
  const rowBytes: usize = (<usize>(channels * multiplier)) << 2;
  const batch = load<i32>(window + BATCH);
  const outH = load<i32>(window + OUT_H);
  const outW = load<i32>(window + OUT_W);
  const kernelH = load<i32>(window + KERNEL_H);
  const kernelW = load<i32>(window + KERNEL_W);
  for (let b: i32 = 0; b < batch; b++) {
    for (let oy: i32 = 0; oy < outH; oy++) {
      for (let ox: i32 = 0; ox < outW; ox++) {
        let row: usize = 0;
        for (let ky: i32 = 0; ky < kernelH; ky++) {
          for (let kx: i32 = 0; kx < kernelW; kx++) {
            const from = tap(window, b, oy, ox, ky, kx);
            if (from >= 0) {
              const pixel = (<usize>from) << 2;
              addProducts(channels, multiplier, image + pixel, outGradient, weightsGradient + row);
              addSums(channels, multiplier, outGradient, weights + row, imageGradient + pixel);
            }
            row += rowBytes;
          }
        }
        outGradient += rowBytes;
      }
    }
  }
}

/** Index of the first channel that a tap reads at a place; -1 outside the image. */
function tap(window: usize, b: i32, oy: i32, ox: i32, ky: i32, kx: i32): i32 {
  const inH = load<i32>(window + IN_H);
  const inW = load<i32>(window + IN_W);
  const stepY = ky * load<i32>(window + DILATION_H) - load<i32>(window + TOP);
  const stepX = kx * load<i32>(window + DILATION_W) - load<i32>(window + LEFT);
  const y = oy * load<i32>(window + STRIDE_H) + stepY;
  const x = ox * load<i32>(window + STRIDE_W) + stepX;
  if (y < 0 || y >= inH || x < 0 || x >= inW) return -1;
  return ((b * inH + y) * inW + x) * load<i32>(window + CHANNELS);
}

/** out[c m + j] += pixel[c] row[c m + j] */
function addProducts(channels: i32, multiplier: i32, pixel: usize, row: usize, out: usize): void {
  if (multiplier === 1) {
    addProduct(channels, pixel, row, out);
    return;
  }
  for (let c: i32 = 0; c < channels; c++) {
    const x = load<f32>(pixel);
    for (let j: i32 = 0; j < multiplier; j++) {
      store<f32>(out, load<f32>(out) + x * load<f32>(row));
      row += 4;
      out += 4;
    }
    pixel += 4;
  }
}

/** pixel[c] += sum over j of gradient[c m + j] row[c m + j] */
function addSums(channels: i32, multiplier: i32, gradient: usize, row: usize, pixel: usize): void {
  if (multiplier === 1) {
    addProduct(channels, gradient, row, pixel);
    return;
  }
  for (let c: i32 = 0; c < channels; c++) {
    let sum = load<f32>(pixel);
    for (let j: i32 = 0; j < multiplier; j++) {
      sum += load<f32>(gradient) * load<f32>(row);
      row += 4;
      gradient += 4;
    }
    store<f32>(pixel, sum);
    pixel += 4;
  }
}
