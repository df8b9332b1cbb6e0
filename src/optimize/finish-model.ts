import { DunlinError } from '../core/index.ts';
import {
  parseModel,
  repackModel,
  serializeModel,
  type TfliteModel,
  verifyModel,
} from '../tflite/index.ts';

/**
 * The bytes of a model that was made here: repacked, and verified as if it had come from outside.
 * @throws `model-unsupported` where the verifier refuses it; nothing that it refuses is ever written
 */
export function finishModel(model: TfliteModel, what: string): Uint8Array {
  const bytes = serializeModel(repackModel(model));
  try {
    verifyModel(parseModel(bytes, what), what);
  } catch (cause) {
    if (!(cause instanceof DunlinError)) throw cause;
    throw new DunlinError(
      `${cause.message}; this is what quantizing made of the model: it cannot be used`,
      { code: 'model-unsupported', cause },
    );
  }
  return bytes;
}
