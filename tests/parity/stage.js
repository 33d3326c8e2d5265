// One side of a scenario, or both, played by Node: `node stage.js GROUP SCENARIO ROLE DIRECTORY PLACE`.
//
// `listen` and `connect` make servers and sockets whose every event is traced; `say` traces what a
// scenario asks besides. stage.rs is the same for netloop; README.md tells what a trace is.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const PATIENCE_MS = 10_000;

/** A block of the bytes whose value tells their place, and how soon they repeat. */
const PERIOD = 251;
const PIECE = 65_536;
const BLOCK = Buffer.from(Uint8Array.from({ length: PIECE + PERIOD }, (_, at) => at % PERIOD));

/** So many bytes that tell their place, so that a lost or doubled one shows. */
function pattern(bytes) {
  return Buffer.alloc(bytes, BLOCK.subarray(0, PERIOD));
}

/** Data that came in a row, however it was cut: bytes, or text of a socket with an encoding. */
class Run {
  bytes = 0;
  patterned = true;
  text = '';
  decoded = false;
  add(chunk) {
    if (typeof chunk === 'string') {
      this.decoded = true;
      this.text += chunk;
      return;
    }
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      const due = BLOCK.subarray((this.bytes + at) % PERIOD);
      this.patterned &&= piece.equals(due.subarray(0, piece.length));
    }
    this.bytes += chunk.length;
    if (this.bytes <= 32) this.text += chunk.toString('latin1');
  }
  toString() {
    if (this.decoded) {
      return `text ${[...this.text].map((char) => char.codePointAt(0).toString(16)).join(' ')}`;
    }
    if (this.bytes <= 32) return `data '${this.text}'`;
    return `data of ${this.bytes} bytes${this.patterned ? '' : ', not those of the pattern'}`;
  }
}

const trace = [];
let place; // the port of the scenario's server, or its path

/** Ports and directories are other ones in each run, and a NUL begins an abstract name. */
function hide(text) {
  const hidden = text.replaceAll(directory, 'DIRECTORY/').replaceAll('\0', '@');
  return typeof place === 'number' ? hidden.replaceAll(`:${place}`, ':PORT') : hidden;
}

