// The official TypeScript client with an API that is offered as tools; see api.py.
//
//     node api.mjs URL: one JSON object a line
import { isDeepStrictEqual } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const say = (name, right) => console.log(JSON.stringify({ client: 'TypeScript → API', case: name, right }));
const client = new Client({ name: 'interop', version: '1' });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const tools = Object.fromEntries((await client.listTools()).tools.map((tool) => [tool.name, tool]));
const call = (name, args = {}) => client.callTool({ name, arguments: args });
say('tools are listed', Object.keys(tools).sort().join() === 'addPet,get_pets_by_id,lookAtPet,oddPet,showPet');
say('with their schema', tools.addPet.inputSchema.properties.body.$ref === '#/$defs/Pet');
say('a call', isDeepStrictEqual((await call('get_pets_by_id', { id: 7 })).structuredContent, { id: 7, asked: '/v1/pets/7' }));
say('a call with a body', (await call('addPet', { body: { name: 'Rex' } })).structuredContent.name === 'Rex');
const [photo] = (await call('lookAtPet', { id: 7 })).content;
say('a picture', photo.type === 'image' && photo.mimeType === 'image/png');
const shown = await call('showPet', { id: 7, body: { photo: photo.data, title: 'Rex' } });
say('a file', isDeepStrictEqual(shown.structuredContent, { photo: ['photo', true], title: [null, false] }));
const odd = { kind: 'dog', born: null, mother: { id: 'x' }, more: [1] };
say('an odd answer', isDeepStrictEqual((await call('oddPet')).structuredContent, odd));
say('its schema', tools.oddPet.outputSchema.type === 'object');
say('a failing call', (await call('get_pets_by_id', { id: 404 })).isError === true);
say('what does not fit', (await call('get_pets_by_id', { id: '7' })).content[0].text === '`id` is no integer');
await client.close();
