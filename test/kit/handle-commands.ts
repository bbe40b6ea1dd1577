/**
 * A decider reduced to its bones, to be killed: reads the commands of a stream after its group's checkpoint and appends
 * one event for each, together with the checkpoint. Arguments: the adapter and where it is, the topics, where to crash.
 */
import { DomainError } from '../../src/kernel/errors.ts'
import { crashAt } from '../../src/kernel/points.ts'
import { events, SPEC, text } from './events.ts'
import { openLogAt } from './logs.ts'

const [where, commands, results, crash] = process.argv.slice(2) as [string, string, string, string]
if (crash) crashAt(crash, () => process.kill(process.pid, 'SIGKILL'))
const log = await openLogAt(where)
await log.declare(
  [
    { ...SPEC, name: results },
    { ...SPEC, name: commands, partitions: 1 },
  ],
  {},
)
const stream = log.streams(commands)[0]!
const group = `handler-of-${commands}`
let after = await log.own(group, stream)
const end = (await log.ends(commands)).get(stream.name)!
while (after < end) {
  const page = await log.read(stream, after, { maxEvents: 1, maxBytes: 1000, waitMs: 100 })
  for (const event of page.events) {
    try {
      const consumed = { group, stream, offset: event.offset }
      await log.append([events(results, [event.key.toString(), `did ${text(event)}`])], { consumed })
    } catch (error) {
      if (error instanceof DomainError && error.code === 'CONFLICT') process.exit(3)
      throw error
    }
  }
  after = page.through
}
await log.stop()
