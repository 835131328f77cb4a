// An access token signed with one algorithm: ALGORITHM. A second opinion (RFC 9068, oauth4webapi) agrees.
import assert from 'node:assert/strict';

import { decodeProtectedHeader } from 'jose';
import * as oauth from 'oauth4webapi';

import { ask, assertIdentity, SERVERS } from '../lib/gateway.mjs';
import { authorizationServer, insecure, tokenOfKind } from '../lib/tokens.mjs';

const [algorithm] = process.argv.slice(2);
const token = await tokenOfKind(algorithm);
const header = decodeProtectedHeader(token);
assert.equal(header.alg, algorithm);
console.log('header', header);

// Twice: verified, then recognised.
assertIdentity(await ask(SERVERS, token), { subject: 'machine' });
assertIdentity(await ask(SERVERS, token), { subject: 'machine' });

const request = new Request(SERVERS, { headers: { authorization: `Bearer ${token}` } });
const options = { ...insecure, signingAlgorithms: [algorithm] };
const claims = await oauth.validateJwtAccessToken(await authorizationServer(), request, 'registry-api', options);
console.log('claims', claims);
