// Real tokens that must be refused, and why: for another audience, tampered with, of another issuer, not an access token, expired.
import assert from 'node:assert/strict';

import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';

import { signIn } from '../lib/browser.mjs';
import { ask, assertIdentity, assertRefused, SERVERS, until } from '../lib/gateway.mjs';
import { authorizationServer, insecure, tokenOfKind } from '../lib/tokens.mjs';

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
    const as = await authorizationServer();
    const client = { client_id: 'desktop' };
    const redirectUri = 'http://127.0.0.1/callback';
    const verifier = oauth.generateRandomCodeVerifier();
    const url = new URL(as.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const parameters = oauth.validateAuthResponse(as, client, await signIn(url, redirectUri), oauth.expectNoState);
    const response = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), parameters, redirectUri, verifier, insecure);
    const { id_token: token } = await oauth.processAuthorizationCodeResponse(as, client, response);
    console.log(decodeProtectedHeader(token), decodeJwt(token));
    // Of this provider it has neither a type nor a hash that would tell it from an access token: only its audience does, the client.
    assert.equal(decodeJwt(token).aud, 'desktop');
    assertRefused(await ask(SERVERS, token), 'token audience not accepted');
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

await walks[process.argv[2]]();
