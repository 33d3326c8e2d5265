// Writes what Node's StringDecoder makes of bytes in pieces: node record.js > recorded.txt
//
// A line is an encoding, the pieces, and for each of them the text it brought, with that of end()
// last; all in hex, texts in UTF-8. Of utf16le the text is recorded as a whole: a piece of Node's
// may end in half a surrogate pair, which UTF-8 cannot hold.
const { StringDecoder } = require('node:string_decoder');

const SAMPLES = {
  utf8: [
    '', '61', '68c3a96c6c6f', 'e282ac', 'f09f9880', '61e282acf09f988062', 'efbbbf61', 'eda080',
    'edb080', 'eda0bdedb880', 'c080', 'e08080', 'f0808080', 'f0908080', 'f48fbfbf', 'f4908080', 'f5808080',
    'f8888080', 'fe', 'ff', '80', '808080808080', 'c3', 'c341', 'c3c3a9', 'e282', 'e28261', 'e282e282ac',
    'f09f98', 'f09f9861', 'f09f98c3a9', 'f09ff09f9880', 'f09f41', 'e0e0a080', 'f0f0908080', 'c3a9808080a9',
  ],
  utf16le: [
    '', '41', '4100', '410042', '3dd800de', '41003dd800de4200', '3dd8', '3dd841', '3dd83d', '3dd83dd800de',
    '3dd84100', '00de', '00de3dd8', '00de00de', '3dd800de00', 'fffe4100', '3dd83dd83dd8', '00d800dcffdbffdf',
  ],
  latin1: ['', '41', '80ff41', 'c3a9', '007f80'],
  ascii: ['', '41', '80ff41', 'c3a9', '007f80'],
  base64: ['', 'ff', 'ffff', 'ffffff', 'fbefbefb', '0001020304', '6869206a6b6c'],
  base64url: ['', 'ff', 'ffff', 'ffffff', 'fbefbefb', '0001020304', '6869206a6b6c'],
  hex: ['', '00', 'ff', '0123456789abcdef'],
};

// The same numbers at each run.
let state = 1;
function below(bound) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * bound);
}

// Bytes that decide something turn up often.
const TELLING = [0x00, 0x41, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc3, 0xd8, 0xdc, 0xe2, 0xed, 0xf0, 0xf4, 0xff];

function drawn() {
  const byte = () => (below(4) ? TELLING[below(TELLING.length)] : below(256));
  return Buffer.from(Array.from({ length: 2 + below(14) }, byte));
}

function split(bytes, likely) {
  const pieces = [];
  let start = 0;
  for (let at = 1; at < bytes.length; at++) {
    if (below(100) < likely) {
      pieces.push(bytes.subarray(start, at));
      start = at;
    }
  }
  pieces.push(bytes.subarray(start));
  return pieces;
}

function record(encoding, pieces) {
  const decoder = new StringDecoder(encoding);
  let texts = pieces.map((piece) => decoder.write(piece));
  texts.push(decoder.end());
  if (encoding === 'utf16le') texts = [texts.join('').toWellFormed()];
  const hex = (list) => list.map((it) => Buffer.from(it).toString('hex')).join('|');
  console.log(`${encoding} ${hex(pieces)} ${hex(texts)}`);
}

for (const [encoding, samples] of Object.entries(SAMPLES)) {
  for (const sample of samples) {
    const bytes = Buffer.from(sample, 'hex');
    record(encoding, [bytes]);
    if (bytes.length > 1) record(encoding, split(bytes, 100));
    if (bytes.length > 2) record(encoding, split(bytes, 40));
  }
  const more = encoding.startsWith('utf') ? 60 : 10;
  for (let i = 0; i < more; i++) record(encoding, split(drawn(), [0, 30, 60][i % 3]));
}
