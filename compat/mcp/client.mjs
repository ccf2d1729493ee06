// The official TypeScript client through the gateway; see client.py.
//
//     node client.mjs SERVER URL: one JSON object a line
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [server, url] = process.argv.slice(2);
const say = (name, right) => console.log(JSON.stringify({ client: `TypeScript → ${server}`, case: name, right }));
const refused = (call) => call.then(() => false, () => true);

const client = new Client({ name: 'interop', version: '1' }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'accept', content: { response: 'yes' } }));
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const names = (await client.listTools()).tools.map((tool) => tool.name);
say('tools are listed', names.includes('test_simple_text'));
say('a hidden tool is not', !names.includes('secret_tool'));
const call = (name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);
say('a call', (await call('test_simple_text')).content[0].text === 'This is a simple text response for testing.');
say('a denied call', await refused(call('secret_tool')));
say('still there', !(await call('test_simple_text')).isError);
const steps = [];
await call('test_tool_with_progress', {}, { onprogress: (step) => steps.push(step.progress) });
say('progress', steps.join() === '0,50,100');
say('a failing tool', (await call('test_error_handling')).isError === true);
say('a resource', (await client.readResource({ uri: 'test://static-text' })).contents[0].text.includes('static text resource'));
say('a prompt', (await client.getPrompt({ name: 'test_simple_prompt' })).messages[0].content.text.includes('simple prompt'));
if (server !== 'TypeScript') {
  const answer = await call('test_elicitation', { message: 'well?' });
  say('a question back', answer.content[0].text.includes('action=accept'));
}
await client.close();
