// Opaque tokens: the gateway asks the provider (RFC 7662) with its own client's credentials.
import assert from 'node:assert/strict';

import * as oauth from 'oauth4webapi';

import { ask, assertIdentity, assertRefused, SERVERS, until } from '../lib/gateway.mjs';
import { authorizationServer, insecure, personsTokens, tokenOfKind } from '../lib/tokens.mjs';

const as = await authorizationServer();
const desktop = { client_id: 'desktop' };
const accepted = ({ status }) => status === 200;
const refused = ({ status }) => status === 401;

/** What the provider itself says, asked by the client that the gateway asks as. */
async function introspected(token) {
  const client = { client_id: 'registry-rs' };
  const secret = oauth.ClientSecretBasic(process.env.INTROSPECTION_SECRET);
  const response = await oauth.introspectionRequest(as, client, secret, token, insecure);
  return oauth.processIntrospectionResponse(as, client, response);
}

const { access_token: token } = await personsTokens(desktop.client_id, 'mcp-registry:read', 'https://opaque.example');
assert.ok(!token.includes('.'), 'an opaque token');
console.log('person', await introspected(token));
assertIdentity(await ask(SERVERS, token), { subject: 'alice', user: 'alice@company.example', client: 'desktop' });
assertIdentity(await ask(SERVERS, token), { subject: 'alice', user: 'alice@company.example', client: 'desktop' });

// A machine's: this provider names no subject for it (RFC 7662 §2.2), so the upstream is told none. Not the client's ID, which could be somebody's subject, and
// not what the client says.
const machine = await tokenOfKind('opaque');
console.log('machine', await introspected(machine));
const answer = await ask(SERVERS, machine);
assert.equal(answer.status, 200, answer.body);
const saw = JSON.parse(answer.headers['x-upstream-saw']);
assert.deepEqual(saw, { 'x-auth-provider': 'company', 'x-auth-scopes': 'mcp-registry:read', 'x-auth-client': 'machine' });

// Nobody's, and one that looks like an opaque token of Google.
assertRefused(await ask(SERVERS, 'nobody-ever-issued-this'), 'token is not active');
assertRefused(await ask(SERVERS, 'ya29.a0.nobody'), 'token is not active');

// JWTs are verified as ever, and one that was refused is not asked about.
assertIdentity(await ask(SERVERS, await tokenOfKind('PS256')), { subject: 'machine', client: 'machine' });
assertRefused(await ask(SERVERS, await tokenOfKind('wrong-audience')), 'token audience not accepted');

// Revoked (RFC 7009): refused when what was remembered has aged.
await oauth.processRevocationResponse(await oauth.revocationRequest(as, desktop, oauth.None(), token, insecure));
assert.equal((await introspected(token)).active, false);
await until(() => ask(SERVERS, token), refused, accepted, 20);
assertRefused(await ask(SERVERS, token), 'token is not active');
