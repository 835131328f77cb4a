// The MCP TypeScript SDK and the registry's API: `fetch` with the SDK's OAuth middleware, as a machine, from 401 to the list of servers.
import assert from 'node:assert/strict';

import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { discoverOAuthProtectedResourceMetadata, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import { applyMiddlewares, withOAuth } from '@modelcontextprotocol/sdk/client/middleware.js';

import { ask, assertIdentity, FORGED, ISSUER, SERVERS } from '../lib/gateway.mjs';
import { spying } from '../lib/spy.mjs';

// What it makes of the challenge.
const bare = await fetch(SERVERS);
assert.equal(bare.status, 401);
const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(bare);
const expected = [process.env.RESOURCE_METADATA, process.env.CHALLENGE_SCOPE || undefined, undefined];
assert.deepEqual([resourceMetadataUrl.href, scope, error], expected);

console.log('metadata without a challenge:');
const metadata = await discoverOAuthProtectedResourceMetadata(SERVERS, undefined, spying().spy);
assert.equal(metadata.resource, process.env.RESOURCE);

console.log('from 401 to 200:');
const provider = new ClientCredentialsProvider({
  clientId: 'machine',
  clientSecret: 'machine-secret',
  expectedIssuer: ISSUER,
  scope: 'mcp-registry:read',
});
const { spy, sent } = spying(FORGED);
const response = await applyMiddlewares(withOAuth(provider, SERVERS))(spy)(SERVERS);
assert.equal(response.status, 200);
assert.equal(sent.at(0), 'GET /registry/default/v0.1/servers 401');
assert.equal(sent.at(-1), 'GET /registry/default/v0.1/servers 200');
const saw = JSON.parse(response.headers.get('x-upstream-saw'));
assert.equal(saw['x-auth-subject'], 'machine');
assertIdentity(await ask(SERVERS, provider.tokens().access_token), { subject: 'machine' });
