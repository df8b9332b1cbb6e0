import test from 'ava';
import { innerAbort } from '../../src/core/index.ts';

test('the outer abort brings about the inner one, with its reason, and not the other way round', (t) => {
  const outer = new AbortController();
  const [followed, ended] = [innerAbort(outer.signal), innerAbort(outer.signal)];
  ended.abort();
  t.true(ended.signal.aborted);
  t.false(followed.signal.aborted || outer.signal.aborted);
  const reason = new Error('stop');
  outer.abort(reason);
  t.is(followed.signal.reason, reason);
  t.is(innerAbort(outer.signal).signal.reason, reason);
  t.false(innerAbort(undefined).signal.aborted);
});

test('nothing stays in the outer signal, and nobody is warned of many inner ones', (t) => {
  const listeners = new Set<unknown>();
  const outer = new AbortController().signal;
  const { addEventListener, removeEventListener } = outer;
  outer.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners.add(args[1]);
    addEventListener.apply(outer, args);
  };
  outer.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners.delete(args[1]);
    removeEventListener.apply(outer, args);
  };
  const warned: Error[] = [];
  const warn = (warning: Error): void => void warned.push(warning);
  process.on('warning', warn);
  t.teardown(() => process.off('warning', warn));
  const inner = Array.from({ length: 40 }, () => innerAbort(outer));
  t.is(listeners.size, 40);
  for (const { abort } of inner) abort();
  t.is(listeners.size, 0);
  t.deepEqual(warned, []);
});
