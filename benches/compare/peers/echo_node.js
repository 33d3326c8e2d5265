// An echo server on Node's net.
//
// node echo_node.js PORT [--idle-timeout-ms N] [--lines]
'use strict';
const net = require('net');

function usage() {
  console.error('usage: PORT [--idle-timeout-ms N] [--lines]');
  process.exit(2);
}

let port = null;
let idleTimeout = 0;
let lines = false;
const words = process.argv.slice(2);
while (words.length > 0) {
  const word = words.shift();
  if (word === '--lines') lines = true;
  else if (word === '--idle-timeout-ms' && /^\d+$/.test(words[0])) idleTimeout = Number(words.shift());
  else if (/^\d+$/.test(word) && port === null) port = Number(word);
  else usage();
}
if (port === null) usage();

function echo(data) {
  if (!this.write(data)) this.pause();
}

function echoLines(data) {
  if (this.begun) data = Buffer.concat([this.begun, data]);
  let from = 0;
  let welcome = true;
  for (let end; (end = data.indexOf(10, from)) >= 0; from = end + 1) {
    welcome = this.write(data.subarray(from, end + 1));
  }
  this.begun = from < data.length ? data.subarray(from) : null;
  if (this.begun && this.begun.length > 65536) this.destroy();
  else if (!welcome) this.pause();
}

function drained() {
  this.resume();
}

function gone() {
  this.destroy();
}

// noDelay: else tails wait for acknowledgements, see the README.
const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', lines ? echoLines : echo);
  socket.on('drain', drained);
  socket.on('error', gone);
  if (idleTimeout > 0) socket.setTimeout(idleTimeout, gone);
});
server.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
