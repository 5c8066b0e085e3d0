export { ActivityContext } from "./activity_context.js";
export { PayloadError, type PayloadErrorReason } from "./codec/payload_error.js";
export {
  ApplicationError,
  type ApplicationErrorOptions,
  CancelledError,
  ConfigurationError,
  type StopReason,
} from "./errors.js";
export type { Logger } from "./logger.js";
export type { NatsOptions } from "./nats/nats_options.js";
export type { Failure } from "./protocol/error_document.js";
export { ProtocolError } from "./protocol/protocol_error.js";
export {
  type ActivityHandler,
  type ActivityOptions,
  Service,
  type ServiceOptions,
  service,
} from "./service.js";
export { Decimal } from "./values/decimal.js";
export { Duration } from "./values/duration.js";
export { Timestamp } from "./values/timestamp.js";
export { Uuid } from "./values/uuid.js";
