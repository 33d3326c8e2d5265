// Scenarios of reading, for Node: see c_reading.rs.
'use strict';

exports.many_bytes_come_in_order = {
  server({ listen, pattern }) {
    listen((me, peer) => peer.end(pattern(1_000_000)));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('end', () => me.counters(client));
    client.on('close', () => me.counters(client));
  },
};

exports.what_is_written_comes_back = {
  server({ listen }) {
    listen((me, peer) => {
      peer.on('data', (chunk) => {
        if (!peer.write(chunk)) peer.pause();
      });
      peer.on('drain', () => peer.resume());
    });
  },
  client({ connect, pattern }) {
    const [me, client] = connect();
    client.end(pattern(300_000));
    client.on('close', () => me.counters(client));
  },
};

exports.bytes_read_is_current_inside_data = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('data', () => me.counters(client));
  },
};

// The second connection tells that the first one's bytes have come.
exports.paused_on_connect_nothing_is_read = {
  server({ Actor, listenTo }) {
    listenTo(2, { pauseOnConnect: true }, (me, peer) => {
      if (me.name === 'peer') return;
      const first = Actor.socket('peer');
      me.say(`the first is paused: ${first.isPaused()}, has read ${first.bytesRead}`);
      first.resume();
      peer.destroy();
    });
  },
  client({ connect, connectAs }) {
    const [me, client] = connect();
    client.on('connect', () => {
      client.end('hello', () => {
        const [, second] = connectAs('second');
        second.on('ready', () => second.destroy());
      });
    });
  },
};

// As above: what comes while paused is told by resume, in order.
exports.paused_in_data = {
  server({ Actor, listenTo }) {
    listenTo(2, {}, (me, peer) => {
      if (me.name === 'peer') peer.write('one');
      else {
        const first = Actor.socket('peer');
        first.write('two', () => setImmediate(() => peer.end('sent')));
      }
    });
  },
  client({ Actor, connect, connectAs }) {
    const [me, client] = connect();
    let paused = false;
    client.on('data', () => {
      if (paused) return client.end();
      paused = true;
      client.pause();
      const [second, socket] = connectAs('second');
      socket.on('data', () => {
        me.say('resumes');
        client.resume();
      });
    });
  },
};

exports.paused_and_resumed_in_one_handler = {
  server({ listen }) {
    listen((me, peer) => {
      peer.write('one ');
      peer.on('data', () => peer.end('two'));
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.once('data', () => {
      client.pause();
      client.resume();
      me.say(`paused: ${client.isPaused()}`);
      client.write('go on');
    });
  },
};

exports.bytes_given_back_are_told_again = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.once('data', (chunk) => {
      client.unshift(chunk);
      me.say('has given it back');
    });
  },
};

exports.reset_behind_data = {
  server({ listen }) {
    listen((me, peer) => {
      peer.write('hello');
      peer.on('data', () => peer.resetAndDestroy());
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('data', () => client.write('go on'));
    client.on('error', () => me.state(client));
  },
};

/** Runs something after so many turns of the loop, each of which looks for events. */
function after(turns, run) {
  if (turns === 0) run();
  else setImmediate(after, turns - 1, run);
}

/** The paused client resumes when what `deed` does has come, and Node has told it. */
function whilePaused(deed) {
  return {
    server({ Actor, listenTo }) {
      listenTo(2, {}, (me, peer) => {
        if (me.name === 'peer') {
          peer.write('one');
          for (const done of ['finish', 'close']) {
            peer.on(done, () => setImmediate(() => Actor.socket('peer2').end()));
          }
        } else {
          deed(Actor.socket('peer'));
        }
      });
    },
    client({ connect, connectAs }) {
      const [me, client] = connect();
      client.once('data', () => {
        client.pause();
        const [, second] = connectAs('second');
        second.on('close', () => after(10, () => {
          me.say('resumes');
          client.resume();
        }));
      });
    },
  };
}

exports.ended_while_paused = whilePaused((peer) => peer.end());
exports.data_and_end_while_paused = whilePaused((peer) => peer.end('two'));
exports.reset_while_paused = whilePaused((peer) => peer.resetAndDestroy());
