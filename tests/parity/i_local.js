// Scenarios of local sockets, for Node: see i_local.rs.
'use strict';

const fs = require('node:fs');

exports.a_local_socket_is_a_socket = {
  server({ listenTo, file }) {
    listenTo(1, { path: file('server') }, (me, peer) => peer.on('end', () => me.state(peer)));
  },
  client({ connect, pattern }) {
    const [me, client] = connect();
    client.on('ready', () => client.end(pattern(100_000)));
    client.on('close', () => me.counters(client));
  },
};

exports.no_such_path = {
  solo({ connectAs, file }) {
    connectAs('client', { path: file('nobody'), port: undefined });
  },
};

exports.a_path_that_nobody_listens_on = {
  solo({ connectAs, serve, file }) {
    serve('server', { path: file('server') }, (me, server) => {
      fs.linkSync(file('server'), file('link'));
      server.close();
      connectAs('client', { path: file('link'), port: undefined });
    });
  },
};

exports.a_path_that_is_taken = {
  solo({ serve, file }) {
    fs.writeFileSync(file('taken'), '');
    serve('server', { path: file('taken') }, () => 0);
  },
};

exports.a_directory_that_is_not_there = {
  solo({ serve, file }) {
    serve('server', { path: file('no/server') }, () => 0);
  },
};

exports.closing_removes_the_path = {
  solo({ serve, file }) {
    serve('server', { path: file('server') }, (me, server) => {
      me.say(`there: ${fs.existsSync(file('server'))}`);
      server.close();
      me.say(`there: ${fs.existsSync(file('server'))}`);
    });
  },
};

exports.everybody_may_connect_if_asked_for = {
  solo({ serve, file }) {
    const path = file('server');
    serve('server', { path, readableAll: true, writableAll: true }, (me, server) => {
      me.say(`others: ${fs.statSync(path).mode & 0o006}`);
      server.close();
    });
  },
};

exports.the_address_is_the_path = {
  solo({ serve, file }) {
    serve('server', { path: file('server') }, (me, server) => {
      me.say(server.address());
      server.close();
    });
  },
};

exports.an_abstract_name = {
  server({ listenTo, file }) {
    listenTo(1, { path: `\0${file('name')}` }, (me, peer) => peer.end('hello'));
  },
  client({ connect }) {
    connect();
  },
};
