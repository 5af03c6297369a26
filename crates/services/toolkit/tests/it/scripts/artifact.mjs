// Uploads, lists, downloads and deletes artifacts of the own run.
import { DefaultArtifactClient } from '@actions/artifact'
import crypto from 'node:crypto'
import fs from 'node:fs'

const told = {}
const client = new DefaultArtifactClient()
fs.mkdirSync('out/inner', { recursive: true })
fs.writeFileSync('out/a.txt', 'one')
// Larger than a block of the upload, and nothing shrinks it.
const large = crypto.randomBytes(20 * 1024 * 1024)
fs.writeFileSync('out/inner/large', large)
const uploaded = await client.uploadArtifact('results', ['out/a.txt', 'out/inner/large'], 'out')
told.uploaded = { size: uploaded.size > large.length, id: uploaded.id > 0, digest: uploaded.digest.length }
try {
  await client.uploadArtifact('results', ['out/a.txt'], 'out')
  told.twice = 'taken'
} catch (error) {
  told.twice = error.message
}
fs.writeFileSync('report.html', '<p>é</p>')
const raw = await client.uploadArtifact('ignored', ['report.html'], '.', { skipArchive: true, retentionDays: 3 })

const { artifacts } = await client.listArtifacts()
told.listed = artifacts.map(it => it.name).sort()
told.digests = artifacts.map(it => it.digest.replace(/[0-9a-f]{64}/, 'HEX'))
const { artifact } = await client.getArtifact('results')
told.found = artifact.id === uploaded.id
const down = await client.downloadArtifact(artifact.id, { path: 'down', expectedHash: artifact.digest })
told.mismatch = down.digestMismatch
told.same = [fs.readFileSync('down/a.txt', 'utf8'), fs.readFileSync('down/inner/large').equals(large)]
await client.downloadArtifact(raw.id, { path: 'raw' })
told.raw = fs.readFileSync('raw/report.html', 'utf8')
told.deleted = (await client.deleteArtifact('results')).id === uploaded.id
told.left = (await client.listArtifacts()).artifacts.map(it => it.name)
try {
  await client.getArtifact('results')
} catch (error) {
  told.gone = error.name
}
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
