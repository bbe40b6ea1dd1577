import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')

/** What of the README is marked to run under `name`, as printed: shell commands, or JavaScript. */
export function marked(name: string): string {
  const blocks = readme.matchAll(/<!-- run: (\w+) -->\n```(?:sh|js)\n(.*?)```/gs)
  return [...blocks]
    .filter(([, mark]) => mark === name)
    .map(([, , text]) => text)
    .join('')
}
