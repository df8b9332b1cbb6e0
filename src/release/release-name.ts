import { DunlinError } from '../core/index.ts';
import { NAME_PATTERN, VERSION_PATTERN } from '../update/index.ts';

const NAME = new RegExp(NAME_PATTERN);
const VERSION = new RegExp(VERSION_PATTERN);

export interface ReleaseName {
  readonly model: string;
  readonly version: string;
}

/** @throws `input-invalid`: names become paths and topics */
export function checkReleaseName(model: string, version: string): ReleaseName {
  if (!NAME.test(model)) {
    throw invalid(
      `"${model}" is no model's name: lower-case letters, digits, _ and -, a letter or digit first`,
    );
  }
  if (!VERSION.test(version)) {
    throw invalid(
      `"${version}" is no version: letters and digits, and between them one of . + _ -`,
    );
  }
  return { model, version };
}

/** `motor/2` as people write it. @throws `input-invalid` */
export function parseReleaseName(text: string): ReleaseName {
  const [model = '', version, ...rest] = text.split('/');
  if (version === undefined || rest.length > 0) {
    throw invalid(`"${text}" is no release: write it as model/version`);
  }
  return checkReleaseName(model, version);
}

function invalid(message: string): DunlinError {
  return new DunlinError(message, { code: 'input-invalid' });
}
