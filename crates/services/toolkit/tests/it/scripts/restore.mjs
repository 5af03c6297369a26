// Tells what a job with another reach finds, and whether it may save.
import * as cache from '@actions/cache'
import fs from 'node:fs'

const told = {}
told.found = (await cache.restoreCache(['deps'], 'deps-linux-9', ['deps-'])) ?? null
fs.mkdirSync('deps', { recursive: true })
fs.writeFileSync('deps/a.txt', 'from another')
told.saved = (await cache.saveCache(['deps'], process.env.KEY)) > 0
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
