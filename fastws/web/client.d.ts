// Types of client.js. What clients send is in messages.d.ts, which is made of the server's declarations.
import type { CloseCode, Endpoint, ErrorCode, Messages } from "./messages.js";
export type { CloseCode, Endpoint, ErrorCode, Messages };

/** An `error` of the server, or NOT_CONNECTED or TIMEOUT of the client's own. */
export class RequestError extends Error {
  code: ErrorCode | "NOT_CONNECTED" | "TIMEOUT" | (string & {});
  said: Said;
}
export class BadFrame extends Error {}
export class OutOfStep extends Error {}

export interface Said { type: string; timestamp?: string; channel?: string; id?: number | string; [field: string]: unknown }
export interface State {
  name: "connecting" | "live" | "waiting" | "stopped";
  reason: string;
  until: number;
  user: { wallet_address: string; role: string } | null;
  latency: number | null;
  older: boolean;
}

export interface Options {
  auth?: "none" | "cookie" | (() => Promise<string>);
  tokenUrl?: string;
  olderUrl?: string;
  enabled?: boolean;
  failures?: number;
  returnAfterMs?: number;
  storage?: Pick<Storage, "getItem"> | null;
}

export interface TableOptions {
  rows?: string[];
  maxRateMs?: number;
  hidden?: "slow" | "pause" | "same";
  hiddenRateMs?: number;
  format?: "binary" | "json";
}
export interface TableEvents {
  rows?(ids: Int32Array, copy: TableCopy): void;
  confirmed?(said: Said, table: Table): void;
  repair?(reason: string): void;
  ended?(said: Said): void;
}
export interface Table {
  readonly channel: string;
  readonly rows: string[] | null;
  copy: TableCopy | null;
  channelId: number | null;
  unknown: string[];
  repairs: number;
  recovered: boolean | null;
  value(key: string, column: string | number): number | string | undefined;
  follow(rows: string[] | null): void;
}
export class TableCopy {
  readonly names: string[];
  readonly width: number;
  readonly size: number;
  epoch: number;
  tick: number;
  partial: boolean;
  lost: boolean;
  skipped: number;
  numbers: Float64Array;
  exponents: Int8Array;
  keys: Map<number, string>;
  ids: Map<string, number>;
  value(id: number, column: string | number): number | string | undefined;
  cell(id: number, column: number): [number, number] | number | string;
  checksum(): number;
}

export interface StreamEvents {
  message?(said: Said): void;
  gap?(missing: { from: number; to: number | null; epoch: number }): void;
  confirmed?(said: Said): void;
  ended?(said: Said): void;
}
export interface Stream { readonly channel: string; epoch: number; offset: number | null; recovered: boolean | null }

export class Client<E extends Endpoint = Endpoint> {
  constructor(url: string, options?: Options);
  readonly state: State;
  start(token?: string): this;
  stop(): void;
  on(type: "state", listener: (state: State) => void): () => void;
  on(type: "traffic", listener: (bytes: number) => void): () => void;
  on(type: "broken", listener: (reason: string) => void): () => void;
  on(type: string, listener: (said: Said) => void): () => void;
  send(message: Messages[E]): void;
  sendBinary(buffer: ArrayBuffer | ArrayBufferView): void;
  request(message: Messages[E], options?: { timeoutMs?: number }): Promise<Said>;
  table(channel: string, options?: TableOptions, on?: TableEvents): Table;
  stream(channel: string, on?: StreamEvents): Stream;
  leave(channel: string): void;
}

export class Decimal {
  constructor(units: bigint | number, exponent?: number);
  static parse(text: string): Decimal;
  readonly units: bigint;
  readonly exponent: number;
  plus(other: Decimal): Decimal;
  minus(other: Decimal): Decimal;
  times(other: Decimal): Decimal;
  compare(other: Decimal): -1 | 0 | 1;
  toNumber(): number;
  toString(): string;
}
export type Amount = string | Decimal | { units: bigint | number; decimals: number };
export function valueOf(copy: TableCopy, holdings: Iterable<[string, Amount]>, column?: string): { total: Decimal; parts: Map<string, Decimal>; unpriced: string[] };
export function advice(code: CloseCode | number, reason?: string): "done" | "reconnect" | "reconnect_later" | "fall_back" | "new_token" | "stop";
export const FLAG: "use_websocket_v2";
export function askFlag(fetch: typeof globalThis.fetch, url: string, otherwise?: boolean): Promise<boolean>;
