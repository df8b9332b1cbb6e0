import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  chooseVariant,
  type DelegateLibrary,
  describeDelegateLibrary,
  type EdgeTpu,
  findDelegate,
  findEdgeTpus,
  findNativeFiles,
  listDevices,
  useEdgeTpu,
} from '../../src/inference/index.ts';
import { compileStub, haveCompiler } from './stub-delegate/compile.ts';

const folder = mkdtempSync(join(tmpdir(), 'dunlin-edge-tpu-'));
test.after.always(() => rmSync(folder, { recursive: true }));
let count = 0;

/** A folder like /sys; paths and contents as Linux writes them. */
function sysfs(files: Readonly<Record<string, string>>): string {
  count += 1;
  const root = join(folder, `sys-${count}`);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const usb = (name: string, vendor: string, product: string): Record<string, string> => ({
  [`bus/usb/devices/${name}/idVendor`]: `${vendor}\n`,
  [`bus/usb/devices/${name}/idProduct`]: `${product}\n`,
});
const pci = (name: string, vendor: string, device: string): Record<string, string> => ({
  [`bus/pci/devices/${name}/vendor`]: `${vendor}\n`,
  [`bus/pci/devices/${name}/device`]: `${device}\n`,
});

test('Edge TPUs are found on USB, before and after they are programmed, and on PCI', (t) => {
  const root = sysfs({
    ...usb('1-2', '1a6e', '089a'),
    ...usb('2-1', '18d1', '9302'),
    ...usb('1-3', '046d', 'c52b'),
    'bus/usb/devices/1-2:1.0/bInterfaceNumber': '00\n',
    ...pci('0000:01:00.0', '0x1ac1', '0x089a'),
    ...pci('0000:00:02.0', '0x8086', '0x46a6'),
    'class/apex/apex_0/status': 'ALIVE\n',
  });
  t.deepEqual(findEdgeTpus(root), [
    { bus: 'usb', name: '1-2', driverLoaded: true },
    { bus: 'usb', name: '2-1', driverLoaded: true },
    { bus: 'pci', name: '0000:01:00.0', driverLoaded: true },
  ]);
  t.deepEqual(findEdgeTpus(sysfs(pci('0000:01:00.0', '0x1ac1', '0x089a'))), [
    { bus: 'pci', name: '0000:01:00.0', driverLoaded: false },
  ]);
  t.deepEqual(findEdgeTpus(join(folder, 'absent')), []);
});

const edgeTpus = fc.array(
  fc.record({
    bus: fc.constantFrom('usb' as const, 'pci' as const),
    name: fc.string(),
    driverLoaded: fc.boolean(),
  }),
  { maxLength: 3 },
);
const delegates = fc.constantFrom<(DelegateLibrary | undefined)[]>(
  undefined,
  { path: '/lib/libedgetpu.so.1', usable: true },
  { path: '/lib/libedgetpu.so.1', usable: false, reason: 'damaged' },
);

test('the edgetpu variant is chosen exactly when everything it needs is there', (t) => {
  fc.assert(
    fc.property(
      fc.boolean(),
      edgeTpus,
      delegates,
      fc.boolean(),
      (hasEdgeTpuVariant, tpus, delegate, lost) => {
        const choice = chooseVariant({ hasEdgeTpuVariant, edgeTpus: tpus, delegate, lost });
        const all =
          hasEdgeTpuVariant &&
          !lost &&
          tpus.some(({ driverLoaded }) => driverLoaded) &&
          delegate?.usable === true;
        t.is(choice.variant, all ? 'edgetpu' : 'cpu');
        t.is(choice.reason === 'edgetpu-present', all);
      },
    ),
  );
});

test('the reason for the cpu variant is the first thing that is missing', (t) => {
  const tpu: EdgeTpu = { bus: 'usb', name: '1-2', driverLoaded: true };
  const delegate: DelegateLibrary = { path: '/l', usable: true };
  const facts = { hasEdgeTpuVariant: true, edgeTpus: [tpu], delegate };
  const reason = (change: Partial<Parameters<typeof chooseVariant>[0]>): string =>
    chooseVariant({ ...facts, ...change }).reason;
  t.is(reason({}), 'edgetpu-present');
  t.is(reason({ hasEdgeTpuVariant: false }), 'edgetpu-no-variant');
  t.is(reason({ lost: true }), 'edgetpu-lost');
  t.is(reason({ edgeTpus: [] }), 'edgetpu-no-device');
  t.is(reason({ edgeTpus: [{ ...tpu, driverLoaded: false }] }), 'edgetpu-no-driver');
  t.is(reason({ delegate: undefined }), 'edgetpu-delegate-missing');
  t.is(
    reason({ delegate: { path: '/l', usable: false, reason: 'x' } }),
    'edgetpu-delegate-unusable',
  );
});

test('use of an Edge TPU names one only where there is a choice', (t) => {
  const delegate: DelegateLibrary = { path: '/l', usable: true };
  const first: EdgeTpu = { bus: 'pci', name: 'a', driverLoaded: false };
  const second: EdgeTpu = { bus: 'usb', name: 'b', driverLoaded: true };
  t.deepEqual(useEdgeTpu([second], delegate), { path: '/l' });
  t.deepEqual(useEdgeTpu([first, second], delegate), { path: '/l', option: ['device', 'usb'] });
  const error = t.throws(() => useEdgeTpu([first], delegate), { code: 'edgetpu-unavailable' });
  t.regex(error.message, /edgetpu-no-driver/);
});

test('a delegate library is looked for in order and checked without loading it', (t) => {
  const [empty, rubbish, foreign] = ['empty', 'rubbish', 'foreign'].map((name) => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  });
  writeFileSync(join(rubbish!, 'libedgetpu.so.1'), 'not a library');
  const { addonPath } = findNativeFiles();
  symlinkSync(addonPath, join(foreign!, 'libedgetpu.so.1'));
  t.is(findDelegate([empty!]), undefined);
  t.like(findDelegate([empty!, rubbish!, foreign!]), {
    path: join(rubbish!, 'libedgetpu.so.1'),
    usable: false,
    reason: 'not a shared library',
  });
  t.like(findDelegate([foreign!]), {
    usable: false,
    reason: 'no TFLite delegate: it does not export tflite_plugin_create_delegate',
  });
  t.like(findDelegate([], folder), { usable: false });
});

