// Scenarios of what keeps the loop going, for Node: see j_liveness.rs.
'use strict';

exports.an_unrefd_server_lets_the_loop_end = {
  solo({ serve }) {
    serve('server', {}, (me, server) => server.unref());
  },
};

exports.an_unrefd_server_that_is_refd_again_stays = {
  solo({ serve }) {
    serve('server', {}, (me, server) => {
      server.unref();
      server.ref();
      setImmediate(() => server.close());
    });
  },
};

exports.unrefd_sockets_let_the_loop_end = {
  solo({ listen, connect }) {
    const server = listen((me, peer) => peer.unref());
    server.on('listening', () => {
      const [, client] = connect();
      client.on('ready', () => client.unref());
    });
  },
};

exports.paused_on_connect_lets_the_loop_end = {
  solo({ listenTo, connect }) {
    const server = listenTo(1, { pauseOnConnect: true });
    server.on('listening', () => {
      const [, client] = connect();
      client.on('ready', () => client.unref());
    });
  },
};

exports.an_unrefd_socket_works_while_something_else_does = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    const [, client] = connect();
    client.unref();
    const keeps = setInterval(() => 0, 1000);
    client.on('close', () => clearInterval(keeps));
  },
};

exports.a_socket_timeout_keeps_nothing_going = {
  solo({ listen, connect }) {
    const server = listen((me, peer) => {
      peer.setTimeout(5000);
      peer.unref();
    });
    server.on('listening', () => {
      const [, client] = connect();
      client.setTimeout(5000);
      client.on('ready', () => client.unref());
    });
  },
};
