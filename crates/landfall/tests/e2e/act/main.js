const fs = require('fs')
const word = process.env.INPUT_WORD
console.log(`> main ${word}`)
fs.appendFileSync(process.env.GITHUB_OUTPUT, `upper=${word.toUpperCase()}\n`)
fs.appendFileSync(process.env.GITHUB_STATE, `word=${word}\n`)
