// Scenarios of text, for Node: see c_encoding.rs.
'use strict';

/** Bytes that mean something, and some that mean nothing, in each encoding. */
const BYTES = Buffer.from('616200c3a4e282acf09f9880ff80c3e28220f09f98d83d00de41', 'hex');

/** The client is told them as text. */
function encoded(encoding) {
  return {
    server({ listen }) {
      listen((me, peer) => peer.end(BYTES));
    },
    client({ connect }) {
      const [, client] = connect();
      client.setEncoding(encoding);
    },
  };
}

exports.utf8 = encoded('utf8');
exports.utf16le = {
  server({ listen }) {
    listen((me, peer) => peer.end(Buffer.from('aä€😀', 'utf16le')));
  },
  client({ connect }) {
    const [, client] = connect();
    client.setEncoding('utf16le');
  },
};
exports.latin1 = encoded('latin1');
exports.ascii = encoded('ascii');
exports.base64 = encoded('base64');
exports.base64url = encoded('base64url');
exports.hex = encoded('hex');

/** The two halves of a character come with two reads. */
exports.a_character_across_two_reads = {
  server({ Actor, listenTo }) {
    listenTo(2, {}, (me, peer) => {
      if (me.name === 'peer') return peer.write(Buffer.from([0x61, 0xe2, 0x82]));
      Actor.socket('peer').end(Buffer.from([0xac, 0x62]));
      peer.destroy();
    });
  },
  client({ connect, connectAs }) {
    const [, client] = connect();
    client.setEncoding('utf8');
    client.once('data', () => connectAs('second'));
  },
};
