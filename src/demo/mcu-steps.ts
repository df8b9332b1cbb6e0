import type { McuState } from '../telemetry/index.ts';
import { Microcontroller } from './microcontroller.ts';
import {
  eventOf,
  failed,
  findEvent,
  PUBLISHER,
  reasonOf,
  type Step,
  type Tour,
  waitCommitted,
  waitFor,
  waitInferences,
} from './tour.ts';
import { MCU, MCU_MODEL } from './workshop.ts';

/** What the gateway runs itself by then. */
const GATEWAY_VERSION = '6';
const INFERENCES_WATCHED = 3;

export const MCU_STEPS: readonly Step[] = [
  {
    name: 'mcu-installed',
    title:
      'a microcontroller with erased flash is plugged in: firmware and model go over its serial line',
    run: async (tour) => {
      const { workshop, microcontroller } = tour;
      const cpu = workshop.example('v1/int8.tflite');
      await workshop.buildForMcu(PUBLISHER, '1.0.0', { cpu, firmware: Microcontroller.firmware });
      microcontroller.powerOn();
      await release(tour, '1.0.0');
      await committed(tour, '1.0.0');
      await inferences(tour, '1.0.0');
      return 'committed';
    },
  },
  {
    name: 'mcu-model-updated',
    title: 'its model is replaced by v2 while the firmware goes on: nothing resets',
    run: async (tour) => {
      const { workshop, view } = tour;
      const before = stateOf(tour)?.statistics?.resets;
      await workshop.buildForMcu(PUBLISHER, '2.0.0', { cpu: workshop.example('v2/int8.tflite') });
      await release(tour, '2.0.0');
      await committed(tour, '2.0.0');
      await inferences(tour, '2.0.0');
      const statistics = stateOf(tour)?.statistics;
      if (statistics?.resets !== before)
        throw failed(`${statistics?.resets} resets, not ${before}`);
      view.note(`${statistics?.lastUs} us an inference, ${statistics?.arenaBytes} B of arena`);
      return 'committed';
    },
  },
  {
    name: 'mcu-model-refused',
    title:
      'v3 does not give the outputs that its release promises: the device finds out and goes back',
    run: async (tour) => {
      const { workshop } = tour;
      await workshop.buildForMcu(PUBLISHER, '3.0.0', {
        cpu: await workshop.spoilt('v2/int8.tflite'),
        reference: workshop.example('v2/int8.tflite'),
      });
      await release(tour, '3.0.0');
      const event = await eventOf(tour, '3.0.0', ['update-refused']);
      await inferences(tour, '2.0.0');
      return reasonOf(event);
    },
  },
  {
    name: 'mcu-power-cut',
    title: 'power and line are cut in the midst of the upload of new firmware',
    run: async (tour) => {
      const { workshop, fleet, view, microcontroller } = tour;
      const cpu = workshop.example('v1/int8.tflite');
      await workshop.buildForMcu(PUBLISHER, '4.0.0', { cpu, firmware: Microcontroller.firmware });
      await release(tour, '4.0.0');
      await waitFor(tour, 'the upload', () => stateOf(tour)?.step === 'upload');
      await microcontroller.powerOff();
      await waitFor(tour, 'the loss', () => stateOf(tour)?.online === false);
      view.note(`cut; firmware ${stateOf(tour)?.running?.firmware?.version} is what it had last`);
      if (findEvent(fleet.events, '4.0.0', ['update-activated'])) throw failed('the cut was late');
      microcontroller.powerOn();
      await committed(tour, '4.0.0');
      const firmware = stateOf(tour)?.running?.firmware?.version;
      if (firmware !== '4.0.0') throw failed(`it runs firmware ${firmware}`);
      await inferences(tour, '4.0.0');
      return 'recovered';
    },
  },
];

const stateOf = ({ fleet }: Tour): McuState | undefined => fleet.state?.microcontrollers?.[MCU];

async function release({ workshop }: Tour, version: string): Promise<void> {
  await workshop.publish(PUBLISHER, version, MCU_MODEL);
  await workshop.assign(PUBLISHER, GATEWAY_VERSION, version);
}

function committed(tour: Tour, version: string): Promise<void> {
  return waitCommitted(tour, version, () => stateOf(tour)?.release.active);
}

/** Some more windows that the device has classified. */
function inferences(tour: Tour, version: string): Promise<void> {
  return waitInferences(
    ...([tour, `v${version} on the device`, INFERENCES_WATCHED] as const),
    ({ model, path }) => path === 'mcu' && model.version === version,
  );
}
