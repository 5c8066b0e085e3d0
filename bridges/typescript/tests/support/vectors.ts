import { readFileSync } from "node:fs";

const folder = new URL("../../../../protocol/vectors/", import.meta.url);

function load<Entry>(name: string): Entry[] {
  return JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Entry[];
}

export interface ValueVector {
  name: string;
  json: string;
  msgpack_hex: string;
  json_also?: string[];
  msgpack_also_hex?: string[];
  languages?: Record<string, string>;
}

export interface RefusedVector {
  name: string;
  encoding: "json" | "msgpack";
  text?: string;
  hex?: string;
  repeat?: { prefix: string; times: number; suffix: string };
  reason: string;
  path: string;
}

export interface FrameVector {
  name: string;
  direction: string;
  json: string;
  json_frame_hex: string;
  msgpack_frame_hex?: string;
  ignored?: boolean;
  malformed?: boolean;
}

export interface NatsVector {
  name: string;
  subject: string;
  headers: Record<string, string>;
  body_text?: string;
  body_hex?: string;
  frame?: string;
  refused?: string;
  dropped?: boolean;
}

export interface ErrorVector {
  name: string;
  json: string;
  msgpack_hex: string;
}

export const valueVectors = load<ValueVector>("values.json");
export const refusedVectors = load<RefusedVector>("refused.json");
export const frameVectors = load<FrameVector>("frames.json");
export const natsVectors = load<NatsVector>("nats.json");
export const errorVectors = load<ErrorVector>("errors.json");
