// The official TypeScript client with `trilithon sample tools` behind the gateway; see sample.py.
//
//     node sample.mjs URL: one JSON object a line
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const say = (name, right) => console.log(JSON.stringify({ client: 'TypeScript → sample', case: name, right }));
const client = new Client({ name: 'interop', version: '1' });
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
const call = (name, args = {}) => client.callTool({ name, arguments: args });
const names = (await client.listTools()).tools.map((tool) => tool.name).sort();
say('tools are listed', names.join() === 'cancel_refund,list_orders,read_notes,refund_order');
const orders = await call('list_orders');
say('a call', !orders.isError && orders.structuredContent !== undefined);
const refund = await call('refund_order', { order: 'o-1001', amount: 1 });
const back = await call('cancel_refund', { refund: refund.structuredContent.refund });
say('a call, and back', back.structuredContent.cancelled === true);
const failed = await call('refund_order', { order: 'o-7', amount: 1 });
say('a failing call', failed.isError === true && failed.content[0].text === 'there is no order `o-7`');
say('notes', (await call('read_notes')).content[0].text.includes('grace@example.com'));
await client.close();
