// Tokens across a change of the provider's keys. Between the steps, scripts/test-clients starts the provider anew with other keys.
//
//   rotation.mjs save FILE       a token that is accepted now
//   rotation.mjs published FILE  the next key is published ahead; waits until the gateway has fetched it
//   rotation.mjs overlap FILE    the provider signs with a new key and still publishes the old one: both tokens are accepted
//   rotation.mjs ended FILE      the old key is not published any more: its token is refused, a new one is accepted
//
// In no step is a good token answered anything but 200, although the provider is away for a moment each time.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

import { decodeProtectedHeader } from 'jose';

import { ask, assertIdentity, assertRefused, ISSUER, SERVERS, until } from '../lib/gateway.mjs';
import { tokenOfKind } from '../lib/tokens.mjs';

const [step, file] = process.argv.slice(2);
const kid = (token) => decodeProtectedHeader(token).kid;
const accepted = ({ status }) => status === 200;
const never = () => false;
/** Often enough, on connections of their own, that each worker is asked. */
const stays = (token) => until(() => ask(SERVERS, token), accepted, never, 20);

async function newToken(old) {
  const token = await tokenOfKind('ES256');
  assert.notEqual(kid(token), kid(old));
  console.log(`old ${kid(old)}, new ${kid(token)}`);
  return token;
}

const steps = {
  async save() {
    const token = await tokenOfKind('ES256');
    await stays(token);
    writeFileSync(file, token, { mode: 0o600 });
  },

  async published(old) {
    const asked = async () => ({ ...(await ask(SERVERS, old)), fetches: Number((await ask(`${ISSUER}/jwks/fetches`)).body) });
    // When it fetches a second time, what it fetched the first time is in force.
    await until(asked, ({ status, fetches }) => status === 200 && fetches >= 2, accepted);
  },

  async overlap(old) {
    const token = await newToken(old);
    await stays(token);
    await stays(old);
    assertIdentity(await ask(SERVERS, token), { subject: 'machine' });
  },

  async ended(old) {
    const token = await newToken(old);
    await stays(token);
    // A worker that has not taken over the new keys yet may still accept it.
    await until(() => ask(SERVERS, old), ({ status }) => status === 401, accepted, 20);
    assertRefused(await ask(SERVERS, old), 'token signing key unknown');
    await stays(token);
  },
};

await steps[step](step === 'save' ? undefined : readFileSync(file, 'utf8'));
