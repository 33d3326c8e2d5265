// Scenarios of ending, for Node: see d_half_close.rs.
'use strict';

exports.both_ends_end = {
  server({ listen }) {
    listen((me, peer) => {
      peer.on('end', () => me.state(peer));
      peer.on('close', () => me.state(peer));
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => {
      client.end('hello');
      me.state(client);
    });
    client.on('finish', () => me.state(client));
  },
};

exports.written_in_end_and_sent_before_the_fin = {
  server({ listen }) {
    listen((me, peer) => {
      peer.on('end', () => me.say(`write: ${peer.write('late answer')}`));
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('connect', () => client.end('question'));
  },
};

exports.ended_in_end = {
  server({ listen }) {
    listen((me, peer) => peer.on('end', () => peer.end('answer')));
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('connect', () => client.end('question'));
  },
};

exports.half_open_until_it_ends_itself = {
  server({ listen }) {
    listen((me, peer) => {
      peer.write('question');
      peer.end();
      peer.on('finish', () => me.state(peer));
    });
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { allowHalfOpen: true });
    client.on('end', () => {
      me.state(client);
      client.write('answer', () => {
        me.state(client);
        client.end(' and goodbye');
      });
    });
  },
};

exports.a_half_open_server_answers_after_the_end = {
  server({ listenTo }) {
    listenTo(1, { allowHalfOpen: true }, (me, peer) => {
      peer.on('end', () => {
        setImmediate(() => {
          me.state(peer);
          peer.end('answer');
        });
      });
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('connect', () => client.end('question'));
  },
};

exports.data_after_the_own_end = {
  server({ listenTo }) {
    listenTo(1, { allowHalfOpen: true }, (me, peer) => {
      peer.on('end', () => {
        peer.write('one', () => peer.end('two'));
      });
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => client.end());
    client.on('end', () => me.state(client));
  },
};

exports.ended_twice = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => {
      client.end('once');
      client.end();
      me.state(client);
    });
  },
};

exports.ended_again_with_data = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.end('once');
      client.end('twice');
      me.counters(client);
    });
    client.on('error', () => me.state(client));
  },
};

exports.destroyed_soon = {
  server({ listen }) {
    listen();
  },
  client({ connect, pattern }) {
    const [me, client] = connect();
    client.on('connect', () => {
      client.write(pattern(1_000_000));
      client.destroySoon();
      me.say(`write: ${client.writable}`);
    });
    client.on('close', () => me.counters(client));
  },
};

exports.destroyed_soon_after_its_end = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('connect', () => client.end('hello'));
    client.on('finish', () => client.destroySoon());
  },
};

// Both the peer's queue and its implicit end wait for a client that reads late: once the server has
// taken a second connection.
exports.the_implicit_end_waits_for_the_queue = {
  server({ listenTo, pattern }) {
    listenTo(2, {}, (me, peer) => {
      if (me.name === 'peer2') return peer.end();
      me.say(`write: ${peer.write(pattern(16 << 20), me.done('write'))}`);
    });
  },
  client({ connect, connectAs }) {
    const [, client] = connect();
    client.pause();
    client.on('finish', () => {
      const [, second] = connectAs('second');
      second.on('end', () => client.resume());
    });
    client.end();
  },
};

exports.nothing_is_sent = {
  server({ listen }) {
    listen((me, peer) => peer.on('end', () => me.counters(peer)));
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.end());
  },
};
