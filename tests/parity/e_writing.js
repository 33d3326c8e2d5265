// Scenarios of writing and back-pressure, for Node: see e_writing.rs.
'use strict';

exports.small_writes_and_their_callbacks = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      me.say(`write: ${client.write('one ', me.done('one'))}`);
      me.say(`write: ${client.write('two ', me.done('two'))}`);
      client.write('three', () => {
        me.say('three');
        me.counters(client);
        client.end();
      });
    });
  },
};

exports.an_empty_write = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      me.say(`write: ${client.write('', me.done('nothing'))}`);
      client.write('something', () => client.end());
    });
  },
};

// 16 MiB are more than the kernels take while the peer does not read, which it does once there is a
// second connection.
exports.drain_comes_once_when_all_has_left = {
  server({ Actor, listenTo }) {
    listenTo(2, { pauseOnConnect: true }, (me, peer) => {
      if (me.name === 'peer') return;
      Actor.socket('peer').resume();
      peer.destroy();
    });
  },
  client({ connect, connectAs, pattern }) {
    const [me, client] = connect();
    client.on('ready', () => {
      me.say(`write: ${client.write(pattern(16 << 20), me.done('write'))}`);
      me.say(`waits for drain: ${client.writableNeedDrain}`);
      connectAs('second');
    });
    client.on('drain', () => {
      me.say(`waits for drain: ${client.writableNeedDrain}`);
      me.counters(client);
      client.end();
    });
  },
};

exports.no_drain_after_end = {
  server({ Actor, listenTo }) {
    listenTo(2, { pauseOnConnect: true }, (me, peer) => {
      if (me.name === 'peer') return;
      Actor.socket('peer').resume();
      peer.destroy();
    });
  },
  client({ connect, connectAs, pattern }) {
    const [me, client] = connect();
    client.on('ready', () => {
      me.say(`write: ${client.write(pattern(16 << 20))}`);
      client.end();
      me.say(`waits for drain: ${client.writableNeedDrain}`);
      connectAs('second');
    });
  },
};

exports.the_mark_while_connecting = {
  server({ listen }) {
    listen();
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { highWaterMark: 10 });
    client.on('drain', () => client.end());
    me.say(`mark ${client.writableHighWaterMark}`);
    me.say(`write: ${client.write('123456789')}`);
    me.say(`waits for drain: ${client.writableNeedDrain}`);
    me.say(`write: ${client.write('0')}`);
    me.say(`waits for drain: ${client.writableNeedDrain}`);
    me.counters(client);
  },
};

exports.a_mark_of_zero = {
  server({ listen }) {
    listen();
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { highWaterMark: 0 });
    me.say(`write: ${client.write('hello')}`);
    client.on('drain', () => {
      me.say(`write: ${client.write(' again')}`);
      client.end();
    });
  },
};

exports.corked_writes_leave_together = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.cork();
      client.cork();
      me.say(`write: ${client.write('one ', me.done('one'))}`);
      client.uncork();
      me.say(`write: ${client.write('two', me.done('two'))}`);
      me.counters(client);
      me.say(`corked ${client.writableCorked}`);
      client.uncork();
      client.uncork();
      me.say(`corked ${client.writableCorked}`);
      client.end();
    });
  },
};

exports.end_uncorks = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.cork();
      client.cork();
      client.write('one ', me.done('one'));
      client.end('two');
      me.say(`corked ${client.writableCorked}`);
    });
  },
};

exports.corked_beyond_the_mark = {
  server({ listen }) {
    listen();
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { highWaterMark: 4 });
    client.on('drain', () => client.end());
    client.on('ready', () => {
      client.cork();
      me.say(`write: ${client.write('123')}`);
      me.say(`write: ${client.write('4')}`);
      me.counters(client);
      client.uncork();
    });
  },
};

exports.written_after_end = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.end('hello');
      me.say(`write: ${client.write('more', me.done('more'))}`);
      me.state(client);
    });
    client.on('error', () => me.state(client));
  },
};

exports.written_after_destroy = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.destroy();
      me.say(`write: ${client.write('more', me.done('more'))}`);
      me.counters(client);
    });
  },
};

exports.written_after_end_and_destroy = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.end();
      client.destroy();
      me.say(`write: ${client.write('more', me.done('more'))}`);
    });
  },
};

exports.written_after_both_have_ended = {
  server({ listenTo }) {
    listenTo(1, {}, (me, peer) => {
      peer.on('end', () => {
        peer.end();
        me.say(`write: ${peer.write('more', me.done('more'))}`);
      });
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.end('hello'));
  },
};

exports.closed_before_the_connection = {
  solo({ connect }) {
    const [me, client] = connect();
    client.write('one', me.done('one'));
    client.write('two', me.done('two'));
    client.destroy();
  },
};

exports.closed_before_the_connection_when_corked = {
  solo({ connect }) {
    const [me, client] = connect();
    client.cork();
    client.write('one', me.done('one'));
    client.uncork();
    client.destroy();
  },
};

exports.refused_with_writes_waiting = {
  solo({ connect }) {
    const [me, client] = connect();
    client.write('one', me.done('one'));
    client.write('two', me.done('two'));
  },
};

exports.destroyed_with_bytes_waiting = {
  server({ Actor, listenTo }) {
    listenTo(2, { pauseOnConnect: true }, (me, peer) => {
      if (me.name === 'peer') return;
      Actor.socket('peer').destroy();
      peer.destroy();
    });
  },
  client({ connect, connectAs, pattern }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.write(pattern(16 << 20), me.done('one'));
      client.write('two', me.done('two'));
      client.destroy();
      me.say(`waiting: ${client.writableLength > 0}`);
    });
    client.on('close', () => connectAs('second'));
  },
};

exports.counters_survive_close = {
  server({ listen }) {
    listen((me, peer) => {
      peer.on('end', () => peer.end('12345')); // after the client's `finish`
      peer.on('close', () => me.counters(peer));
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => client.end('123'));
    client.on('close', () => me.counters(client));
  },
};
