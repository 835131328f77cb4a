"""Authlib gets a token and calls the registry with it; PyJWT and joserfc are second opinions about the same token."""
import json

import jwt
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from common import FORGED, GATEWAY, ISSUER, RESOURCE, SERVERS

AUDIENCE = "registry-api"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]

bare = requests.get(SERVERS, headers=FORGED, timeout=30)
assert bare.status_code == 401, bare.text
assert bare.json() == {"error": "unauthorized", "error_description": "authentication required"}
assert requests.options(f"{GATEWAY}/.well-known/oauth-protected-resource", timeout=30).status_code == 204

metadata = requests.get(f"{GATEWAY}/.well-known/oauth-protected-resource", timeout=30)
assert metadata.json()["resource"] == RESOURCE
(issuer,) = metadata.json()["authorization_servers"]
assert issuer == ISSUER
server = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()

session = OAuth2Session(
    "machine", "machine-secret", token_endpoint_auth_method="client_secret_basic", scope="mcp-registry:read"
)
token = session.fetch_token(server["token_endpoint"], grant_type="client_credentials", resource=RESOURCE)
response = session.get(SERVERS, headers=FORGED, timeout=30)
assert response.status_code == 200, response.text
assert response.json()["servers"]
saw = json.loads(response.headers["x-upstream-saw"])
assert saw == {
    "x-auth-provider": "company",
    "x-auth-subject": "machine",
    "x-auth-scopes": "mcp-registry:read",
}, saw

access_token = token["access_token"]
keys = requests.get(server["jwks_uri"], timeout=30).json()
key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(access_token)["kid"]]
required = {"require": ["exp", "iss", "aud"]}
claims = jwt.decode(access_token, key, algorithms=ALGORITHMS, audience=AUDIENCE, issuer=issuer, options=required)
assert claims["sub"] == "machine"
decoded = joserfc_jwt.decode(access_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
assert decoded.claims == claims
print(decoded.header, claims)
