/** Writes the settings table of the README from src/config.ts; a test compares. `npm run generate` runs it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { settingRows } from '../src/config.ts'

const readme = fileURLToPath(new URL('../README.md', import.meta.url))
const START = '<!-- settings -->'

/** The README with its settings table made anew. */
export function withSettings(text: string): string {
  const [before, after] = text.split(START) as [string, string]
  const rest = after.slice(after.indexOf('\n## '))
  const rows = settingRows().map(([name, shown, about]) => `| \`${name}\` | ${shown} | ${about} |`)
  return `${before}${START}\n| name | default | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n${rest}`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(readme, withSettings(readFileSync(readme, 'utf8')))
