// A server on the official TypeScript SDK, with what the clients here ask for.
//
//     node server.mjs PORT
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const text = (words) => ({ content: [{ type: 'text', text: words }] });

function fixture() {
  const server = new McpServer({ name: 'interop', version: '1' });
  server.registerTool('test_simple_text', { description: 'words' }, async () => text('This is a simple text response for testing.'));
  server.registerTool('secret_tool', { description: 'not for everybody' }, async () => text('a secret'));
  server.registerTool('test_error_handling', { description: 'fails' }, async () => { throw new Error('on purpose'); });
  server.registerTool('test_tool_with_progress', { description: 'takes steps' }, async (extra) => {
    for (const progress of [0, 50, 100]) {
      const params = { progressToken: extra._meta?.progressToken, progress, total: 100 };
      await extra.sendNotification({ method: 'notifications/progress', params });
    }
    return text('done');
  });
  server.registerResource('text', 'test://static-text', {}, async (uri) => (
    { contents: [{ uri: uri.href, text: 'This is the content of the static text resource.' }] }));
  server.registerPrompt('test_simple_prompt', { description: 'The fixture test_simple_prompt' }, () => (
    { messages: [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }] }));
  return server;
}

const sessions = new Map();

async function transport(id) {
  if (sessions.has(id)) return sessions.get(id);
  const made = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (known) => sessions.set(known, made),
  });
  await fixture().connect(made);
  return made;
}

createServer(async (req, res) => {
  await (await transport(req.headers['mcp-session-id'])).handleRequest(req, res);
}).listen(Number(process.argv[2]), '127.0.0.1');
