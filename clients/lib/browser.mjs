// A browser, as far as signing in needs one: it follows redirects, keeps cookies, and stops where the client is called back.

/** Opens an authorization request; returns the parameters of the callback. */
export async function signIn(authorizationUrl, redirectUri) {
  const cookies = new Map();
  let url = new URL(authorizationUrl);
  for (let hops = 0; hops < 20; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: cookie ? { cookie } : {} });
    await response.body?.cancel();
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`${response.status} at ${url}, and no redirect`);
    url = new URL(location, url);
    if (url.href.startsWith(`${redirectUri}?`)) return url.searchParams;
  }
  throw new Error('redirects without end');
}
