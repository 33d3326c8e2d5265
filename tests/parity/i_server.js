// Scenarios of servers, for Node: see i_server.rs.
'use strict';

exports.one_too_many_is_turned_away = {
  server({ listenTo }) {
    listenTo(3, {}).maxConnections = 1;
  },
  client({ connect, connectAs }) {
    const [, client] = connect();
    client.on('ready', () => {
      const [, second] = connectAs('second');
      second.on('close', () => client.end());
    });
    client.on('close', () => {
      const [, third] = connectAs('third');
      third.on('ready', () => third.end());
    });
  },
};

exports.with_a_limit_of_none_everybody_is_turned_away = {
  server({ listenTo }) {
    listenTo(1, {}).maxConnections = 0;
  },
  client({ connect }) {
    connect();
  },
};

exports.close_waits_for_the_last_connection = {
  server({ Actor, listen }) {
    listen((me, peer) => {
      peer.on('data', () => peer.end('goodbye'));
      peer.on('close', () => new Actor('server').say('its peer was told close'));
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.write('hello'));
  },
};

exports.a_destroyed_socket_counts_no_more = {
  server({ listen }) {
    const server = listen((me, peer) => {
      server.getConnections((_, connections) => me.say(`connections ${connections}`));
      peer.on('data', () => {
        peer.destroy();
        server.getConnections((_, connections) => me.say(`connections ${connections}`));
      });
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.write('hello'));
  },
};

exports.accepted_sockets_have_the_options_of_their_server = {
  server({ listenTo }) {
    listenTo(1, { highWaterMark: 5, pauseOnConnect: true, allowHalfOpen: true }, (me, peer) => {
      me.say(`mark ${peer.writableHighWaterMark}, paused ${peer.isPaused()}`);
      peer.resume();
      peer.on('end', () => setImmediate(() => {
        me.state(peer);
        peer.end();
      }));
    });
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.end());
  },
};

exports.closed_in_listening = {
  solo({ serve }) {
    serve('server', {}, (me, server) => {
      me.say(`listening ${server.listening}`);
      server.close();
      me.say(`listening ${server.listening}, address ${server.address()}`);
    });
  },
};

exports.closed_twice = {
  solo({ serve, describe }) {
    serve('server', {}, (me, server) => {
      server.close();
      server.close((error) => me.say(`again: ${describe(error)}`));
    });
  },
};

exports.closed_before_it_listens = {
  solo({ serve }) {
    serve('server', { host: undefined }, () => 0).close();
  },
};

exports.a_port_that_is_taken = {
  solo({ serve, place }) {
    const server = serve('server', { port: place() }, () => 0);
    server.on('error', () => serve('another', {}, (me, server) => server.close()));
  },
};

exports.an_address_that_is_not_ours = {
  solo({ serve }) {
    serve('server', { host: '192.0.2.1' }, () => 0);
  },
};

exports.without_a_host = {
  solo({ serve }) {
    serve('server', { host: undefined }, (me, server) => {
      const { address, family } = server.address();
      me.say(`${family} ${address}`);
      server.close();
    });
  },
};

exports.two_servers_share_a_port = {
  solo({ serve, place }) {
    serve('server', { reusePort: true }, (me, first) => {
      serve('another', { reusePort: true, port: place() }, (me, second) => {
        me.say(`same port: ${second.address().port === first.address().port}`);
        first.close();
        second.close();
      });
    });
  },
};
