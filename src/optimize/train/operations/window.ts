import type { TfliteOperator } from '../../../tflite/index.ts';
import type { Region, TrainingMemory } from '../memory.ts';

/** schema.fbs, Padding.SAME */
const SAME = 0;

/** NHWC of an image and of the places that a window is put on. */
export interface WindowShape {
  readonly image: readonly number[];
  readonly places: readonly number[];
  readonly kernelH: number;
  readonly kernelW: number;
  readonly multiplier?: number;
}

export interface WindowPlan {
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly top: number;
  readonly left: number;
}

/** kernels/padding.h, ComputePadding: the smaller half comes first. */
export function windowPlan({ options }: TfliteOperator, shape: WindowShape): WindowPlan {
  const [strideH, strideW] = [Number(options['strideH']), Number(options['strideW'])];
  const dilationH = Number(options['dilationHFactor'] ?? 1);
  const dilationW = Number(options['dilationWFactor'] ?? 1);
  const before = (size: number, places: number, stride: number, reach: number): number =>
    options['padding'] === SAME
      ? Math.floor(Math.max((places - 1) * stride + reach - size, 0) / 2)
      : 0;
  const { image, places, kernelH, kernelW } = shape;
  return {
    strideH,
    strideW,
    dilationH,
    dilationW,
    top: before(image[1]!, places[1]!, strideH, (kernelH - 1) * dilationH + 1),
    left: before(image[2]!, places[2]!, strideW, (kernelW - 1) * dilationW + 1),
  };
}

/** The struct that `kernels/window.ts` reads, for so many images. */
export function windowStruct(
  memory: TrainingMemory,
  images: number,
  { image, places, kernelH, kernelW, multiplier = 1 }: WindowShape,
  plan: WindowPlan,
): Region {
  const [inH, inW, channels] = [image[1]!, image[2]!, image[3]!];
  const { strideH, strideW, dilationH, dilationW, top, left } = plan;
  return memory.integers(
    Int32Array.of(
      ...[images, inH, inW, channels, places[1]!, places[2]!, kernelH, kernelW],
      ...[strideH, strideW, dilationH, dilationW, top, left, multiplier],
    ),
  );
}
