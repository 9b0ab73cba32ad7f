// TimescaleDB in memory behind PostgreSQL's protocol, on a free port of the loopback interface.
// Prints the port when it is ready, and ends when its standard input does.

import { createServer } from "node:net";

import { PGlite } from "@electric-sql/pglite";
import { timescaledb } from "@electric-sql/pglite/timescaledb";

const COPY_FROM_STDIN = /^\s*COPY\s.*\sFROM\s+STDIN\b/is;
// "Send your rows": in binary, without a word on their columns.
const COPY_IN_RESPONSE = Buffer.from([0x47, 0, 0, 0, 7, 1, 0, 0]);
const [QUERY, COPY_DONE, COPY_FAIL, TERMINATE] = Buffer.from("QcfX");

const database = await PGlite.create({ extensions: { timescaledb } });

/** Yields a client's messages, each whole. All but the first begin with their type. */
async function* messages(socket) {
  let rest = Buffer.alloc(0);
  let typeBytes = 0;
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= typeBytes + 4) {
      const size = typeBytes + rest.readUInt32BE(typeBytes);
      if (rest.length < size) break;
      yield rest.subarray(0, size);
      rest = rest.subarray(size);
      typeBytes = 1;
    }
  }
}

/** Returns the database's answer, copied: the next one overwrites its memory. */
async function answer(message) {
  return Buffer.from(await database.execProtocolRaw(message));
}

async function serve(socket) {
  let copy = null; // a COPY and its rows, which the database reads at once or not at all
  for await (const message of messages(socket)) {
    const type = message[0];
    if (type === TERMINATE) break;
    if (copy !== null) {
      copy.push(message);
      if (type !== COPY_DONE && type !== COPY_FAIL) continue;
      const found = await answer(Buffer.concat(copy));
      const asks = found[0] === COPY_IN_RESPONSE[0];
      socket.write(asks ? found.subarray(1 + found.readUInt32BE(1)) : found);
      copy = null;
    } else if (type === QUERY && COPY_FROM_STDIN.test(message.toString("utf8", 5))) {
      copy = [message];
      socket.write(COPY_IN_RESPONSE);
    } else {
      socket.write(await answer(message));
    }
  }
  socket.end();
  // The next client has the same session, and its settings are those of PGlite.
  for (const statement of ["ROLLBACK", "DISCARD ALL", "SET search_path TO public"]) {
    await database.exec(statement);
  }
}

let last = Promise.resolve();
const server = createServer((socket) => {
  last = last.then(() => serve(socket)).catch((error) => socket.destroy(error));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