/** Who has a trace: a server, or one end of a connection. */
class Actor {
  #run = null;
  static all = [];
  constructor(name, socket) {
    this.name = name;
    this.socket = socket;
    Actor.all.push(this);
  }
  /** The socket of another actor of this process. */
  static socket(name) {
    return Actor.all.find((actor) => actor.name === name).socket;
  }
  say(what) {
    this.endRun();
    trace.push(`${this.name} ${hide(what)}`);
  }
  heard(chunk) {
    this.#run ??= new Run();
    this.#run.add(chunk);
  }
  endRun() {
    if (this.#run) trace.push(`${this.name} ${this.#run}`);
    this.#run = null;
  }
  /** A callback that says how a write or an end went. */
  done(what) {
    return (error) => this.say(`${what}: ${error ? describe(error) : 'done'}`);
  }
  /** Says where a socket stands. */
  state(socket) {
    const flags = ['connecting', 'pending', 'destroyed', 'readable', 'writable', 'readableEnded',
      'writableEnded', 'writableFinished'];
    const words = [socket.readyState, ...flags.filter((flag) => socket[flag])];
    this.say(`is ${words.join(', ')}`);
  }
  /** Says what a socket has read and written, and what still waits. */
  counters(socket) {
    this.say(`has read ${socket.bytesRead}, written ${socket.bytesWritten}, ` +
      `waiting ${socket.writableLength}`);
  }
}

function describe(error) {
  if (error.errors) return `${error.code} of all: ${error.errors.map(describe).join('; ')}`;
  const words = [error.code];
  if (error.errno) words.push(-error.errno);
  if (error.syscall) words.push(`of ${error.syscall}`);
  return `${words.join(' ')}: ${error.message}`;
}

/** An error of the user's. */
function fault(code) {
  return Object.assign(new Error('a fault'), { code });
}

/** A lookup that answers with these addresses, in a turn of its own as those of the system do. */
function answering(...addresses) {
  const all = addresses.map((address) => ({ address, family: net.isIP(address) }));
  return (host, options, callback) => {
    const answer = options.all ? [all] : [all[0]?.address, all[0]?.family];
    setImmediate(callback, null, ...answer);
  };
}

/** A lookup that fails, likewise. */
function failing(code) {
  return (host, options, callback) => setImmediate(callback, fault(code));
}

/** An address as a trace has it. */
function at(address, port) {
  if (port === undefined) return address;
  return net.isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function watch(me, socket) {
  socket.on('lookup', (error, address, family, host) => {
    me.say(`lookup ${host}: ${error ? describe(error) : `${address} of IPv${family}`}`);
  });
  socket.on('connectionAttempt', (address, port) => me.say(`attempt ${at(address, port)}`));
  socket.on('connectionAttemptFailed', (address, port, family, error) => {
    me.say(`attempt failed ${at(address, port)} ${describe(error)}`);
  });
  socket.on('connectionAttemptTimeout', (address, port) => {
    me.say(`attempt timeout ${at(address, port)}`);
  });
  for (const event of ['connect', 'ready', 'end', 'drain', 'finish', 'timeout']) {
    socket.on(event, () => me.say(event));
  }
  socket.on('data', (chunk) => me.heard(chunk));
  socket.on('error', (error) => me.say(`error ${describe(error)}`));
  socket.on('close', (hadError) => me.say(`close ${hadError}`));
}

/** A server that is only that: `listening` gets it when it listens. */
function serve(name, options, listening) {
  const me = new Actor(name);
  const server = net.createServer(options);
  server.on('error', (error) => me.say(`error ${describe(error)}`));
  server.on('close', () => me.say('close'));
  const anywhere = options.path === undefined ? { host: '127.0.0.1', port: 0 } : {};
  server.listen({ ...anywhere, ...options }, () => {
    place = server.address().port ?? server.address();
    me.say('listening');
    listening(me, server);
  });
  return server;
}

/** A server that closes when so many guests have come, those turned away included. */
function listenTo(guests, options, accepted = () => {}) {
  let come = 0;
  const server = serve('server', options, () => {
    if (role === 'server') fs.writeSync(1, `at ${String(place).replace('\0', '@')}\n`);
    if (role === 'both') parts.client(stage);
  });
  const me = Actor.all.at(-1);
  const count = () => {
    come += 1;
    if (come === guests) server.close();
  };
  server.on('connection', (socket) => {
    me.say('connection');
    count();
    const peer = new Actor(come === 1 ? 'peer' : `peer${come}`, socket);
    watch(peer, socket);
    accepted(peer, socket);
  });
  server.on('drop', () => {
    me.say('drop');
    count();
  });
  return server;
}

/** A server for one guest. */
function listen(accepted) {
  return listenTo(1, {}, accepted);
}

/** A socket named `name` that connects to the server of the scenario. */
function connectAs(name, options = {}) {
  const there = typeof place === 'number' ? { host: '127.0.0.1', port: place } : { path: place };
  const socket = new net.Socket(options); // watched before it connects, as `net.connect` cannot be
  const me = new Actor(name, socket);
  watch(me, socket);
  if (options.timeout) socket.setTimeout(options.timeout);
  socket.connect({ ...there, ...options });
  return [me, socket];
}

/** A socket that connects to the server of the scenario. */
function connect() {
  return connectAs('client');
}

/** A socket named `client` that connects to the port of the scenario at a host that is looked up. */
function connectTo(lookup, options = {}) {
  return connectAs('client', { host: 'host.example', lookup, ...options });
}

/** How an argument says where a server is. */
function parse(text) {
  return /^\d+$/.test(text) ? Number(text) : text.replace(/^@/, '\0');
}

const [group, scenario, role, directory, known] = process.argv.slice(2);
const parts = require(path.join(__dirname, `${group}.js`))[scenario];
// In a scenario for one, `connect` finds nobody: the runner keeps that port from listening.
const stage = {
  Actor, pattern, fault, describe, serve, listen, listenTo, connect, connectAs, connectTo,
  answering, failing,
  /** The port of the scenario's server. In a scenario for one: of nobody, until it listens. */
  place: () => place,
  /** A path in a directory of this play's own. */
  file: (name) => path.join(directory, name),
};

process.on('exit', () => {
  for (const actor of Actor.all) actor.endRun();
  fs.writeSync(1, trace.map((line) => `${line}\n`).join(''));
});
process.on('uncaughtException', (error) => {
  trace.push(`stage crashed: ${error.message}`);
  process.exit();
});
// The process ends when nothing keeps its loop going; that it does is part of every trace.
setTimeout(() => {
  trace.push('stage waited in vain');
  process.exit();
}, PATIENCE_MS).unref();

if (role === 'client' || role === 'solo') place = parse(known);
parts[role === 'both' ? 'server' : role](stage);
