// The MCP TypeScript SDK's client and an MCP server behind the gateway: connects, and calls a tool that says who it was called by.
//
//   mcp-typescript.mjs machine  client credentials
//   mcp-typescript.mjs person   dynamic registration, authorization code with PKCE, sign-in in a browser
//   mcp-typescript.mjs step-up  a client registered ahead, with a token that has too few scopes: 403, and a second sign-in for more
import assert from 'node:assert/strict';

import { ClientCredentialsProvider } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { auth, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { signIn } from '../lib/browser.mjs';
import { FORGED, GATEWAY, ISSUER } from '../lib/gateway.mjs';
import { spying } from '../lib/spy.mjs';

const SERVER = new URL(`${GATEWAY}/mcp`);
const CALLBACK = 'http://127.0.0.1:1/callback';
const { spy, sent } = spying(FORGED);

/** Keeps in memory what a real client keeps on disk. */
class Person {
  redirectUrl = CALLBACK;
  clientMetadata = {
    client_name: 'a client under test',
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  #kept = {};
  clientInformation = () => this.#kept.client;
  saveClientInformation = (client) => void (this.#kept.client = client);
  tokens = () => this.#kept.tokens;
  saveTokens = (tokens) => void (this.#kept.tokens = tokens);
  codeVerifier = () => this.#kept.verifier;
  saveCodeVerifier = (verifier) => void (this.#kept.verifier = verifier);
  redirectToAuthorization(url) {
    console.log(`browser: ${decodeURIComponent(url.href)}`);
    this.browser = signIn(url, CALLBACK);
  }
  /** The code with which the browser came back. */
  async code() {
    return (await this.browser).get('code');
  }
}

const transport = (authProvider) => new StreamableHTTPClientTransport(SERVER, { authProvider, fetch: spy });

async function whoami(authProvider) {
  const client = new Client({ name: 'walk', version: '1.0.0' });
  await client.connect(transport(authProvider));
  const { content } = await client.callTool({ name: 'whoami' });
  await client.close();
  return JSON.parse(content[0].text);
}

/** The first attempt ends with the browser being opened; the second one has a token. */
async function whoamiAfterSignIn(person) {
  const first = transport(person);
  await assert.rejects(new Client({ name: 'walk', version: '1.0.0' }).connect(first), UnauthorizedError);
  await first.finishAuth(await person.code());
  await first.close();
  return whoami(person);
}

// A challenge that names scopes is followed; otherwise all are asked for that the metadata advertises.
const scopes = 'mcp-registry:read,mcp-registry:write';
const alice = { 'x-auth-provider': 'company', 'x-auth-subject': 'alice', 'x-auth-user': 'alice@company.example', 'x-auth-scopes': scopes };

switch (process.argv[2]) {
  case 'machine': {
    const scope = scopes.replace(',', ' ');
    const machine = { clientId: 'machine', clientSecret: 'machine-secret', expectedIssuer: ISSUER, scope };
    const identity = await whoami(new ClientCredentialsProvider(machine));
    assert.deepEqual(identity, { 'x-auth-provider': 'company', 'x-auth-subject': 'machine', 'x-auth-scopes': scopes });
    break;
  }
  case 'person':
    assert.deepEqual(await whoamiAfterSignIn(new Person()), alice);
    break;
  case 'step-up': {
    // Dynamic registration would name the first challenge's scopes, and a strict provider would refuse others to that client.
    const person = new Person();
    person.saveClientInformation({ client_id: 'desktop' });
    const resourceMetadataUrl = new URL(process.env.RESOURCE_METADATA);
    const options = { serverUrl: SERVER, resourceMetadataUrl, scope: 'mcp-registry:read', fetchFn: spy };
    assert.equal(await auth(person, options), 'REDIRECT');
    assert.equal(await auth(person, { ...options, authorizationCode: await person.code() }), 'AUTHORIZED');
    assert.equal(person.tokens().scope, 'mcp-registry:read');
    sent.length = 0;
    assert.deepEqual(await whoamiAfterSignIn(person), alice);
    assert.equal(sent.at(0), 'POST /mcp 403');
    break;
  }
  default:
    throw new Error('machine, person or step-up');
}
if (process.argv[2] !== 'step-up') assert.equal(sent.at(0), 'POST /mcp 401');
