/**
 * Hooks of Node's loader (`module.register`). tfjs-core's entry for Node knows no gradients: they are registered by a
 * module for bundlers, with imports that lack an extension in a package that does not call itself one of modules. What
 * it registers lands in registries that all copies of tfjs-core in a process share.
 */
import type { LoadHook, ResolveHook } from 'node:module';

const INSIDE = '/node_modules/@tensorflow/tfjs-core/dist/';
const ENTRY = 'tf-core.node.js';

export const resolve: ResolveHook = (specifier, context, next) => {
  const isOwn = context.parentURL?.includes(INSIDE) === true && specifier.startsWith('.');
  return next(isOwn && !specifier.endsWith('.js') ? `${specifier}.js` : specifier, context);
};

export const load: LoadHook = (url, context, next) =>
  next(
    url,
    url.includes(INSIDE) && !url.endsWith(ENTRY) ? { ...context, format: 'module' } : context,
  );
