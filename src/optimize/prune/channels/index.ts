export {
  type ChannelClass,
  type ChannelPartition,
  channelClasses,
  type OperatorChannel,
  type TensorChannel,
} from './channel-classes.ts';
export {
  type ChannelChoice,
  type ChannelGoal,
  chooseChannels,
  DEFAULT_CHANNEL_MULTIPLE,
  DEFAULT_LEAST_SHARE,
} from './choose-channels.ts';
export { type RemovedChannels, removeDeadChannels } from './dead-channels.ts';
export { type MeanSquareOf, weightImportance } from './importance.ts';
export { removeChannels } from './remove-channels.ts';
