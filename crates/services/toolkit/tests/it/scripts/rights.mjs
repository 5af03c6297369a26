// Tells which requests the permissions of the job allow.
import * as github from '@actions/github'
import fs from 'node:fs'

const octokit = github.getOctokit(process.env.GITHUB_TOKEN)
const [owner, repo] = process.env.GITHUB_REPOSITORY.split('/')
const here = { owner, repo }
const told = {}
const asked = {
  repository: () => octokit.rest.repos.get(here),
  contents: () => octokit.rest.repos.listBranches(here),
  runs: () => octokit.rest.actions.listWorkflowRunsForRepo(here),
  cancel: () => octokit.rest.actions.cancelWorkflowRun({ ...here, run_id: 1 }),
  status: () => octokit.rest.repos.createCommitStatus({ ...here, sha: process.env.MAIN, state: 'success' }),
  check: () => octokit.rest.checks.create({ ...here, name: 'x', head_sha: process.env.MAIN })
}
for (const [name, ask] of Object.entries(asked)) {
  told[name] = await ask().then(
    () => 'accepted',
    error => `${error.status} ${error.message.split(' - ')[0]} (${error.response.headers['x-accepted-github-permissions']})`
  )
}
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
