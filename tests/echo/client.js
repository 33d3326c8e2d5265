// HOST PORT BYTES: sends so many bytes whose values tell their place, ends its side, and exits 0 if
// every one of them comes back before the other side ends.
'use strict';

const assert = require('node:assert');
const net = require('node:net');

const [host, port, total] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const PERIOD = 251;
const known = Buffer.from({ length: PERIOD + 65536 }, (_, at) => at % PERIOD);
const block = known.subarray(0, PERIOD * 256);

let sent = 0;
let back = 0;
let ended = false;

const socket = net.connect(port, host, send);
socket.on('drain', send);
socket.on('data', check);
socket.on('end', () => { ended = true; });
socket.on('close', () => {
  assert.strictEqual(sent, total);
  assert.strictEqual(back, total);
  assert(ended, 'closed without an end');
});
socket.setTimeout(20_000, () => socket.destroy(new Error(`silence after ${back} bytes`)));

function send() {
  while (sent < total) {
    const bytes = Math.min(block.length, total - sent);
    sent += bytes;
    if (!socket.write(block.subarray(0, bytes))) return; // 'drain' goes on
  }
  if (!socket.writableEnded) socket.end();
}

function check(data) {
  const due = known.subarray(back % PERIOD, back % PERIOD + data.length);
  assert(data.equals(due), `wrong bytes after ${back}`);
  back += data.length;
}