(haveCompiler() ? test : test.skip)(
  'a damaged library is told from a sound one (needs cc)',
  (t) => {
    const path = compileStub(folder, 'libsound.so');
    const sound = readFileSync(path);
    t.deepEqual(findDelegate([], path), { path, usable: true });
    t.is(describeDelegateLibrary(sound, process.arch), undefined);
    const other = process.arch === 'x64' ? 'arm64' : 'x64';
    t.regex(describeDelegateLibrary(sound, other) ?? '', /not for this processor/);
    t.is(
      describeDelegateLibrary(sound.subarray(0, sound.byteLength - 1000), process.arch),
      'a damaged shared library',
    );
    fc.assert(
      fc.property(fc.nat({ max: sound.byteLength - 1 }), fc.nat({ max: 255 }), (at, value) => {
        const mutated = Buffer.from(sound);
        mutated[at] = value;
        const reason = describeDelegateLibrary(mutated, process.arch);
        t.true(reason === undefined || reason.length > 0);
      }),
    );
  },
);

test('the device list names the processor and each Edge TPU with its reason', (t) => {
  const root = sysfs(usb('1-2', '1a6e', '089a'));
  const { devices, delegate } = listDevices({
    sysfsRoot: root,
    procRoot: '/proc',
    libraryFolders: [join(folder, 'nowhere')],
  });
  t.is(delegate, undefined);
  t.is(devices.length, 2);
  const [cpu, edgeTpu] = devices;
  t.true(cpu?.kind === 'cpu' && cpu.cores > 0 && cpu.model !== '');
  t.deepEqual(edgeTpu, {
    kind: 'edgetpu',
    bus: 'usb',
    name: '1-2',
    driverLoaded: true,
    usable: false,
    reason: 'edgetpu-delegate-missing',
  });
});

test('an Arm board is named by its device tree and its features by cpuinfo', (t) => {
  const proc = join(folder, 'proc');
  mkdirSync(join(proc, 'device-tree'), { recursive: true });
  writeFileSync(join(proc, 'cpuinfo'), 'processor\t: 0\nFeatures\t: fp asimd crc32 asimddp\n');
  writeFileSync(join(proc, 'device-tree/model'), 'Raspberry Pi 5 Model B Rev 1.0\0');
  const [cpu] = listDevices({ sysfsRoot: folder, procRoot: proc, libraryFolders: [] }).devices;
  t.like(cpu, { model: 'Raspberry Pi 5 Model B Rev 1.0', features: ['asimd', 'asimddp'] });
});
