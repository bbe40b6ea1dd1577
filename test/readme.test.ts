import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { freePort, type Running, run, until } from './kit/processes.ts'
import { marked } from './kit/readme.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

const dir = mkdtempSync(join(tmpdir(), 'sync-readme-'))
let service: Running | undefined

afterAll(async () => {
  await service?.end()
  rmSync(dir, { recursive: true, force: true })
})

it('does what it says, command by command', async () => {
  // A checkout of its own, so that ./data and the files it makes are new; only the port is not the README's.
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src', 'client', 'topics', 'schemas'])
    cpSync(join(root, name), join(dir, name), { recursive: true })
  const port = await freePort()
  const options = { cwd: dir, env: { ...process.env, PORT: String(port), KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '' } }
  const serve = marked('serve')
  expect(serve).toBe('npm ci && npm start\n')
  service = run('npm', ['start'], options)
  const printed = () => {
    if (service!.child.exitCode !== null) throw new Error(`npm start has ended: ${service!.output()}`)
    return service!.output().includes(`http://127.0.0.1:${port}/v1/sync`)
  }
  // It builds first.
  await until('npm start to print its URL', printed, 120_000)

  const script = marked('first').replaceAll('8080', String(port))
  const shell = run('bash', ['-euo', 'pipefail', '-c', script], options)
  const code = await new Promise(resolve => shell.child.on('close', resolve))
  const output = shell.output()
  expect(code, output).toBe(0)
  expect(output).toContain('"token_type":"Bearer"')
  expect(output).toContain('"accepted":200000,"rejected":0')
  expect(output).toContain('"name":"flights"')
  expect(output).toContain('"records_count":200000')
  expect(output).toMatch(/"items":\[\{"id":"flight-0","data":\{"delay":/)
  expect(output).toMatch(/\{"id":"flight-7","data":\{"delay":[^}]*\},"version":1/)
  expect(output).toContain('"operation":"create","table":"products","record_id":"p1"')
  expect(output).toContain('"changes":{"price":{"old":99.99,"new":89.99}}')
  // As many as are in the read model by then.
  expect(output).toMatch(/\{"datasets":\{"nodes":\[\{"name":"again","recordsCount":[1-9]\d*\}/)
  expect(output).toMatch(/"recovered":true.*\n.*"operation":"update","table":"flights","record_id":"flight-7"/)
  expect(output).toMatch(/^(\{"request_id":"req_.*"accepted":1,.*\})\n\1$/m)
  expect(output).toContain('"accepted":1,"rejected":2')
  expect(output).toContain('"status":"replayed"')
  expect(output).toContain('"current":{"name": "Anna", "city": "Bonn"},"incoming":{"name": "Anne", "city": "Kiel"}')
  expect(output).toMatch(/"fields":\["name"\].*"resolution":"merge"/s)
  for (const name of ['Anna', 'Anne'])
    expect(output).toMatch(new RegExp(`"id":"ann","data":\\{"name": ?"${name}", ?"city": ?"Kiel"\\},"version"`))
  expect(output).toContain('"records_count":3')
  expect(output).toContain('"original":"2,Table"')
  expect(output).toContain('"data":{"id":"3","name":"Lamp \\"Moon\\"","price":"19.00"}')
  expect(output).toContain('"received":true')
  expect(output).toMatch(/"quality_score":0\.9\d*,"records_count":1601,"dimensions"/)
  const gain = /"original_records":1601,"diluted_records":480,"final_records":2081,"quality_improvement":(0\.\d+),/
  expect(Number(gain.exec(output)![1])).toBeGreaterThan(0.005)
  const [, good] = /"dataset_id":"(ds_\w+)","strategy":"dilution","records":480,"name":"good"/.exec(output)!
  expect(output).toContain(`"dataset_id":"${good}","record_id":"film-`)
  expect(output).toContain('"original_records":1600,"augmented_records":1600,"final_records":3200,"refused":{}')
  expect(output).toMatch(/\{"datasets":\[.*"name":"better".*"name":"more".*\],"next_cursor":null\}/)
  expect(output).toMatch(/"through":200000,"accepted":200000/)
})

it('pulls from its own API, as it says of jobs', async () => {
  await service!.end()
  const url = /http:\/\/127\.0\.0\.1:(\d+)\/v1\/sync/.exec(service!.output())!
  const port = url[1]!
  const options = { cwd: dir, env: { ...process.env, PORT: port, KAFKA_BROKERS: '', SCHEMA_REGISTRY_URL: '' } }
  const [, assignment = ''] = /^(\S+) npm start\n$/.exec(marked('again')) ?? []
  const [name = '', value = ''] = assignment.split('=')
  service = run('npm', ['start'], { ...options, env: { ...options.env, [name]: value } })
  await until('npm start to print its URL', () => service!.output().includes(url[0]!), 120_000)
  const head = `URL=${url[0]}\nTOKEN=$(npm run -s sync -- token)\n`
  const shell = run('bash', ['-euo', 'pipefail', '-c', head + marked('jobs')], options)
  const code = await new Promise(resolve => shell.child.on('close', resolve))
  const output = shell.output()
  expect(code, output).toBe(0)
  expect(output).toContain('{"valid":true}')
  expect(output).toContain('{"records":[{"before":{"id":"flight-0","data":{')
  expect(output).toMatch(/"records_processed":200000/)
  expect(output).toContain('"token":"***"')
  expect(output).toContain('the run is complete')
  expect(output).toMatch(/flights: 200000/)
})

it('stops when npm start is stopped', async () => {
  await service!.end()
  const url = /http:\/\/127\.0\.0\.1:\d+\/v1\/sync/.exec(service!.output())![0]
  await until('the port to be free', () =>
    fetch(`${url}/health/live`).then(
      () => false,
      () => true,
    ),
  )
})
