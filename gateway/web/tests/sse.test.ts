import { describe, expect, it } from "vitest";

import { type Message, readMessages } from "../src/qa/sse";

function stream(pieces: Uint8Array[], failAtEnd = false): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      if (failAtEnd) controller.error(new TypeError("network error"));
      else controller.close();
    },
  });
}

async function all(pieces: Uint8Array[]): Promise<Message[]> {
  const found: Message[] = [];
  for await (const message of readMessages(stream(pieces))) found.push(message);
  return found;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const WIRE =
  'id: 1\nevent: start\ndata: {"a":"一"}\n\n: keep-alive\n\nid: 2\nevent: sentence\ndata: 社会\ndata: 保险\n\n';
const EXPECTED: Message[] = [
  { id: "1", event: "start", data: '{"a":"一"}' },
  { id: "2", event: "sentence", data: "社会\n保险" },
];

describe("readMessages", () => {
  it("reads events, joins data lines and drops comments", async () => {
    expect(await all([bytes(WIRE)])).toEqual(EXPECTED);
  });

  it("gives the same whatever the pieces, inside a character too", async () => {
    const whole = bytes(WIRE);
    for (let size = 1; size <= 7; size++) {
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < whole.length; at += size) pieces.push(whole.slice(at, at + size));
      expect(await all(pieces)).toEqual(EXPECTED);
    }
  });

  it("accepts every line ending", async () => {
    for (const ending of ["\r\n", "\r"]) {
      const wire = bytes(WIRE.replaceAll("\n", ending) + (ending === "\r" ? ": end" : ""));
      const pieces = Array.from(wire, (_, at) => wire.slice(at, at + 1));
      expect(await all(pieces)).toEqual(EXPECTED);
    }
  });

  it("drops a message that the connection cut off", async () => {
    expect(await all([bytes(WIRE + "id: 3\nevent: done\ndata: {}\n")])).toEqual(EXPECTED);
  });

  it("lets a broken connection be seen", async () => {
    const read = async (): Promise<void> => {
      for await (const _ of readMessages(stream([bytes("id: 1\n")], true)));
    };
    await expect(read()).rejects.toThrow("network error");
  });
});
