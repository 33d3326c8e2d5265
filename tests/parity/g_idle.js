// Scenarios of the idle timeout, for Node: see g_idle.rs.
'use strict';

exports.a_timeout_is_told_once_and_the_socket_stays_open = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => client.setTimeout(10));
    client.on('timeout', () => {
      me.state(client);
      setTimeout(() => {
        client.setTimeout(0);
        client.end('hello');
      }, 60);
    });
  },
};

exports.activity_arms_it_again = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    let times = 0;
    client.on('ready', () => client.setTimeout(10));
    client.on('timeout', () => {
      times += 1;
      if (times === 3) {
        client.setTimeout(0);
        return client.end();
      }
      me.say(`write: ${client.write('x')}`);
    });
  },
};

exports.a_timeout_of_zero_turns_it_off = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [me, client] = connect();
    client.on('ready', () => {
      client.setTimeout(10);
      client.setTimeout(0);
      me.say(`timeout ${client.timeout || 'none'}`);
      setTimeout(() => client.end(), 60);
    });
  },
};

exports.destroyed_in_timeout = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => client.setTimeout(10));
    client.on('timeout', () => client.destroy());
  },
};

exports.a_timeout_set_by_the_options_of_connect = {
  server({ listen }) {
    listen();
  },
  client({ connectAs }) {
    const [me, client] = connectAs('client', { timeout: 250 });
    me.say(`timeout ${client.timeout}`);
    client.on('timeout', () => client.end());
  },
};

exports.no_timeout_after_destroy = {
  server({ listen }) {
    listen();
  },
  client({ connect }) {
    const [, client] = connect();
    client.on('ready', () => {
      client.setTimeout(10);
      client.destroy();
      client.setTimeout(10);
      setTimeout(() => 0, 60);
    });
  },
};
