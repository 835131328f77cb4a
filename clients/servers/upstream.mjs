// What stands behind the gateway: an MCP server at /mcp, and the registry for everything below /registry.
//
//   node upstream.mjs --port PORT --registry URL
//
// Every response bears `x-upstream-saw`: the identity headers of the request, as JSON. A response without it never came from here.
import { createServer, request as forward } from 'node:http';
import { parseArgs } from 'node:util';

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const { values: options } = parseArgs({ options: { port: { type: 'string' }, registry: { type: 'string' } } });

const identity = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => /^x[-_]auth[-_]/.test(name)));

// One server and one transport a request, as the SDK has it for servers without sessions.
async function serveMcp(request, response) {
  const server = new McpServer({ name: 'whoami', version: '1.0.0' });
  server.registerTool('whoami', { description: 'The identity headers of the request' }, ({ requestInfo }) => ({
    content: [{ type: 'text', text: JSON.stringify(identity(requestInfo.headers)) }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

function serveRegistry(request, response) {
  const { method, headers, url } = request;
  const onward = forward(new URL(options.registry + url), { method, headers }, (answer) => {
    for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  });
  onward.on('error', () => response.writeHead(502).end());
  request.pipe(onward);
}

createServer((request, response) => {
  const path = request.url.split('?')[0];
  response.setHeader('x-upstream-saw', JSON.stringify(identity(request.headers)));
  if (path === '/mcp') {
    // Without sessions there is nothing to listen to and nothing to end.
    if (request.method !== 'POST') return response.writeHead(405, { allow: 'POST' }).end();
    return serveMcp(request, response).catch((error) => {
      console.error('mcp', error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  }
  if (path.startsWith('/registry/')) return serveRegistry(request, response);
  return response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
}).listen(Number(options.port), '127.0.0.1', () => console.error('ready'));
