// Saves a folder twice, loses it, and restores it by key and by prefix.
import * as cache from '@actions/cache'
import fs from 'node:fs'

const told = {}
told.available = cache.isFeatureAvailable()
fs.mkdirSync('deps/inner', { recursive: true })
fs.writeFileSync('deps/a.txt', 'one')
fs.writeFileSync('deps/inner/b.txt', 'two')
told.savedFirst = (await cache.saveCache(['deps'], 'deps-linux-1')) > 0
fs.writeFileSync('deps/a.txt', 'changed')
told.savedAgain = (await cache.saveCache(['deps'], 'deps-linux-1')) > 0

const lose = () => fs.rmSync('deps', { recursive: true })
lose()
told.looked = await cache.restoreCache(['deps'], 'deps-linux-1', [], { lookupOnly: true })
told.lookedOnly = !fs.existsSync('deps')
told.exact = await cache.restoreCache(['deps'], 'deps-linux-1')
told.content = [fs.readFileSync('deps/a.txt', 'utf8'), fs.readFileSync('deps/inner/b.txt', 'utf8')]
lose()
told.prefix = await cache.restoreCache(['deps'], 'deps-linux-2', ['none-', 'deps-'])
told.otherPaths = (await cache.restoreCache(['other'], 'deps-linux-1')) ?? null
told.miss = (await cache.restoreCache(['deps'], 'unknown')) ?? null
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
