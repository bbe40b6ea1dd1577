import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './processes.ts'
import type { Service } from './service.ts'

/** Runs the commands of docs/`name`, those after a heading if one is given; gives back what they print, JSON values one after the other. */
export async function answersOf(service: Service, name: string, heading = ''): Promise<unknown[]> {
  const text = readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), 'utf8')
  const at = text.indexOf(heading)
  if (at < 0) throw new Error(`docs/${name} has no ${heading}`)
  const script = [...text.slice(at).matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands).join('\necho\n')
  const cwd = mkdtempSync(join(tmpdir(), 'sync-docs-'))
  try {
    const env = { ...process.env, URL: service.url, TOKEN: service.token }
    const shell = run('bash', ['-euo', 'pipefail', '-c', script], { cwd, env })
    const code = await new Promise(resolve => shell.child.on('close', resolve))
    const output = shell.output()
    if (code !== 0) throw new Error(`the commands of docs/${name} end with ${code}: ${output}`)
    const answers = output.split(/(?<=\})(?=\{)|\n/).filter(Boolean)
    return answers.map(each => JSON.parse(each))
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}
