"""What the Python walks share: where things are, a browser that signs in, and a log of what a client really sent."""
import os
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2

GATEWAY = os.environ["GATEWAY"]
ISSUER = os.environ["ISSUER"]
RESOURCE = os.environ["RESOURCE"]
RESOURCE_METADATA = os.environ["RESOURCE_METADATA"]
CHALLENGE_SCOPE = os.environ.get("CHALLENGE_SCOPE") or None
SERVERS = f"{GATEWAY}/registry/default/v0.1/servers?limit=2"
# What a client must not be able to say.
FORGED = {"x-auth-subject": "root", "x-auth-scopes": "mcp-registry:admin", "x_auth_user": "root"}
SECRETS = {"client_secret", "code", "code_verifier", "refresh_token"}


async def sign_in(authorization_url: str, redirect_uri: str) -> dict[str, str]:
    """Opens an authorization request as a browser does; returns the parameters of the callback."""
    async with httpx2.AsyncClient(follow_redirects=False) as browser:
        url = authorization_url
        for _ in range(20):
            response = await browser.get(url)
            assert response.is_redirect, f"{response.status_code} at {url}: {response.text}"
            url = urljoin(url, response.headers["location"])
            if url.startswith(f"{redirect_uri}?"):
                return dict(parse_qsl(urlsplit(url).query))
    raise AssertionError("redirects without end")


class Spy:
    """Event hooks that log each request with its status."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def on_response(self, response: httpx2.Response) -> None:
        request = response.request
        self.sent.append(f"{request.method} {request.url.path} {response.status_code}")
        line = [request.method, str(request.url), f"-> {response.status_code}"]
        if authorization := request.headers.get("authorization"):
            line.append(f"authorization: {authorization.split()[0]}")
        if version := request.headers.get("mcp-protocol-version"):
            line.append(f"mcp-protocol-version: {version}")
        if request.headers.get("content-type") == "application/x-www-form-urlencoded":
            form = parse_qsl(request.content.decode())
            line.append("&".join(f"{name}={'…' if name in SECRETS else value}" for name, value in form))
        print("  ".join(line))

    @property
    def hooks(self) -> dict:
        return {"response": [self.on_response]}

