// What a client really sends: a `fetch` that writes each request and its status on standard output.

export function spying(headers = {}) {
  const sent = [];
  const spy = async (input, init = {}) => {
    const request = new Request(input, init);
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    const form = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded');
    const body = form ? await request.clone().text() : '';
    const response = await fetch(request);
    const version = request.headers.get('mcp-protocol-version');
    const scheme = request.headers.get('authorization')?.split(' ')[0];
    const url = new URL(request.url);
    sent.push(`${request.method} ${url.pathname} ${response.status}`);
    console.log(
      [request.method, request.url, `-> ${response.status}`, scheme && `authorization: ${scheme}`, version && `mcp-protocol-version: ${version}`, redacted(body)]
        .filter(Boolean)
        .join('  '),
    );
    return response;
  };
  return { spy, sent };
}

function redacted(form) {
  const parameters = new URLSearchParams(form);
  for (const name of ['client_secret', 'code', 'code_verifier', 'refresh_token']) if (parameters.has(name)) parameters.set(name, '…');
  return decodeURIComponent(parameters.toString());
}
