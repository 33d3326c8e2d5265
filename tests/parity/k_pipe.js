// Scenarios of pipes, for Node: see k_pipe.rs.
'use strict';

/** What a pipe takes is not told: in Node a listener would be. */
function quiet(socket) {
  socket.removeAllListeners('data');
  return socket;
}

/** Two clients; `second` is sent a word when the server has both, and then `ready` is called. */
function connectBoth({ connectAs }, options, ready) {
  const [, first] = connectAs('first');
  first.on('ready', () => {
    const [, second] = connectAs('second', options);
    second.once('data', () => ready(first, second));
  });
}

/** Hands both guests over once they are there. */
function listenToBoth({ listenTo, Actor }, options, joined) {
  listenTo(2, options, (me, peer) => {
    if (me.name === 'peer2') joined(Actor.socket('peer'), peer);
  });
}

exports.a_pipe_into_itself_is_an_echo = {
  server({ listen }) {
    listen((me, peer) => quiet(peer).pipe(peer));
  },
  client({ connect, pattern }) {
    const [me, client] = connect();
    client.pause();
    client.on('finish', () => client.resume());
    client.end(pattern(10_000));
    client.on('close', () => me.counters(client));
  },
};

exports.a_pipe_that_does_not_end = {
  server(stage) {
    listenToBoth(stage, {}, (from, to) => {
      quiet(from).pipe(to, { end: false });
      from.on('end', () => to.end(' and more'));
      to.write('both: ');
    });
  },
  client(stage) {
    connectBoth(stage, {}, (first) => first.end('hello'));
  },
};

exports.a_half_close_goes_through_a_proxy_both_ways = {
  server(stage) {
    listenToBoth(stage, { allowHalfOpen: true }, (from, to) => {
      quiet(from).pipe(to);
      quiet(to).pipe(from);
      to.write('both: ');
    });
  },
  client(stage) {
    connectBoth(stage, { allowHalfOpen: true }, (first, second) => {
      second.on('end', () => second.end('answer'));
      first.end('question');
    });
  },
};

exports.what_is_piped_to_a_paused_reader_waits_for_it = {
  server(stage) {
    listenToBoth(stage, {}, (from, to) => {
      quiet(from).pipe(to);
      to.write(stage.pattern(6));
    });
  },
  client(stage) {
    connectBoth(stage, {}, (first, second) => {
      first.end(stage.pattern(10_000).subarray(6));
      second.pause();
      setTimeout(() => second.resume(), 10);
    });
  },
};
