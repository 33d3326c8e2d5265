// Scenarios of destroying, errors and close, for Node: see f_destroy.rs.
'use strict';

exports.destroyed = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.destroy();
      me.state(client);
      client.destroy();
    });
    client.on('close', () => me.state(client));
  },
};

exports.destroyed_with_a_reason = {
  server({ listen }) {
    listen();
  },
  client({ connect, fault }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.destroy(fault('FIRST'));
      client.destroy(fault('SECOND'));
      me.say(`errored ${client.errored.code}`);
    });
    client.on('error', () => {
      me.state(client);
      client.destroy(fault('THIRD'));
    });
    client.on('close', () => me.say(`errored ${client.errored.code}`));
  },
};

exports.destroyed_by_the_server_at_once = {
  server({ listen }) {
    listen((me, peer) => {
      peer.destroy();
      me.state(peer);
    });
  },
  client({ connect }) {
    connect();
  },
};

exports.reset_by_the_peer = {
  server({ listen }) {
    listen((me, peer) => {
      peer.on('data', () => {
        peer.resetAndDestroy();
        me.state(peer);
      });
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => client.write('reset me'));
    client.on('error', () => me.say(`errored ${client.errored.code}`));
  },
};

exports.reset_while_connecting = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.resetAndDestroy();
    me.state(client);
  },
};

exports.written_after_end_and_reset_while_connecting = {
  solo({ connect }) {
    const [me, client] = connect();
    client.end();
    client.resetAndDestroy();
    me.state(client);
    me.say(`write: ${client.write('late')}`);
  },
};

exports.reset_while_connecting_to_nobody = {
  solo({ connect }) {
    const [, client] = connect();
    client.resetAndDestroy();
  },
};

// The peer has not read what the client sent, so its kernel resets the connection.
exports.destroyed_with_bytes_unread = {
  server({ Actor, listenTo }) {
    listenTo(2, { pauseOnConnect: true }, (me, peer) => {
      if (me.name === 'peer') return;
      Actor.socket('peer').destroy();
      peer.destroy();
    });
  },
  client({ connect, connectAs }) {
    const [, client] = connect();
    client.on('ready', () => client.write('hello', () => connectAs('second')));
  },
};

exports.every_call_after_close_is_safe = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => client.end());
    client.on('close', () => {
      client.pause();
      client.resume();
      client.setNoDelay(true);
      client.setKeepAlive(true, 1000);
      client.setTimeout(1);
      client.cork();
      client.uncork();
      client.unref();
      client.ref();
      client.end();
      client.destroy();
      client.destroySoon();
      me.state(client);
      me.say(`write: ${client.write('hello', me.done('hello'))}`);
    });
  },
};

exports.destroyed_after_the_own_end = {
  server({ listenTo }) {
    listenTo(1, { allowHalfOpen: true }, (me, peer) => {
      peer.on('end', () => peer.write('answer', () => peer.end()));
    });
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => client.end('question'));
    client.on('data', () => {
      client.destroy();
      me.state(client);
    });
  },
};

exports.the_address_is_gone_after_destroy = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.destroy();
      me.say(`local ${client.localAddress ?? 'none'}`);
    });
  },
};
