// Scenarios of a host with several addresses, for Node: see h_addresses.rs.
'use strict';

const net = require('node:net');

/** In a scenario for one nobody answers there. */
const SILENT = '127.0.0.9';

/** There is no way for TCP to it: the kernel says so inside the call. */
const BROADCAST = '127.255.255.255';

const SOON = { autoSelectFamilyAttemptTimeout: 30 };

function blocking(...addresses) {
  const blockList = new net.BlockList();
  for (const address of addresses) blockList.addAddress(address);
  return { blockList };
}

function tellAttempted(me, client) {
  client.on('close', () => {
    for (const address of client.autoSelectFamilyAttemptedAddresses ?? []) me.say(`tried ${address}`);
  });
}

exports.the_next_address_is_tried_when_one_refuses = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connectTo, answering }) {
    const [me, client] = connectTo(answering('127.0.0.2', '127.0.0.1', '127.0.0.3'));
    client.write('early');
    tellAttempted(me, client);
  },
};

exports.every_address_refuses = {
  solo({ connectTo, answering }) {
    const [me, client] = connectTo(answering('127.0.0.1', '127.0.0.2', '127.0.0.3'));
    tellAttempted(me, client);
  },
};

exports.an_attempt_without_answer_is_given_up = {
  solo({ connectTo, answering }) {
    const [me, client] = connectTo(answering(SILENT, '127.0.0.1'), SOON);
    tellAttempted(me, client);
  },
};

exports.the_idle_timeout_of_a_connect_without_answer = {
  solo({ connectAs }) {
    const [me, client] = connectAs('client', { host: SILENT, timeout: 20 });
    client.on('timeout', () => {
      me.state(client);
      client.destroy();
    });
  },
};

exports.destroyed_in_a_failed_attempt = {
  solo({ connectTo, answering }) {
    const [, client] = connectTo(answering('127.0.0.1', '127.0.0.2'));
    client.on('connectionAttemptFailed', () => client.destroy());
  },
};

exports.destroyed_in_the_timeout_of_an_attempt = {
  solo({ connectTo, answering }) {
    const [, client] = connectTo(answering(SILENT, '127.0.0.2'), SOON);
    client.on('connectionAttemptTimeout', () => client.destroy());
  },
};

exports.a_blocked_address_among_others = {
  server({ listen }) {
    listen((me, peer) => peer.end());
  },
  client({ connectTo, answering }) {
    const [me, client] = connectTo(answering('127.0.0.2', '127.0.0.1'), blocking('127.0.0.2'));
    tellAttempted(me, client);
  },
};

exports.every_address_is_blocked = {
  solo({ connectTo, answering }) {
    const list = blocking('127.0.0.1', '127.0.0.2');
    const [me, client] = connectTo(answering('127.0.0.1', '127.0.0.2'), list);
    tellAttempted(me, client);
  },
};

exports.each_attempt_is_from_the_local_port = {
  solo({ connectTo, answering, place }) {
    const [me, client] = connectTo(answering('127.0.0.1', '127.0.0.2'), { localPort: place() });
    tellAttempted(me, client);
  },
};

exports.blocked_and_from_a_port_that_is_taken = {
  solo({ connectTo, answering, place }) {
    connectTo(answering('127.0.0.1', '127.0.0.2'), { localPort: place(), ...blocking('127.0.0.1') });
  },
};

exports.no_way_to_an_address = {
  solo({ connectAs }) {
    connectAs('client', { host: BROADCAST });
  },
};

exports.no_way_to_one_of_the_addresses = {
  solo({ connectTo, answering }) {
    const [me, client] = connectTo(answering(BROADCAST, '127.0.0.1'));
    tellAttempted(me, client);
  },
};

exports.one_address_of_a_family_is_all_that_is_tried = {
  solo({ connectTo, answering }) {
    const [me, client] = connectTo(answering('127.0.0.1', '127.0.0.2'), { autoSelectFamily: false });
    tellAttempted(me, client);
  },
};
