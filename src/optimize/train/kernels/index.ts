/**
 * The kernels of training, in AssemblyScript: TypeScript that becomes WebAssembly with vectors of four float32. Its
 * arithmetic is the same to the last bit on every processor, so that a training run gives the same file everywhere. The
 * caller owns the memory and passes addresses in bytes.
 */
export { addInside, addProduct, addScaled, multiply } from './arithmetic';
export { adamSteps, add, clamp, fakeQuantize, fillRows, maskOutside, sumRows } from './elementwise';
export { gemm, transpose } from './gemm';
export { addBlocks, copyBlocks } from './moves';
export { addColumnsToImage, depthwise, depthwiseBackward, imageToColumns } from './window';
