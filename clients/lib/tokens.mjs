// Tokens of the real provider, got with oauth4webapi.
import * as oauth from 'oauth4webapi';

import { signIn } from './browser.mjs';
import { ISSUER } from './gateway.mjs';

/** http on loopback. */
export const insecure = { [oauth.allowInsecureRequests]: true };

export async function authorizationServer() {
  const issuer = new URL(ISSUER);
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
}

/** A token response for a machine (client credentials, RFC 8707 resource indicator). */
export async function machineToken(resource, scope = 'mcp-registry:read') {
  const as = await authorizationServer();
  const client = { client_id: 'machine' };
  const secret = oauth.ClientSecretBasic('machine-secret');
  const response = await oauth.clientCredentialsGrantRequest(as, client, secret, { scope, resource }, insecure);
  return oauth.processClientCredentialsResponse(as, client, response);
}

/** The access token for one of the provider's kinds: an algorithm, `opaque`, `wrong-audience` or `short`. */
export async function tokenOfKind(kind) {
  return (await machineToken(`https://${kind.toLowerCase()}.example`)).access_token;
}

/** What a client gets when alice signs in with it (authorization code, PKCE): an ID token for the scope openid, an access token for a resource. */
export async function personsTokens(clientId, scope, resource) {
  const as = await authorizationServer();
  const client = { client_id: clientId };
  const redirectUri = 'http://127.0.0.1/callback';
  const verifier = oauth.generateRandomCodeVerifier();
  const additionalParameters = resource ? { resource } : {};
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...additionalParameters,
  });
  const parameters = oauth.validateAuthResponse(as, client, await signIn(url, redirectUri), oauth.expectNoState);
  const options = { ...insecure, additionalParameters };
  const response = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), parameters, redirectUri, verifier, options);
  return oauth.processAuthorizationCodeResponse(as, client, response);
}
