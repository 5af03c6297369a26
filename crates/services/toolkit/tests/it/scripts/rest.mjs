// Asks for what common actions ask, with the client they use.
import * as github from '@actions/github'
import * as glob from '@actions/glob'
import { DefaultArtifactClient } from '@actions/artifact'
import fs from 'node:fs'

const told = {}
const octokit = github.getOctokit(process.env.GITHUB_TOKEN)
const [owner, repo] = process.env.GITHUB_REPOSITORY.split('/')
const here = { owner, repo }
const { MAIN: main, TOPIC: topic } = process.env
const short = text => text.replaceAll(main, 'MAIN').replaceAll(topic, 'TOPIC').replace(/127\.0\.0\.1:\d+/g, 'HOST')
const refused = async promise => promise.then(() => 'accepted', error => `${error.status} ${error.message.split(' - ')[0]}`)

const { data: repository } = await octokit.rest.repos.get(here)
told.repository = [repository.full_name, repository.default_branch, repository.permissions.push]
told.branches = (await octokit.rest.repos.listBranches(here)).data.map(it => it.name)
told.branch = short((await octokit.rest.repos.getBranch({ ...here, branch: 'feature/x' })).data.commit.sha)
told.tags = (await octokit.rest.repos.listTags(here)).data.map(it => `${it.name} ${short(it.commit.sha)}`)
told.ref = short((await octokit.rest.git.getRef({ ...here, ref: 'heads/main' })).data.object.sha)
told.matching = (await octokit.rest.git.listMatchingRefs({ ...here, ref: 'heads/feature' })).data.map(it => it.ref)

const { data: commits } = await octokit.rest.repos.listCommits({ ...here, sha: 'feature/x' })
told.commits = commits.map(it => it.commit.message)
const all = await octokit.paginate(octokit.rest.repos.listCommits, { ...here, sha: 'feature/x', per_page: 1 })
told.paginated = all.map(it => it.commit.message)
const { data: commit } = await octokit.rest.repos.getCommit({ ...here, ref: topic })
told.commit = [commit.commit.author.name, commit.parents.map(it => short(it.sha)), commit.stats]
told.files = commit.files.map(it => `${it.status} ${it.filename} +${it.additions} -${it.deletions}`)
const { data: compared } = await octokit.rest.repos.compareCommitsWithBasehead({ ...here, basehead: `main...${topic}` })
told.compared = [compared.status, compared.ahead_by, compared.behind_by, compared.files.map(it => it.filename), compared.commits.length]

const { data: file } = await octokit.rest.repos.getContent({ ...here, path: 'src/a.txt' })
told.file = [file.type, file.size, Buffer.from(file.content, 'base64').toString()]
const raw = await octokit.rest.repos.getContent({ ...here, path: 'src/a.txt', mediaType: { format: 'raw' } })
told.raw = raw.data
told.folder = (await octokit.rest.repos.getContent({ ...here, path: '' })).data.map(it => `${it.type} ${it.path}`)
const { data: tree } = await octokit.rest.git.getTree({ ...here, tree_sha: main, recursive: '1' })
told.tree = tree.tree.map(it => `${it.type} ${it.path}`)
told.missing = await refused(octokit.rest.repos.getContent({ ...here, path: '../secret' }))

await octokit.rest.repos.createCommitStatus({ ...here, sha: main, state: 'pending', context: 'ci/x' })
await octokit.rest.repos.createCommitStatus({ ...here, sha: main, state: 'success', context: 'ci/x', description: 'all good' })
const { data: combined } = await octokit.rest.repos.getCombinedStatusForRef({ ...here, ref: 'main' })
told.status = [combined.state, combined.statuses.map(it => `${it.context} ${it.state} ${it.description}`)]
const annotation = { path: 'src/a.txt', start_line: 1, end_line: 2, annotation_level: 'warning', message: 'look' }
const { data: check } = await octokit.rest.checks.create({
  ...here, name: 'lint', head_sha: main, status: 'in_progress', output: { title: 'Lint', summary: 's', annotations: [annotation] }
})
const { data: done } = await octokit.rest.checks.update({
  ...here, check_run_id: check.id, conclusion: 'neutral', output: { title: 'Lint', summary: 'two', annotations: [annotation] }
})
told.check = [done.status, done.conclusion, done.output.summary, done.output.annotations_count]
told.annotations = (await octokit.rest.checks.listAnnotations({ ...here, check_run_id: check.id })).data.length
told.checks = (await octokit.rest.checks.listForRef({ ...here, ref: 'main' })).data.check_runs.map(it => it.name)

const { data: run } = await octokit.rest.actions.getWorkflowRun({ ...here, run_id: 1 })
told.run = [run.status, run.conclusion, run.head_branch, run.path, run.run_attempt]
told.runs = (await octokit.rest.actions.listWorkflowRunsForRepo({ ...here, status: 'in_progress' })).data.total_count
const { data: workflows } = await octokit.rest.actions.listRepoWorkflows(here)
told.workflows = workflows.workflows.map(it => `${it.name} ${it.path}`)
const ofWorkflow = await octokit.rest.actions.listWorkflowRuns({ ...here, workflow_id: 'ci.yml' })
told.runsOfWorkflow = ofWorkflow.data.workflow_runs.map(it => it.workflow_id === workflows.workflows[0].id)
const { data: jobs } = await octokit.rest.actions.listJobsForWorkflowRun({ ...here, run_id: 1 })
told.jobs = jobs.jobs.map(it => `${it.name} ${it.status} ${it.steps.map(step => step.name)}`)
told.job = (await octokit.rest.actions.getJobForWorkflowRun({ ...here, job_id: jobs.jobs[0].id })).data.name

fs.writeFileSync('a.txt', 'one')
const client = new DefaultArtifactClient()
const made = await client.uploadArtifact('results', ['a.txt'], '.')
const findBy = { token: process.env.GITHUB_TOKEN, workflowRunId: 1, repositoryOwner: owner, repositoryName: repo }
const { artifact } = await client.getArtifact('results', { findBy })
const down = await client.downloadArtifact(artifact.id, { findBy, path: 'down', expectedHash: artifact.digest })
told.artifact = [artifact.id === made.id, down.digestMismatch, fs.readFileSync('down/a.txt', 'utf8')]
told.artifacts = (await client.listArtifacts({ findBy })).artifacts.map(it => it.name)
told.deleted = (await client.deleteArtifact('results', { findBy })).id === made.id
told.caches = (await octokit.rest.actions.getActionsCacheList(here)).data.total_count

told.rate = (await octokit.rest.rateLimit.get()).data.rate.remaining
told.comment = await refused(octokit.rest.issues.createComment({ ...here, issue_number: 1, body: 'x' }))
told.release = await refused(octokit.rest.repos.getLatestRelease(here))
told.push = await refused(octokit.rest.git.createRef({ ...here, ref: 'refs/tags/v2', sha: main }))
told.unknown = await refused(octokit.request('GET /repos/{owner}/{repo}/stargazers', here))
told.other = await refused(octokit.rest.repos.get({ owner, repo: 'bank' }))
told.graphql = await refused(octokit.graphql('{ viewer { login } }'))
told.stranger = await refused(github.getOctokit('wrong').rest.repos.get(here))
told.hash = (await glob.hashFiles('**/a.txt')).length
fs.writeFileSync(process.env.RESULT, JSON.stringify(told))
