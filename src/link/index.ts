export { type Backoff, backoffMs } from './backoff.ts';
export {
  Link,
  type LinkOptions,
  type PublishOptions,
  type Subscription,
  type Will,
} from './link.ts';
export { Outbox, type OutboxOptions, type Payload, type Uplink } from './outbox.ts';
export { packetGuard } from './packet-guard.ts';
export {
  type ReadManyOptions,
  type ReadRetainedOptions,
  readRetained,
  readRetainedMany,
} from './retained.ts';
export type { BrokerAddress } from './socket.ts';
export type { LinkMessage, MessageHandler, Qos, SubscribeOptions } from './subscriptions.ts';
export { type FleetTopics, filterMatches, fleetTopics, type TopicSubject } from './topics.ts';
