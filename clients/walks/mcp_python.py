"""The MCP Python SDK, from 401 to the answer.

mcp_python.py registry  the registry's API, as a machine (client credentials)
mcp_python.py machine   an MCP server behind the gateway, as a machine
mcp_python.py person    the same: dynamic registration, authorization code with PKCE, sign-in in a browser
mcp_python.py step-up   a client registered ahead, with a token that has too few scopes: 403, and a second sign-in for more
"""
import asyncio
import json
import sys
from urllib.parse import unquote

import httpx2
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.utils import extract_field_from_www_auth, extract_resource_metadata_from_www_auth
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

from common import CHALLENGE_SCOPE, FORGED, GATEWAY, ISSUER, RESOURCE_METADATA, SERVERS, Spy, sign_in

SERVER = f"{GATEWAY}/mcp"
CALLBACK = "http://127.0.0.1:1/callback"
BOTH = "mcp-registry:read,mcp-registry:write"
ALICE = {
    "x-auth-provider": "company",
    "x-auth-subject": "alice",
    "x-auth-user": "alice@company.example",
    "x-auth-scopes": BOTH,
}


class Memory:
    """Keeps in memory what a real client keeps on disk."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


def machine(server_url: str, memory: Memory) -> ClientCredentialsOAuthProvider:
    # The scope is what the challenge asks for, whatever is configured here.
    return ClientCredentialsOAuthProvider(
        server_url, memory, client_id="machine", client_secret="machine-secret", issuer=ISSUER
    )


def person(server_url: str, memory: Memory) -> OAuthClientProvider:
    called_back = []

    async def open_browser(url: str) -> None:
        print(f"browser: {unquote(url)}")
        called_back.append(await sign_in(url, CALLBACK))

    async def wait_for_callback() -> AuthorizationCodeResult:
        parameters = called_back.pop()
        return AuthorizationCodeResult(
            code=parameters["code"], state=parameters["state"], iss=parameters.get("iss")
        )

    metadata = OAuthClientMetadata(
        client_name="a client under test",
        redirect_uris=[CALLBACK],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(server_url, metadata, memory, open_browser, wait_for_callback)


def client(auth, spy: Spy) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(auth=auth, headers=FORGED, event_hooks=spy.hooks, timeout=30)


async def whoami(auth, spy: Spy) -> dict:
    async with client(auth, spy) as http, streamable_http_client(SERVER, http_client=http) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            result = await session.call_tool("whoami", {})
    return json.loads(result.content[0].text)


async def registry() -> None:
    async with httpx2.AsyncClient() as http:
        bare = await http.get(SERVERS)
    assert bare.status_code == 401, bare
    assert extract_resource_metadata_from_www_auth(bare) == RESOURCE_METADATA
    assert extract_field_from_www_auth(bare, "realm") == "mcp-registry"
    assert extract_field_from_www_auth(bare, "scope") == CHALLENGE_SCOPE
    assert extract_field_from_www_auth(bare, "error") is None
    spy = Spy()
    async with client(machine(SERVERS, Memory()), spy) as http:
        for _ in range(2):
            response = await http.get(SERVERS)
            assert response.status_code == 200, response.text
            assert response.json()["servers"]
            saw = json.loads(response.headers["x-upstream-saw"])
            assert saw == {
                "x-auth-provider": "company",
                "x-auth-subject": "machine",
                "x-auth-scopes": (CHALLENGE_SCOPE or BOTH).replace(" ", ","),
            }, saw
    assert spy.sent[0] == "GET /registry/default/v0.1/servers 401", spy.sent
    assert spy.sent[-2:] == ["GET /registry/default/v0.1/servers 200"] * 2, spy.sent


async def as_machine() -> None:
    spy = Spy()
    identity = await whoami(machine(SERVER, Memory()), spy)
    expected = {"x-auth-provider": "company", "x-auth-subject": "machine", "x-auth-scopes": BOTH}
    assert identity == expected, identity
    assert spy.sent[0] == "POST /mcp 401", spy.sent


async def as_person() -> None:
    spy = Spy()
    identity = await whoami(person(SERVER, Memory()), spy)
    assert identity == ALICE, identity
    assert spy.sent[0] == "POST /mcp 401", spy.sent


async def step_up() -> None:
    memory, spy = Memory(), Spy()
    # Dynamic registration would name the first challenge's scopes, and a strict provider would refuse others to that client.
    memory.client = OAuthClientInformationFull(
        client_id="desktop", redirect_uris=[CALLBACK], token_endpoint_auth_method="none", issuer=ISSUER
    )
    # The list of servers needs less than the MCP server does.
    async with client(person(SERVERS, memory), spy) as http:
        response = await http.get(SERVERS)
        assert response.status_code == 200, response.text
    assert "mcp-registry:write" not in memory.tokens.scope.split(), memory.tokens.scope
    spy.sent.clear()
    identity = await whoami(person(SERVER, memory), spy)
    assert identity == ALICE, identity
    assert spy.sent[0] == "POST /mcp 403", spy.sent


WALKS = {"registry": registry, "machine": as_machine, "person": as_person, "step-up": step_up}
asyncio.run(WALKS[sys.argv[1]]())
