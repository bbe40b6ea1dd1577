import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, inject, it } from 'vitest'
import { events, readTopic, SPEC, text } from '../kit/events.ts'
import { openLogAt } from '../kit/logs.ts'
import { run } from '../kit/processes.ts'

const HANDLER = fileURLToPath(new URL('../kit/handle-commands.ts', import.meta.url))
const kafka = inject('kafka')

const places = [
  {
    name: 'embedded',
    where: () => `embedded:${join(mkdtempSync(join(tmpdir(), 'sync-consumed-')), 'log.db')}`,
    points: ['embedded.checkpoint-written', 'embedded.events-written', 'embedded.committed'],
  },
  ...(kafka
    ? [
        {
          name: 'kafka',
          where: () => `kafka:${kafka.brokers},${kafka.registryUrl}`,
          points: ['kafka.events-sent', 'kafka.offsets-sent', 'kafka.committed'],
        },
      ]
    : []),
]

for (const { name, where, points } of places) {
  describe(`append with consumed, killed in the middle: ${name}`, () => {
    it.each(points)('kill -9 at %s: every command is handled once, in order', async point => {
      const at = where()
      const id = randomBytes(4).toString('hex')
      const [commands, results] = [`commands-${id}`, `results-${id}`]
      const log = await openLogAt(at)
      await log.declare(
        [
          { ...SPEC, name: results },
          { ...SPEC, name: commands, partitions: 1 },
        ],
        {},
      )
      const wanted = Array.from({ length: 8 }, (_, n) => `${n}`)
      await log.append([events(commands, ...wanted.map(n => ['x', n] as [string, string]))])

      const handle = async (crash: string) => {
        const handler = run(process.execPath, [HANDLER, at, commands, results, crash])
        return new Promise(resolve => handler.child.on('exit', (code, signal) => resolve(signal ?? code)))
      }
      expect(await handle(`${point}:3`)).toBe('SIGKILL')
      expect(await handle(`${point}:1`)).toBe('SIGKILL')
      expect(await handle('')).toBe(0)
      expect((await readTopic(log, results)).map(text)).toEqual(wanted.map(n => `did ${n}`))
      await log.stop()
    })

    it('refuses a zombie once another process owns the checkpoint', async () => {
      const at = where()
      const id = randomBytes(4).toString('hex')
      const [commands, results] = [`commands-${id}`, `results-${id}`]
      const [zombie, owner] = [await openLogAt(at), await openLogAt(at)]
      const topics = [
        { ...SPEC, name: results },
        { ...SPEC, name: commands, partitions: 1 },
      ]
      await zombie.declare(topics, {})
      await owner.declare(topics, {})
      await zombie.append([events(commands, ['x', '0'])])
      const stream = zombie.streams(commands)[0]!
      const offset = (await readTopic(zombie, commands))[0]!.offset
      const consumed = { group: `g-${id}`, stream, offset }
      await zombie.own(consumed.group, stream)
      await owner.own(consumed.group, stream)
      await owner.append([events(results, ['x', 'by the owner'])], { consumed })
      await expect(zombie.append([events(results, ['x', 'by the zombie'])], { consumed })).rejects.toMatchObject({
        code: 'CONFLICT',
      })
      expect((await readTopic(owner, results)).map(text)).toEqual(['by the owner'])
      await Promise.all([zombie.stop(), owner.stop()])
    })
  })
}
