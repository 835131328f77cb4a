// The gateway as a walk sees it: where it is, one request to it, and what must be true of the answer.
import assert from 'node:assert/strict';
import { request } from 'node:http';

export const GATEWAY = process.env.GATEWAY;
export const ISSUER = process.env.ISSUER;
/** A request of the registry's API. */
export const SERVERS = `${GATEWAY}/registry/default/v0.1/servers?limit=2`;
/** What a client must not be able to say. */
export const FORGED = { 'x-auth-subject': 'root', 'x-auth-scopes': 'mcp-registry:admin', x_auth_user: 'root' };

/** One request on a connection of its own. */
export function ask(url, token, headers = FORGED) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, headers: { ...headers, ...authorization } }, async (response) => {
      let body = '';
      for await (const piece of response.setEncoding('utf8')) body += piece;
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    sent.on('error', reject).end();
  });
}

/** The registry answered, and it was told this identity and nothing else. */
export function assertIdentity(response, { subject, user, client, scopes = 'mcp-registry:read' }) {
  assert.equal(response.status, 200, response.body);
  assert.ok(Array.isArray(JSON.parse(response.body).servers), response.body);
  const expected = { 'x-auth-provider': 'company', 'x-auth-subject': subject, 'x-auth-scopes': scopes };
  if (user) expected['x-auth-user'] = user;
  if (client) expected['x-auth-client'] = client;
  assert.deepEqual(JSON.parse(response.headers['x-upstream-saw']), expected);
}

/** The gateway refused by itself, with this description, and nothing reached the upstream. */
export function assertRefused(response, description) {
  assert.equal(response.status, 401, response.body);
  assert.deepEqual(JSON.parse(response.body), { error: 'invalid_token', error_description: description });
  assert.match(response.headers['www-authenticate'], new RegExp(`^Bearer .*error="invalid_token", error_description="${description}"`));
  assert.equal(response.headers['x-upstream-saw'], undefined);
}

/**
 * Asks until an answer is what is waited for, at most 20 seconds. Each other answer must be one that may come meanwhile.
 * `times` answers in a row are needed: they come from different workers.
 */
export async function until(question, awaited, meanwhile, times = 1) {
  const deadline = Date.now() + 20_000;
  for (let row = 0; row < times; ) {
    const response = await question();
    if (awaited(response)) {
      row += 1;
      continue;
    }
    row = 0;
    assert.ok(meanwhile(response), `${response.status} ${response.body}`);
    assert.ok(Date.now() < deadline, `still ${response.status} ${response.body}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
