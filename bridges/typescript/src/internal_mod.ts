// What tests and tools of this repository use beyond the public module. No promise is made for it.
export {
  decodeDocument,
  decodePayload,
  type Encoding,
  encodeDocument,
  encodePayload,
  type Fields,
} from "./codec/codec.js";
export { documentDepthLimit } from "./codec/limits.js";
export { Walk } from "./codec/walk.js";
export { readControl } from "./protocol/control.js";
export type { ErrorDocument } from "./protocol/error_document.js";
export { readFailure } from "./protocol/error_document.js";
export { FieldError, requiredText } from "./protocol/field.js";
export type { Reply, ReplyChannel } from "./protocol/reply.js";
export { readTask, type Task } from "./protocol/task.js";
export { frameDocument, frameReply } from "./stdio/frame.js";
export { FrameSplitter, frameLimit } from "./stdio/frame_splitter.js";
export { describeError, encodeError } from "./worker/describe_error.js";
export { HeartbeatGate } from "./worker/heartbeat_gate.js";
export { Pace } from "./worker/pace.js";
export { ReplyCache } from "./worker/reply_cache.js";
export { type Handler, TaskRunner } from "./worker/task_runner.js";
