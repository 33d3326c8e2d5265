// Scenarios of who is called when, for Node: see a_callbacks.rs.
'use strict';

exports.nothing_is_told_inside_the_call_that_causes_it = {
  server({ listen }) {
    listen();
  },
  client({ connect, fault }) {
    const [me, client] = connect();
    me.say('connect has returned');
    client.on('connect', () => {
      client.write('hello', me.done('write'));
      me.say('write has returned');
      client.end();
      me.say('end has returned');
    });
    client.on('end', () => {
      client.destroy(fault('ENOUGH'));
      me.say('destroy has returned');
    });
    client.on('error', () => me.say('error was told'));
  },
};

exports.destroyed_in_connect = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('connect', () => {
      client.destroy();
      me.state(client);
    });
  },
};

exports.destroyed_in_data = {
  server({ listen }) {
    listen((me, peer) => peer.write('hello'));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('data', () => {
      client.destroy();
      me.state(client);
    });
  },
};

exports.destroyed_in_end = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('end', () => {
      me.state(client);
      client.destroy();
      me.state(client);
    });
  },
};

exports.destroyed_by_a_sibling = {
  server({ listenTo }) {
    listenTo(2, {}, (me, peer) => {
      if (me.name === 'peer2') peer.end('go');
    });
  },
  client({ Actor, connect, connectAs }) {
    const [, first] = connect();
    first.on('connect', () => {
      const [me, second] = connectAs('second');
      second.on('data', () => {
        Actor.socket('client').destroy();
        me.say('has destroyed its sibling');
      });
    });
  },
};

exports.another_connect_from_close = {
  server({ listenTo }) {
    listenTo(2, {}, (me, peer) => peer.end('hello'));
  },
  client({ connect, connectAs }) {
    const [, client] = connect();
    client.on('close', () => connectAs('again'));
  },
};
