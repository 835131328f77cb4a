// Real tokens that must be refused, and why: for another audience, tampered with, of another issuer, not an access token, expired.
import assert from 'node:assert/strict';

import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';

import { ask, assertIdentity, assertRefused, SERVERS, until } from '../lib/gateway.mjs';
import { personsTokens, tokenOfKind } from '../lib/tokens.mjs';

const walks = {
  async 'wrong-audience'() {
    const token = await tokenOfKind('wrong-audience');
    assert.equal(decodeJwt(token).aud, 'someone-else');
    assertRefused(await ask(SERVERS, token), 'token audience not accepted');
  },

  async forged() {
    const token = await tokenOfKind('RS256');
    const claims = decodeJwt(token);
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await new SignJWT({ ...claims, sub: 'root' }).setProtectedHeader(decodeProtectedHeader(token)).sign(privateKey);
    assertRefused(await ask(SERVERS, forged), 'token signature invalid');
    // Another token's signature under these claims.
    const other = (await tokenOfKind('RS256')).split('.')[2];
    assertRefused(await ask(SERVERS, [...token.split('.').slice(0, 2), other].join('.')), 'token signature invalid');
    const stranger = await new SignJWT({ ...claims, iss: `${claims.iss}/` }).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
    assertRefused(await ask(SERVERS, stranger), 'token issuer not accepted');
  },

  async 'id-token'() {
    // What these ID tokens of this provider say is less than an access token does, and nothing else: no type, no hash.
    const token = await idToken('desktop');
    assert.deepEqual(Object.keys(decodeJwt(token)).sort(), ['aud', 'exp', 'iat', 'iss', 'sub']);
    assertRefused(await ask(SERVERS, token), 'token audience not accepted');
    // Of a client whose ID is the audience: they have no scopes.
    const response = await ask(SERVERS, await idToken('registry-api'));
    assert.equal(response.status, 403, response.body);
    assert.equal(JSON.parse(response.body).error, 'insufficient_scope');
    assert.equal(response.headers['x-upstream-saw'], undefined);
  },

  async expired() {
    const token = await tokenOfKind('short');
    assertIdentity(await ask(SERVERS, token), { subject: 'machine' });
    const end = decodeJwt(token).exp * 1000;
    const question = async () => ({ asked: Date.now(), ...(await ask(SERVERS, token)) });
    // Accepted before, remembered, and yet refused as soon as its time is over.
    await until(question, ({ status }) => status === 401, ({ status, asked }) => status === 200 && asked < end);
    const refused = await ask(SERVERS, token);
    assertRefused(refused, 'token expired');
  },
};

const idToken = async (clientId) => (await personsTokens(clientId, 'openid')).id_token;

await walks[process.argv[2]]();
