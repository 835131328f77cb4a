// oauth4webapi: the challenge through its strict parser (RFC 9110), the metadata through its RFC 9728 validation, then token and answer.
import assert from 'node:assert/strict';

import * as oauth from 'oauth4webapi';

import { ask, assertIdentity, GATEWAY, ISSUER, SERVERS } from '../lib/gateway.mjs';
import { insecure, machineToken } from '../lib/tokens.mjs';

const resource = process.env.RESOURCE;
const metadataUrl = process.env.RESOURCE_METADATA;
const scope = process.env.CHALLENGE_SCOPE || undefined;
const url = new URL(SERVERS);

/** The challenges of an answer, as the library's parser has them. */
async function challenges(request) {
  try {
    await request();
  } catch (error) {
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, String(error));
    return { status: error.status, challenges: error.cause };
  }
  throw new Error('no challenge');
}
const expected = (parameters) => [
  { scheme: 'bearer', parameters: { realm: 'mcp-registry', ...parameters, resource_metadata: metadataUrl, ...(scope && { scope }) } },
];

// Without a token: no error (RFC 6750 section 3.1). The library never sends such a request, but parses the answer to one.
const bare = await fetch(url);
assert.equal(bare.status, 401);
const issuer = { issuer: ISSUER };
const none = await challenges(() => oauth.processClientCredentialsResponse(issuer, { client_id: 'machine' }, bare));
assert.deepEqual(none.challenges, expected({}));

const bad = await challenges(() => oauth.protectedResourceRequest('not-a-jwt', 'GET', url, undefined, undefined, insecure));
assert.deepEqual(bad, { status: 401, challenges: expected({ error: 'invalid_token', error_description: 'token is malformed' }) });
console.log(JSON.stringify({ none, bad }, null, 1));

// Metadata: found from the resource identifier, and at the challenge's URL, and the same.
const identifier = new URL(resource);
const rs = await oauth.processResourceDiscoveryResponse(identifier, await oauth.resourceDiscoveryRequest(identifier, insecure));
const challenged = await fetch(metadataUrl);
assert.equal(challenged.headers.get('content-type'), 'application/json');
assert.deepEqual(await oauth.processResourceDiscoveryResponse(identifier, challenged), rs);
assert.deepEqual(rs, {
  resource,
  authorization_servers: [ISSUER],
  scopes_supported: ['mcp-registry:read', 'mcp-registry:write'],
  bearer_methods_supported: ['header'],
});
console.log(rs);

// Another resource's metadata is not this one's: either there is none, or the library refuses what it found.
const other = new URL(`${GATEWAY}/registry/default`);
await assert.rejects(async () => oauth.processResourceDiscoveryResponse(other, await oauth.resourceDiscoveryRequest(other, insecure)));

const token = await machineToken(rs.resource);
console.log({ ...token, access_token: '…' });
const answer = await oauth.protectedResourceRequest(token.access_token, 'GET', url, undefined, undefined, insecure);
assert.equal(answer.status, 200);
assertIdentity(await ask(SERVERS, token.access_token), { subject: 'machine' });

// A token that lacks the scope: 403, and the challenge says which one is needed (RFC 6750 section 3.1).
if (scope) {
  const weak = (await machineToken(rs.resource, 'mcp-registry:write')).access_token;
  const refused = await challenges(() => oauth.protectedResourceRequest(weak, 'GET', url, undefined, undefined, insecure));
  assert.equal(refused.status, 403);
  const [{ parameters }] = refused.challenges;
  assert.deepEqual([parameters.error, parameters.scope], ['insufficient_scope', scope]);
  console.log(parameters);
}
