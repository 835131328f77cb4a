// The provider's signing keys: a generation is one key for each algorithm, made once and kept in a file.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { exportJWK, generateKeyPair } from 'jose';

export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

export const kid = (alg, generation) => `${alg}-${generation}`;

/** Private JWKs. */
export async function generationOfKeys(directory, generation) {
  const file = join(directory, `generation-${generation}.json`);
  if (!existsSync(file)) {
    const keys = [];
    for (const alg of ALGORITHMS) {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      keys.push({ ...(await exportJWK(privateKey)), alg, use: 'sig', kid: kid(alg, generation) });
    }
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}
