// HOST PORT: twenty requests on one connection of Node's http client, with and without a body, and
// exits 0 if every answer is right and the connection was kept.
'use strict';

const assert = require('node:assert');
const http = require('node:http');

const [host, port] = [process.argv[2], Number(process.argv[3])];
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();

function ask(number) {
  if (number === 20) {
    assert.strictEqual(sockets.size, 1, 'the connection was not kept');
    agent.destroy();
    return;
  }
  const method = ['GET', 'HEAD', 'POST'][number % 3];
  const request = http.request({ host, port, agent, method }, (response) => {
    sockets.add(response.socket);
    assert.strictEqual(response.statusCode, 200);
    assert.strictEqual(response.headers['content-length'], '64');
    assert(Math.abs(Date.now() - Date.parse(response.headers.date)) < 60_000);
    let bytes = 0;
    response.on('data', (data) => { bytes += data.length; });
    response.on('end', () => {
      assert.strictEqual(bytes, method === 'HEAD' ? 0 : 64);
      ask(number + 1);
    });
  });
  if (method === 'POST') {
    request.write('x'.repeat(number * 10_000)); // of no length, so in chunks
    request.write('y');
  }
  request.end();
}

ask(0);
