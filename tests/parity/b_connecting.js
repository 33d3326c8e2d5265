// Scenarios of connecting, for Node: see b_connecting.rs.
'use strict';

exports.connect_and_ready_come_before_the_first_data = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    connect();
  },
};

exports.nobody_listens = {
  solo({ connect }) {
    const [me, client] = connect();
    client.on('error', () => me.state(client));
    client.on('close', () => me.counters(client));
  },
};

exports.where_a_connecting_socket_stands = {
  server({ listen }) {
    listen((me, peer) => {
      me.state(peer);
      peer.end();
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    me.state(client);
    for (const event of ['connectionAttempt', 'connect', 'ready', 'close']) {
      client.on(event, () => me.state(client));
    }
  },
};

exports.writes_before_connect_leave_in_order = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => {
      me.counters(client);
      client.end('three');
    });
    client.on('close', () => me.counters(client));
    me.say(`write: ${client.write('one ', me.done('one'))}`);
    me.say(`write: ${client.write('two ', me.done('two'))}`);
    me.counters(client);
  },
};

exports.ended_before_connect = {
  server({ listen }) {
    listen((me, peer) => peer.on('end', () => peer.end('answer')));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.end('question');
    me.state(client);
    client.on('connect', () => me.state(client));
  },
};

exports.ended_before_a_connect_that_fails = {
  solo({ connect }) {
    const [, client] = connect();
    client.end();
  },
};

exports.destroyed_right_after_connect = {
  solo({ connect }) {
    const [me, client] = connect();
    client.destroy();
    me.state(client);
  },
};

exports.destroyed_in_the_attempt = {
  solo({ connect }) {
    const [me, client] = connect();
    client.on('connectionAttempt', () => {
      client.destroy();
      me.state(client);
    });
  },
};

exports.destroyed_with_a_reason_before_the_attempt = {
  solo({ connect, fault }) {
    const [me, client] = connect();
    client.destroy(fault('ENOUGH'));
    me.state(client);
  },
};

exports.paused_and_resumed_before_connect = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.pause();
    me.say(`paused: ${client.isPaused()}`);
    client.resume();
    me.say(`paused: ${client.isPaused()}`);
  },
};

exports.settings_before_connect_are_remembered = {
  server({ listen }) {
    listen((me, peer) => peer.end());
  },
  client({ connect }) {
    const [me, client] = connect();
    client.setNoDelay(true);
    client.setKeepAlive(true, 1500);
    client.setTimeout(5000);
    client.ref();
    client.on('connect', () => me.say(`timeout ${client.timeout}`));
  },
};

exports.addresses_of_both_ends = {
  server({ listen }) {
    listen((me, peer) => {
      me.say(`local ${peer.localFamily} ${peer.localAddress}`);
      me.say(`remote ${peer.remoteFamily} ${peer.remoteAddress}`);
      peer.end(`${peer.localPort === peer.address().port}`);
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => {
      me.say(`local ${client.localFamily} ${client.localAddress}`);
      me.say(`remote ${client.remoteFamily} ${client.remoteAddress}:${client.remotePort}`);
    });
  },
};

exports.the_address_of_a_refused_connect = {
  solo({ connect }) {
    const [me, client] = connect();
    client.on('error', ({ address, port }) => me.say(`refused at ${address}:${port}`));
  },
};
