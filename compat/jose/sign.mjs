// Keys and tokens made by the JavaScript library `jose`, one of each algorithm; prints them as JSON.
import { exportJWK, exportSPKI, generateKeyPair, generateSecret, SignJWT } from 'jose';

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'HS384', 'HS512'];

const claims = { sub: 'ann', iss: 'node', aud: ['shop'], groups: ['dev'] };
const made = [];
for (const alg of ALGORITHMS) {
  const kid = `node-${alg}`;
  const secret = alg.startsWith('HS') ? await generateSecret(alg, { extractable: true }) : null;
  const pair = secret ? { privateKey: secret, publicKey: secret } : await generateKeyPair(alg, { extractable: true });
  const token = await new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT' }).setIssuedAt().setExpirationTime('1h').sign(pair.privateKey);
  const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' };
  made.push({ alg, kid, token, jwk, pem: secret ? null : await exportSPKI(pair.publicKey) });
}
console.log(JSON.stringify(made));
