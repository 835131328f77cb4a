// A real OpenID Provider (npm `oidc-provider`) whose resource indicators decide how access tokens look.
//
//   node provider.mjs --port PORT --keys DIRECTORY --generations 2,1 --introspection-secret SECRET [--resource URL=KIND ...]
//
// The issuer is http://127.0.0.1:PORT/realms/company. Of the generations of keys, the first one signs and all are published: a restart with others is
// a rotation. KIND is an algorithm, `opaque`,
// `wrong-audience` or `short` (one second). Whoever is asked to sign in is signed in, as alice: it is for tests, on loopback.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

import Provider, { errors } from 'oidc-provider';

import { ALGORITHMS, generationOfKeys, kid } from '../lib/keys.mjs';

const SCOPES = 'mcp-registry:read mcp-registry:write';
const PATH = '/realms/company';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    keys: { type: 'string' },
    generations: { type: 'string', default: '1' },
    resource: { type: 'string', multiple: true, default: [] },
    'introspection-secret': { type: 'string' },
  },
});
const issuer = `http://127.0.0.1:${options.port}${PATH}`;
const generations = options.generations.split(',');
const keys = await Promise.all(generations.map((generation) => generationOfKeys(options.keys, generation)));

const jwt = (alg, extra = {}) => ({
  scope: SCOPES,
  audience: 'registry-api',
  accessTokenTTL: 300,
  accessTokenFormat: 'jwt',
  jwt: { sign: { alg, kid: kid(alg, generations[0]) } },
  ...extra,
});
const KINDS = {
  ...Object.fromEntries(ALGORITHMS.map((alg) => [alg, jwt(alg)])),
  opaque: { scope: SCOPES, audience: 'registry-api', accessTokenTTL: 300, accessTokenFormat: 'opaque' },
  'wrong-audience': jwt('RS256', { audience: 'someone-else' }),
  short: jwt('RS256', { accessTokenTTL: 1 }),
};
const resources = new Map(Object.keys(KINDS).map((kind) => [`https://${kind.toLowerCase()}.example`, KINDS[kind]]));
for (const resource of options.resource) {
  const [url, kind] = resource.split('=');
  resources.set(url, KINDS[kind]);
}

const machine = (id, extra = {}) => ({
  client_id: id,
  client_secret: `${id}-secret`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: SCOPES,
  ...extra,
});

const application = (id) => ({
  client_id: id,
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'],
  application_type: 'native',
});

const provider = new Provider(issuer, {
  jwks: { keys: keys.flat() },
  clients: [
    machine('machine'),
    // The gateway, as it introspects.
    machine('registry-rs', { client_secret: options['introspection-secret'] }),
    // Registered ahead, for both scopes: an application that people sign in with.
    application('desktop'),
    // Where the audience of access tokens is the ID of a client, that client's ID tokens have it too.
    application('registry-api'),
  ],
  cookies: { keys: ['not a secret: for tests'] },
  scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
  // A person's tokens say who it is; x-auth-user is made of it.
  extraTokenClaims: (_ctx, token) => (token.accountId ? { preferred_username: `${token.accountId}@company.example` } : undefined),
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_ctx, interaction) => `${PATH}/interaction/${interaction.uid}` },
  ttl: { Session: 600, Grant: 600, Interaction: 600, IdToken: 600, AccessToken: 300, RefreshToken: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    registration: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (_ctx, client) => client.clientId === 'registry-rs' },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      // Which of the granted resources a token is for, where the token request does not say.
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => {
        if (!resources.has(resource)) throw new errors.InvalidTarget();
        return resources.get(resource);
      },
    },
  },
});
for (const event of ['server_error', 'grant.error', 'authorization.error', 'introspection.error', 'registration_create.error']) {
  provider.on(event, (_ctx, error) => console.error(event, error.message, error.error_detail ?? ''));
}

// What a person would do in a browser: sign in, then consent to everything that was asked for.
async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  const { missingOIDCScope, missingResourceScopes = {} } = prompt.details;
  let result;
  if (prompt.name === 'login') {
    result = { login: { accountId: 'alice' } };
  } else {
    const known = grantId && (await provider.Grant.find(grantId));
    const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
    for (const [resource, scopes] of Object.entries(missingResourceScopes)) grant.addResourceScope(resource, scopes.join(' '));
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const callback = provider.callback();
// How often keys were asked for since this start: a walk waits for it.
let fetches = 0;
createServer((request, response) => {
  response.on('finish', () => {
    const scheme = (request.headers.authorization ?? 'no credentials').split(' ')[0];
    console.error(`${request.method} ${(request.originalUrl ?? request.url).split('?')[0]} ${response.statusCode} (${scheme})`);
  });
  if (!request.url.startsWith(`${PATH}/`)) {
    response.writeHead(404).end();
    return;
  }
  if (request.url.startsWith(`${PATH}/interaction/`)) {
    interact(request, response).catch((error) => {
      console.error('interaction', error);
      response.writeHead(500).end();
    });
    return;
  }
  if (request.url === `${PATH}/jwks`) fetches += 1;
  if (request.url === `${PATH}/jwks/fetches`) {
    response.end(String(fetches));
    return;
  }
  // oidc-provider mounted below a path, as its documentation has it.
  request.originalUrl = request.url;
  request.url = request.url.slice(PATH.length);
  callback(request, response);
}).listen(Number(options.port), '127.0.0.1', () => console.error(`ready: ${issuer}, signing with generation ${generations[0]}`));
