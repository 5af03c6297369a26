// Gets identity tokens and checks them as a receiver would: by the issuer's address alone.
import * as core from '@actions/core'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import fs from 'node:fs'

const told = {}
try {
  const token = await core.getIDToken('sts.example.com')
  const issuer = JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).iss
  const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
  const keys = createRemoteJWKSet(new URL(discovery.jwks_uri))
  const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer: discovery.issuer, audience: 'sts.example.com' })
  told.algorithm = protectedHeader.alg
  told.supported = discovery.id_token_signing_alg_values_supported
  told.undeclared = Object.keys(payload).filter(it => !discovery.claims_supported.includes(it))
  told.claims = { sub: payload.sub, repository: payload.repository, ref: payload.ref, run_id: payload.run_id }
  told.claims.job_workflow_ref = payload.job_workflow_ref
  told.claims.environment = payload.environment ?? null
  told.lifetime = payload.exp - payload.iat
  const forged = token.slice(0, -6) + 'AAAAAA'
  told.forged = await jwtVerify(forged, keys).then(() => 'accepted', error => error.code)
  const plain = await core.getIDToken()
  told.audience = JSON.parse(Buffer.from(plain.split('.')[1], 'base64url')).aud.replace(/\d+/, 'PORT')
} catch (error) {
  told.error = error.message
}
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
