// Scenarios of hosts by name, for Node: see b_names.rs.
'use strict';

const dns = require('node:dns');
const net = require('node:net');

exports.a_host_is_looked_up = {
  server({ listen }) {
    listen((me, peer) => peer.end('hello'));
  },
  client({ connectTo, answering }) {
    connectTo(answering('127.0.0.1'));
  },
};

exports.each_answer_is_told = {
  server({ listen }) {
    listen((me, peer) => peer.end());
  },
  client({ connectTo, answering }) {
    connectTo(answering('127.0.0.1', '::1', '127.0.0.1', '127.0.0.3'));
  },
};

exports.what_a_lookup_is_asked_for = {
  solo({ connectAs, failing }) {
    const plain = { host: 'host.example' };
    const any = { ...plain, autoSelectFamily: false };
    const from = { ...plain, localAddress: '127.0.0.2' };
    for (const [name, options] of Object.entries({
      plain, four: { ...plain, family: 4 }, six: { ...plain, family: 6 }, any, from,
    })) {
      let asked; // inside the call
      const lookup = (host, { family, all }, callback) => {
        asked = `asks for ${host}, family ${family || 'any'}, all ${all ?? false}`;
        failing('ENODATA')(host, {}, callback);
      };
      const [me] = connectAs(name, { ...options, lookup });
      me.say(asked);
    }
  },
};

exports.a_lookup_that_fails = {
  solo({ connectTo, failing }) {
    const [me, client] = connectTo(failing('ENODATA'));
    client.on('lookup', () => me.state(client));
  },
};

exports.a_lookup_that_fails_with_writes_waiting = {
  solo({ connectTo, failing }) {
    const [me, client] = connectTo(failing('ENODATA'));
    client.write('lost', me.done('lost'));
    client.end();
  },
};

exports.a_lookup_that_finds_nothing = {
  solo({ connectTo, answering }) {
    connectTo(answering());
  },
};

exports.an_answer_of_another_family = {
  solo({ connectTo, answering }) {
    const blockList = new net.BlockList();
    blockList.addAddress('::1', 'ipv6');
    connectTo(answering('::1'), { family: 4, blockList });
  },
};

exports.a_late_answer = {
  server({ listen }) {
    listen((me, peer) => peer.on('end', () => peer.end('answer')));
  },
  client({ connectTo, answering }) {
    const [me, client] = connectTo((...question) => setImmediate(() => {
      me.state(client);
      me.counters(client);
      answering('127.0.0.1')(...question);
    }));
    me.say(`write: ${client.write('quest')}`);
    client.setNoDelay(true);
    client.end('ion');
  },
};

exports.destroyed_while_a_name_is_looked_up = {
  solo({ connectTo, answering }) {
    let question;
    const [me, client] = connectTo((...asked) => {
      question = asked;
      setImmediate(() => client.destroy());
    });
    client.on('close', () => {
      answering('127.0.0.1')(...question);
      me.say('answered');
    });
  },
};

exports.destroyed_in_lookup = {
  solo({ connectTo, answering }) {
    const [me, client] = connectTo(answering('127.0.0.1', '127.0.0.2'));
    client.on('lookup', () => {
      client.destroy();
      me.state(client);
    });
  },
};

exports.destroyed_in_a_lookup_that_fails = {
  solo({ connectTo, failing }) {
    const [, client] = connectTo(failing('ENODATA'));
    client.on('lookup', () => client.destroy());
  },
};

exports.a_timeout_while_a_name_is_looked_up = {
  solo({ connectTo }) {
    const [me, client] = connectTo(() => 0, { timeout: 50 });
    const alive = setInterval(() => 0, 1000); // in Node a lookup that is not the system's is nothing
    client.on('timeout', () => {
      clearInterval(alive);
      me.state(client);
      client.destroy();
    });
  },
};

exports.listening_at_a_host_by_name = {
  solo({ serve, answering }) {
    dns.lookup = answering('fe80::1', '127.0.0.3', '127.0.0.4');
    serve('server', { host: 'host.example' }, (me, server) => {
      me.say(`at ${server.address().address}`);
      server.close();
    });
  },
};

exports.listening_at_a_host_that_is_not_found = {
  solo({ serve, failing }) {
    dns.lookup = failing('ENODATA');
    serve('server', { host: 'host.example' }, () => 0);
  },
};
