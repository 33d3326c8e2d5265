// Scenarios of addresses that are chosen or refused, for Node: see b_filters.rs.
'use strict';

const net = require('node:net');

function blocking(address) {
  const blockList = new net.BlockList();
  blockList.addAddress(address);
  return blockList;
}

exports.a_blocked_address_is_not_connected_to = {
  solo({ connectAs }) {
    connectAs('client', { blockList: blocking('127.0.0.1') });
  },
};

exports.a_blocked_peer_is_closed = {
  server({ listenTo }) {
    listenTo(1, { blockList: blocking('127.0.0.2') });
  },
  client({ connectAs }) {
    const [, blocked] = connectAs('blocked', { localAddress: '127.0.0.2' });
    blocked.on('close', () => {
      const [, welcome] = connectAs('welcome');
      welcome.on('ready', () => welcome.end());
    });
  },
};

exports.from_a_local_address = {
  server({ listen }) {
    listen((me, peer) => {
      me.say(`from ${peer.remoteAddress}`);
      peer.end();
    });
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { localAddress: '127.0.0.2' });
    client.on('connect', () => me.say(`from ${client.localAddress}`));
  },
};

exports.from_an_address_that_is_not_ours = {
  solo({ connectAs }) {
    connectAs('client', { localAddress: '192.0.2.1' });
  },
};

exports.from_a_port_that_is_taken = {
  solo({ connectAs, place }) {
    connectAs('client', { localAddress: '127.0.0.1', localPort: place() });
  },
};

exports.refused_from_a_local_address = {
  solo({ connectAs }) {
    const [me, client] = connectAs('client', { localAddress: '127.0.0.2' });
    client.on('error', ({ address }) => me.say(`refused at ${address}`));
  },
};

exports.the_rules_of_a_block_list = {
  solo({ Actor }) {
    const me = new Actor('list');
    const list = new net.BlockList();
    list.addAddress('192.0.2.7');
    list.addRange('10.0.0.1', '10.0.0.9');
    list.addSubnet('2001:db8::', 32, 'ipv6');
    for (const rule of list.rules) me.say(rule);
    for (const [address, family] of [
      ['192.0.2.7', 'ipv4'], ['192.0.2.8', 'ipv4'], ['::ffff:192.0.2.7', 'ipv6'],
      ['10.0.0.0', 'ipv4'], ['10.0.0.1', 'ipv4'], ['10.0.0.9', 'ipv4'], ['10.0.0.10', 'ipv4'],
      ['2001:db8::1', 'ipv6'], ['2001:db9::1', 'ipv6'],
    ]) {
      me.say(`${address}: ${list.check(address, family)}`);
    }
  },
};

exports.what_is_an_address = {
  solo({ Actor }) {
    const me = new Actor('text');
    for (const text of [
      '127.0.0.1', '127.1', '01.2.3.4', '1.2.3.256', '1.2.3', '', 'localhost', '::', '::1', '::1%lo',
      '::ffff:1.2.3.4', '1::2::3', '12345::', '[::1]', '1.2.3.4:80', ' 1.2.3.4', 'fe80::1%',
    ]) {
      me.say(`'${text}' ${net.isIP(text)} ${net.isIPv4(text)} ${net.isIPv6(text)}`);
    }
  },
};

exports.the_type_of_service_is_remembered = {
  server({ listen }) {
    listen((me, peer) => peer.end());
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { typeOfService: 0x10 });
    client.on('ready', () => me.say(`type of service ${client.getTypeOfService()}`));
  },
};

exports.the_type_of_service_set_while_connecting = {
  solo({ connect }) {
    const [me, client] = connect();
    client.setTypeOfService(0x10);
    me.say(`type of service ${client.getTypeOfService()}`);
  },
};
