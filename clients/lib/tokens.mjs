// Tokens of the real provider, got with oauth4webapi.
import * as oauth from 'oauth4webapi';

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
