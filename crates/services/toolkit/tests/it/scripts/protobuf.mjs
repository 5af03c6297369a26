// Saves and finds an entry with calls written as Protocol Buffers, by the messages of GitHub's own package.
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = path.resolve(process.env.GITHUB_WORKSPACE, '../node_modules/@actions/cache/lib/generated/results/api/v1')
const { CacheServiceClientProtobuf } = await import(pathToFileURL(path.join(folder, 'cache.twirp-client.js')))
const rpc = {
  async request(service, method, contentType, data) {
    const response = await fetch(new URL(`/twirp/${service}/${method}`, process.env.ACTIONS_RESULTS_URL), {
      method: 'POST',
      headers: { 'content-type': contentType, authorization: `Bearer ${process.env.ACTIONS_RUNTIME_TOKEN}` },
      body: data
    })
    if (!response.ok) throw new Error(await response.text())
    return new Uint8Array(await response.arrayBuffer())
  }
}
const told = {}
const client = new CacheServiceClientProtobuf(rpc)
const entry = { key: 'deps-1', version: 'v' }
const reserved = await client.CreateCacheEntry(entry)
told.reserved = reserved.ok
const headers = { 'x-ms-blob-type': 'BlockBlob' }
await fetch(reserved.signedUploadUrl, { method: 'PUT', headers, body: 'archive' })
told.filled = (await client.FinalizeCacheEntryUpload({ ...entry, sizeBytes: '7' })).ok
const found = await client.GetCacheEntryDownloadURL({ key: 'none', restoreKeys: ['other-', 'deps-'], version: 'v' })
told.matched = found.matchedKey
told.content = await (await fetch(found.signedDownloadUrl)).text()
told.miss = (await client.GetCacheEntryDownloadURL({ key: 'none', restoreKeys: [], version: 'v' })).ok
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
